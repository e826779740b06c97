#include "server/config/policy_tests.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "client/cli/claim_set.h"
#include "client/cli/output.h"
#include "client/cli/policy.h"

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

}  // namespace

int RunPolicyTests(const LoadedPolicy& loaded, const std::string& file, Output output) {
  const auto tests = config::LoadPolicyTests(file, loaded.config.issuers);
  if (!tests.ok()) return Fail(Printable(tests.status().message()));
  size_t failed = 0;
  for (const PolicyTest& test : *tests) {
    const policy::Principal who = test.who.ToPrincipal();
    const bool allowed = test.With([&](const policy::Question& question) {
      return loaded.policy.Decide(who, question) == policy::Code::kOk;
    });
    const bool good = allowed == test.expect_allow;
    failed += good ? 0 : 1;
    if (output == Output::kJson) {
      std::cout << absl::StrCat(R"({"name":)", JsonString(test.name), R"(,"line":)", test.line,
                                R"(,"expected":")", Word(test.expect_allow), R"(","actual":")",
                                Word(allowed), R"("})", "\n");
    } else if (good) {
      std::cout << Coloured(Colour::kGreen, "ok") << "    " << Printable(test.name) << "\n";
    } else {
      PrintDifference(loaded, test, file, allowed);
    }
  }
  if (output == Output::kText) {
    std::cout << tests->size() - failed << " of " << tests->size() << " tests as expected\n";
  }
  return failed == 0 ? kYes : kNo;
}

}  // namespace gatehouse::cli
