#include "server/config/config.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"
#include "server/config/audiences.h"
#include "server/config/callers.h"
#include "server/config/decision_log.h"
#include "server/config/edge.h"
#include "server/config/findings.h"
#include "server/config/issuer.h"
#include "server/config/kept_files.h"
#include "server/config/listen.h"
#include "server/config/may_assert.h"
#include "server/config/policy.h"
#include "server/config/route_warnings.h"
#include "server/config/routes.h"
#include "server/config/rules_hash.h"
#include "server/config/shadow.h"
#include "server/config/yaml_to_message.h"
#include "server/config/yaml_tree.h"

namespace gatehouse::config {
namespace {

constexpr absl::Duration kDefaultKeep = absl::Hours(720);
constexpr absl::Duration kLeastKeep = absl::Minutes(1);
constexpr absl::Duration kLongestAudit = absl::Hours(10 * 365 * 24);
constexpr absl::Duration kLongestMemory = absl::Hours(1);

// Nullopt if it is wrong.
std::optional<absl::Duration> ReadKeep(const v1::Revocations& in, Findings& findings) {
  if (!in.has_keep()) return kDefaultKeep;
  const absl::Duration keep = ToDuration(in.keep());
  if (keep >= kLeastKeep) return keep;
  findings.Wrong("revocations.keep",
                 absl::StrCat("must be at least 1m, but is ", absl::FormatDuration(keep)));
  return std::nullopt;
}

std::string ReadSqlitePath(const v1::Config& in, const std::string& folder, Findings& findings) {
  const std::string& path = in.revocations().sqlite().path();
  if (!in.has_revocations()) {
    findings.Wrong("revocations", "is required, with sqlite.path in it");
  } else if (!in.revocations().has_sqlite()) {
    findings.Wrong("revocations.sqlite", "is required, with path in it");
  } else if (RequireText(path, "revocations.sqlite.path", findings) &&
             (path == ":memory:" || absl::StartsWith(path, "file:"))) {
    findings.Wrong("revocations.sqlite.path",
                   "must be a file's path; revocations in memory would be lost");
  }
  return Resolve(folder, path);
}

// `field` if it is given, from nothing to `most`; else the `standard`.
absl::Duration ReadUpTo(const std::string& field, const google::protobuf::Duration& given,
                        absl::Duration most, absl::Duration standard, Findings& findings) {
  if (!findings.Given(field)) return standard;
  const absl::Duration value = ToDuration(given);
  if (value >= absl::ZeroDuration() && value <= most) return value;
  findings.Wrong(field, absl::StrCat("must be from 0s to ", absl::FormatDuration(most), ", but is ",
                                     absl::FormatDuration(value)));
  return standard;
}

void ReadRevocations(const v1::Config& in, const std::string& folder, Config& out,
                     Findings& findings) {
  const v1::Revocations& revocations = in.revocations();
  out.sqlite_path = ReadSqlitePath(in, folder, findings);
  out.audit =
      ReadUpTo("revocations.audit", revocations.audit(), kLongestAudit, out.audit, findings);
  out.remember_for = ReadUpTo("revocations.remember_for", revocations.remember_for(),
                              kLongestMemory, out.remember_for, findings);
  const std::string backups = "revocations.backups";
  if (findings.Given(backups) && RequireText(revocations.backups(), backups, findings)) {
    out.backups = BackupFolder{.path = Resolve(folder, revocations.backups()),
                               .place = findings.PlaceOf(backups)};
  }
}

std::vector<Issuer> ReadIssuers(const v1::Config& in, const Surroundings& around,
                                Findings& findings, std::vector<std::string>& warnings) {
  if (in.issuers().empty()) findings.Wrong("issuers", "needs at least one issuer");
  std::vector<Issuer> out;
  std::map<std::string, std::string> seen;  // issuer -> where
  for (int i = 0; i < in.issuers_size(); ++i) {
    const std::string path = absl::StrCat("issuers[", i, "]");
    out.push_back(ReadIssuer(in.issuers(i), path, around, findings));
    jose::IssuerRules& rules = out.back().rules;
    rules.may_assert = ReadMayAssert(in.issuers(i), path, in.issuers_size() > 1, findings);
    const auto& tenants = rules.may_assert.tenants;
    if (tenants.has_value() && !tenants->empty() && rules.claims.tenant.empty()) {
      warnings.push_back(findings.Sentence(
          path + ".may_assert.tenants",
          "lists tenants, but without claims.tenant no token of this issuer has one"));
    }
    const auto [before, is_new] = seen.emplace(in.issuers(i).issuer(), path);
    if (!is_new && !in.issuers(i).issuer().empty()) {
      findings.Wrong(path + ".issuer",
                     absl::StrCat("is the issuer of ", before->second, " already (line ",
                                  findings.LineOf(before->second + ".issuer"), ")"));
    }
  }
  return out;
}

// Leaves what issuers are read from.
void KeepIssuers(YamlNode& root) {
  YamlNode kept;
  kept.kind = root.kind;
  kept.line = root.line;
  for (size_t i = 0; i < root.keys.size(); ++i) {
    if (root.keys[i].text != "issuers" && root.keys[i].text != "revocations") continue;
    kept.keys.push_back(std::move(root.keys[i]));
    kept.values.push_back(std::move(root.values[i]));
  }
  root = std::move(kept);
}

}  // namespace

absl::StatusOr<std::vector<Issuer>> LoadIssuers(const std::string& path) {
  GH_ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxYamlBytes));
  Findings findings(path);
  auto root = ParseYaml(text, findings);
  if (!root.has_value()) return findings.ToStatus();
  KeepIssuers(*root);
  v1::Config message;
  YamlToMessage(*root, message, findings);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  std::vector<std::string> warnings;
  auto issuers =
      ReadIssuers(message, {.folder = folder, .keep = ReadKeep(message.revocations(), findings)},
                  findings, warnings);
  GH_RETURN_IF_ERROR(findings.ToStatus());
  return issuers;
}

absl::StatusOr<Config> ParseConfig(absl::string_view yaml, const std::string& name) {
  Findings findings(name);
  const auto root = ParseYaml(yaml, findings);
  if (!root.has_value()) return findings.ToStatus();

  v1::Config message;
  YamlToMessage(*root, message, findings);

  Config config;
  const auto keep = ReadKeep(message.revocations(), findings);
  const std::string folder = std::filesystem::path(name).parent_path().string();
  config.issuers =
      ReadIssuers(message, {.folder = folder, .keep = keep}, findings, config.warnings);
  Audiences audiences(message, findings);
  config.callers = ReadCallers(message, folder, audiences, findings);
  ReadListen(message, folder, config, findings);
  if (message.has_policy()) {
    config.policy = ReadPolicy(message.policy(), "policy", folder, findings, config);
  }
  if (message.has_shadow()) {
    config.shadow = ReadShadow(message.shadow(), folder, findings, config);
  }
  WarnOfUnknownNames(message, findings, config);
  ReadRoutes(message, audiences, findings, config);
  ReadEdge(message, findings, config);
  WarnOfProxies(config, findings);
  if (message.has_decision_log()) {
    config.decision_log = ReadDecisionLog(message.decision_log(), folder, findings);
  }
  ReadRevocations(message, folder, config, findings);
  config.keep = keep.value_or(kDefaultKeep);
  if (!message.decision_log().path().empty()) {
    config.decision_log->kept = KeptFilesOf(config, name);
    const absl::Status own = CheckOwnFiles(*config.decision_log);
    if (!own.ok()) findings.Wrong("decision_log.path", own.message());
  }
  GH_RETURN_IF_ERROR(findings.ToStatus());
  config.rules = RulesHash(message, findings, config.rules);
  return config;
}

absl::StatusOr<Config> LoadConfig(const std::string& path) {
  GH_ASSIGN_OR_RETURN(const std::string text, ReadSmallFile(path, kMaxYamlBytes));
  return ParseConfig(text, path);
}

}  // namespace gatehouse::config
