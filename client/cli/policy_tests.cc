#include "server/config/policy_tests.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/cli/claim_set.h"
#include "client/cli/output.h"
#include "client/cli/policy.h"
#include "client/cli/policy_test_warnings.h"

namespace gatehouse::cli {
namespace {

using config::PolicyTest;

absl::string_view Word(bool allow) { return allow ? "allow" : "deny"; }

void PrintDifference(const LoadedPolicy& loaded, const PolicyTest& test, const std::string& file,
                     bool allowed) {
  std::cout << Coloured(Colour::kRed, "FAIL") << "  " << Printable(test.name) << "\n"
            << "      " << Printable(file) << ":" << test.line << ": expected "
            << Coloured(Colour::kGreen, Word(test.expect_allow)) << ", but the policy says "
            << Coloured(Colour::kRed, Word(allowed)) << "\n";
  const policy::Principal who = test.who.ToPrincipal();
  test.With([&](const policy::Question& question) {
    if (!allowed) {
      std::cout << "      " << loaded.policy.WhyDenied(who, question) << "\n";
    }
    for (const policy::RuleVerdict& rule : loaded.policy.Explain(who, question)) {
      std::cout << "      " << Printable(rule.rule) << ": "
                << (rule.truth == policy::Truth::kTrue ? "holds" : Printable(rule.lacking)) << "\n";
    }
    return 0;
  });
}

// Why the policy denies, where it does.
std::string ReasonOf(const LoadedPolicy& loaded, const PolicyTest& test, bool allowed) {
  if (allowed) return "";
  const policy::Principal who = test.who.ToPrincipal();
  return test.With([&](const policy::Question& question) {
    return std::string(loaded.policy.WhyDenied(who, question));
  });
}

void PrintAsJson(const PolicyTest& test, bool allowed, const std::string& reason) {
  std::cout << absl::StrCat(R"({"name":)", JsonString(test.name), R"(,"line":)", test.line,
                            R"(,"expected":")", Word(test.expect_allow), R"(","actual":")",
                            Word(allowed), R"(","reason":)", JsonString(reason), "}\n");
}

void PrintGood(const PolicyTest& test, const std::string& reason) {
  std::cout << Coloured(Colour::kGreen, "ok") << "    " << Printable(test.name)
            << (reason.empty() ? "" : absl::StrCat("  (", reason, ")")) << "\n";
}

}  // namespace

int RunPolicyTests(const LoadedPolicy& loaded, const std::string& file, Output output) {
  const auto tests = config::LoadPolicyTests(file, loaded.config.issuers);
  if (!tests.ok()) return Fail(PrintableLines(tests.status().message()));
  size_t failed = 0;
  for (const PolicyTest& test : *tests) {
    const policy::Principal who = test.who.ToPrincipal();
    const bool allowed = test.With([&](const policy::Question& question) {
      return loaded.policy.Decide(who, question) == policy::Code::kOk;
    });
    const bool good = allowed == test.expect_allow;
    failed += good ? 0 : 1;
    const std::string reason = ReasonOf(loaded, test, allowed);
    if (output == Output::kJson) {
      PrintAsJson(test, allowed, reason);
    } else if (good) {
      PrintGood(test, reason);
    } else {
      PrintDifference(loaded, test, file, allowed);
    }
    for (const std::string& unknown : UnknownNames(*loaded.config.policy, test)) {
      std::cerr << "warning: " << Printable(absl::StrCat(file, ":", test.line, ": ", unknown))
                << "\n";
    }
  }
  if (output == Output::kText) {
    std::cout << tests->size() - failed << " of " << tests->size() << " tests as expected\n";
  }
  return failed == 0 ? kYes : kNo;
}

}  // namespace gatehouse::cli
