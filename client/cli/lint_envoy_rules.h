#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/optional.h"
#include "client/cli/lint_envoy_model.h"

// The rules of `gatehouse lint-envoy`: a row and a function each.
namespace gatehouse::cli {

enum class Severity { kDanger, kWarning };

struct LintFinding {
  int file = 0;
  int line = 1;
  Severity severity = Severity::kDanger;
  std::string rule;
  std::string danger;
  std::string mend;
};

class LintReport;

struct LintRule {
  const char* id;
  Severity severity;
  const char* danger;  // what an attacker or an outage gets; $0 is what was found
  const char* mend;    // the YAML to write; $0 is what to put into it
  void (*find)(const LintModel& model, const LintReport& report);
};

// Where one rule puts what it finds.
class LintReport {
 public:
  LintReport(const LintRule& rule, const std::vector<std::string>& identity_headers,
             std::vector<LintFinding>& findings)
      : rule_(rule), identity_headers_(identity_headers), findings_(findings) {}

  void At(const LintNode& where, absl::string_view found = "",
          absl::optional<Severity> severity = absl::nullopt, absl::string_view write = "") const;

  // In lower case.
  const std::vector<std::string>& identity_headers() const { return identity_headers_; }

 private:
  const LintRule& rule_;
  const std::vector<std::string>& identity_headers_;
  std::vector<LintFinding>& findings_;
};

// The tables, by what they look at.
const std::vector<LintRule>& AuthzRules();    // the ext_authz filter, or a mesh's word for it
const std::vector<LintRule>& RequestRules();  // what Gatehouse is shown of a request
const std::vector<LintRule>& ChainRules();    // the HTTP connection manager around it
const std::vector<LintRule>& PathRules();     // what the manager makes of paths and headers
const std::vector<LintRule>& RouteRules();
const std::vector<LintRule>& ClusterRules();
const std::vector<LintRule>& MeshRules();

// Whether an envoy.type.matcher.v3.StringMatcher takes `name`. One that is no plain text,
// such as a regular expression, gives `unsure`.
bool MatchesText(const LintNode& matcher, absl::string_view name, bool unsure);

// What all rules find, in the order of the files and their lines.
std::vector<LintFinding> Lint(const LintModel& model,
                              const std::vector<std::string>& identity_headers);

}  // namespace gatehouse::cli
