#include "client/cli/lint_envoy_rules.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/substitute.h"

namespace gatehouse::cli {

void LintReport::At(const LintNode& where, absl::string_view found,
                    absl::optional<Severity> severity, absl::string_view write) const {
  LintFinding finding;
  finding.file = where.file;
  finding.line = where.line;
  finding.severity = severity.value_or(rule_.severity);
  finding.rule = rule_.id;
  finding.danger = absl::Substitute(rule_.danger, found);
  finding.mend = absl::Substitute(rule_.mend, write);
  findings_.push_back(std::move(finding));
}

bool MatchesText(const LintNode& matcher, absl::string_view name, bool unsure) {
  const bool fold = IsTrue(Get(&matcher, "ignore_case"));
  const auto text = [&](absl::string_view field) {
    const absl::string_view given = TextOf(Get(&matcher, field));
    return fold ? absl::AsciiStrToLower(given) : std::string(given);
  };
  if (Get(&matcher, "exact") != nullptr) return name == text("exact");
  if (Get(&matcher, "prefix") != nullptr) return absl::StartsWith(name, text("prefix"));
  if (Get(&matcher, "suffix") != nullptr) return absl::EndsWith(name, text("suffix"));
  if (Get(&matcher, "contains") != nullptr) return absl::StrContains(name, text("contains"));
  return unsure;
}

std::vector<LintFinding> Lint(const LintModel& model,
                              const std::vector<std::string>& identity_headers) {
  std::vector<LintFinding> findings;
  for (const auto* const table : {&AuthzRules(), &RequestRules(), &ChainRules(), &PathRules(),
                                  &RouteRules(), &ClusterRules(), &MeshRules()}) {
    for (const LintRule& rule : *table) {
      rule.find(model, LintReport(rule, identity_headers, findings));
    }
  }
  const auto key = [](const LintFinding& finding) {
    return std::tie(finding.file, finding.line, finding.rule, finding.danger);
  };
  std::sort(findings.begin(), findings.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  // An anchor's value that several places use is one thing to mend.
  findings.erase(std::unique(findings.begin(), findings.end(),
                             [&](const auto& a, const auto& b) { return key(a) == key(b); }),
                 findings.end());
  return findings;
}

}  // namespace gatehouse::cli
