#include "client/cli/verdict.h"

#include <algorithm>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "client/cli/output.h"

namespace gatehouse::cli {
namespace {

std::string PublicName(v1::Code code) {
  const std::string name = v1::Code_Name(code);
  return std::string(absl::StripPrefix(name, "CODE_"));
}

void PrintPrincipal(const v1::Principal& principal, const std::string& decision_id) {
  Rows rows = {
      {"subject", principal.subject()},
      {"issuer", principal.issuer()},
      {"tenant", principal.tenant()},
      {"roles", absl::StrJoin(principal.roles(), ", ")},
      {"scopes", absl::StrJoin(principal.scopes(), " ")},
      {"email", principal.email()},
      {"client", principal.client_id()},
      {"session", principal.session_id()},
      {"token id", principal.token_id()},
  };
  if (principal.has_issue_time()) {
    rows.emplace_back("issued", TimeText(principal.issue_time()));
  }
  if (principal.has_expire_time()) {
    rows.emplace_back("expires", TimeText(principal.expire_time()));
  }
  rows.emplace_back("claims", principal.claims());
  rows.emplace_back("decision", decision_id);
  PrintRows(rows);
}

// "ok   key        EdDSA, kid 7" for each step of the way.
void PrintExplanation(const v1::Decision& decision) {
  constexpr size_t kNameWidth = 10;
  for (const v1::Step& step : decision.explanation()) {
    std::string name = Printable(step.name());
    name.resize(std::max(name.size(), kNameWidth), ' ');
    std::cout << (step.passed() ? Coloured(Colour::kGreen, "ok") + "  "
                                : Coloured(Colour::kRed, "FAIL"))
              << " " << name << " " << Printable(step.detail()) << "\n";
  }
}

void PrintText(const v1::Decision& decision, const v1::Principal& principal, int verdict) {
  if (verdict == kYes) {
    std::cout << Coloured(Colour::kGreen, "allowed") << "\n";
  } else {
    std::cout << Coloured(Colour::kRed, "denied") << " (" << PublicName(decision.code()) << ")";
    if (!decision.detail().empty()) std::cout << ": " << Printable(decision.detail());
    std::cout << "\n";
  }
  PrintPrincipal(principal, decision.id());
  PrintExplanation(decision);
}

}  // namespace

int ExitCodeOf(const v1::Decision& decision) {
  const bool ok = decision.code() == v1::CODE_OK;
  if (decision.effect() == v1::EFFECT_ALLOW && ok) return kYes;
  const bool reason =
      !ok && decision.code() != v1::CODE_UNSPECIFIED && v1::Code_IsValid(decision.code());
  if (decision.effect() == v1::EFFECT_DENY && reason) return kNo;
  return kUnknown;
}

void AddExplain(CLI::App& subcommand, bool& explain) {
  subcommand.add_flag("--explain", explain,
                      "Also show how the decision was reached, step by step; needs the right "
                      "`explain`");
}

int PrintReply(const google::protobuf::Message& reply, const v1::Decision& decision,
               const v1::Principal& principal, Output output) {
  const int verdict = ExitCodeOf(decision);
  if (output == Output::kJson) {
    if (const absl::Status written = PrintJson(reply); !written.ok()) {
      return Fail(written.message());
    }
  } else if (verdict != kUnknown) {
    PrintText(decision, principal, verdict);
  }
  if (verdict == kUnknown) {
    return Fail(absl::StrCat("the answer says neither allowed nor denied (effect ",
                             static_cast<int>(decision.effect()), ", code ",
                             static_cast<int>(decision.code()),
                             "): take it as denied. Is the server of another version?"));
  }
  return verdict;
}

}  // namespace gatehouse::cli
