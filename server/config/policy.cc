#include "server/config/policy.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/config/policy_files.h"
#include "server/config/policy_parts.h"
#include "server/config/rules_hash.h"
#include "server/policy/check.h"
#include "server/policy/check_reach.h"
#include "server/policy/claims_of.h"
#include "server/policy/condition.h"

namespace gatehouse::config {
namespace {

using policy::Column;
using policy::Condition;
using policy::Tenancy;
using policy::Who;
using Kind = Condition::Kind;

constexpr absl::string_view kWhoForms =
    "must be owner, role:NAME, scope:NAME, relation:NAME or authenticated";

struct Prefix {
  absl::string_view text;
  Who::Kind kind;
};
constexpr std::array<Prefix, 3> kPrefixes = {{{"role:", Who::Kind::kRole},
                                              {"scope:", Who::Kind::kScope},
                                              {"relation:", Who::Kind::kRelation}}};

// A map of the message in the order of its names, so that what is said about it is
// always the same.
template <typename Map>
std::vector<std::pair<std::string, const typename Map::mapped_type*>> Sorted(const Map& map) {
  std::vector<std::pair<std::string, const typename Map::mapped_type*>> out;
  for (const auto& [name, value] : map) out.emplace_back(name, &value);
  std::sort(out.begin(), out.end());
  return out;
}

// Of one file.
class PolicyReader {
 public:
  // `prefix`: what stands before "roles" and "resources" in the paths of `findings`.
  PolicyReader(std::string prefix, const std::vector<Issuer>& issuers, Findings& findings)
      : prefix_(std::move(prefix)), issuers_(issuers), findings_(findings) {}

  policy::Definition Read(const v1::Policy& in) {
    policy::Definition out;
    for (const auto& [name, role] : Sorted(in.roles())) {
      out.roles.push_back({name, {role->includes().begin(), role->includes().end()}});
    }
    for (const auto& [type, resource] : Sorted(in.resources())) {
      const std::string path = absl::StrCat(prefix_, "resources.", log::Escape(type, 64));
      policy::Resource read{.type = type,
                            .issuers = {resource->issuers().begin(), resource->issuers().end()},
                            .tenancy = ReadTenancy(resource->tenant(), path + ".tenant"),
                            .actions = {},
                            .table = {}};
      resource_ = resource;
      if (resource->has_table()) read.table = ReadTable(resource->table(), path + ".table");
      for (const auto& [name, action] : Sorted(resource->actions())) {
        const std::string inner = absl::StrCat(path, ".actions.", log::Escape(name, 64));
        read.actions.push_back({.name = name,
                                .allow = ReadRules(action->allow(), inner + ".allow", false),
                                .deny = ReadRules(action->deny(), inner + ".deny", true),
                                .is_public = action->public_()});
      }
      out.resources.push_back(std::move(read));
    }
    return out;
  }

 private:
  Tenancy ReadTenancy(const std::string& text, const std::string& path) {
    if (!findings_.Given(path) || text == "optional") return Tenancy::kOptional;
    if (text == "required") return Tenancy::kRequired;
    if (text != "none") findings_.Wrong(path, "must be required, optional or none");
    return Tenancy::kNone;
  }

  policy::Table ReadTable(const v1::Table& in, const std::string& path) {
    policy::Table out{.name = in.name(), .id = in.id().empty() ? "id" : in.id()};
    if (in.has_owner()) out.owner = ReadColumn(in.owner(), path + ".owner");
    if (in.has_tenant()) out.tenant = ReadColumn(in.tenant(), path + ".tenant");
    for (const auto& [name, column] : Sorted(in.attributes())) {
      out.attributes[name] =
          ReadColumn(*column, absl::StrCat(path, ".attributes.", log::Escape(name, 64)));
    }
    for (const auto& [name, join] : in.relations()) {
      out.relations[name] = {join.table(), join.resource(), join.subject()};
    }
    out.commands = {in.commands().begin(), in.commands().end()};
    return out;
  }

  Column ReadColumn(const v1::Column& in, const std::string& path) {
    Column out{.name = in.name()};
    if (in.type() == "integer") {
      out.type = Column::Type::kInteger;
    } else if (in.type() == "number") {
      out.type = Column::Type::kNumber;
    } else if (findings_.Given(path + ".type") && in.type() != "text") {
      findings_.Wrong(path + ".type", "must be text, integer or number");
    }
    return out;
  }

  template <typename Rules>
  std::vector<policy::Rule> ReadRules(const Rules& in, const std::string& path, bool is_deny) {
    std::vector<policy::Rule> out;
    out.reserve(static_cast<size_t>(in.size()));
    for (int i = 0; i < in.size(); ++i) {
      const std::string inner = absl::StrCat(path, "[", i, "]");
      policy::Rule rule;
      if (!in[i].who().empty()) {
        rule.who = ReadWho(in[i].who(), inner);
      } else if (!is_deny || in[i].when().empty()) {
        findings_.Wrong(
            inner,
            absl::StrCat(is_deny ? "needs when, or who, which " : "needs who, which ", kWhoForms));
        rule.who.kind = Who::Kind::kOwner;
      }
      rule.when = ReadConditions(in[i].when(), inner + ".when");
      out.push_back(std::move(rule));
    }
    return out;
  }

  Who ReadWho(absl::string_view text, const std::string& path) {
    if (text == "owner") return {Who::Kind::kOwner};
    if (text == "authenticated") return {Who::Kind::kAuthenticated};
    for (const Prefix& prefix : kPrefixes) {
      if (absl::StartsWith(text, prefix.text)) {
        const absl::string_view name = text.substr(prefix.text.size());
        const absl::string_view bare = absl::StripAsciiWhitespace(name);
        if (bare != name && !bare.empty()) {
          findings_.Wrong(path, absl::StrCat("has a blank around the name; did you mean \"",
                                             prefix.text, log::Escape(bare, 64), "\"?"));
          return {Who::Kind::kOwner};
        }
        return {prefix.kind, std::string(name)};
      }
    }
    findings_.Wrong(path, absl::StrCat(kWhoForms, ", not \"", log::Escape(text, 64), "\""));
    return {Who::Kind::kOwner};  // of whom nothing more is found wrong
  }

  template <typename Conditions>
  std::vector<Condition> ReadConditions(const Conditions& in, const std::string& path) {
    std::vector<Condition> out;
    out.reserve(static_cast<size_t>(in.size()));
    for (int i = 0; i < in.size(); ++i) {
      out.push_back(ReadCondition(in[i], absl::StrCat(path, "[", i, "]")));
    }
    return out;
  }

  Condition ReadCondition(const v1::Condition& in, const std::string& path) {
    const auto given = [&](absl::string_view field) {
      return findings_.Given(absl::StrCat(path, ".", field));
    };
    constexpr std::array<absl::string_view, 5> kShapes = {"attribute", "claim", "all", "any",
                                                          "not"};
    if (std::count_if(kShapes.begin(), kShapes.end(), given) != 1) {
      findings_.Wrong(path, "needs exactly one of attribute, claim, all, any, not");
      return {.kind = Kind::kPresent, .of = Condition::Of::kClaim, .name = "unknown"};
    }
    if (given("attribute") || given("claim")) return ReadTest(in, path, given);
    Condition out;
    if (given("not")) {
      out.kind = Kind::kNot;
      out.inner = {ReadCondition(in.not_(), path + ".not")};
    } else {
      out.kind = given("all") ? Kind::kAll : Kind::kAny;
      out.inner = given("all") ? ReadConditions(in.all(), path + ".all")
                               : ReadConditions(in.any(), path + ".any");
    }
    return out;
  }

  template <typename Given>
  Condition ReadTest(const v1::Condition& in, const std::string& path, const Given& given) {
    Condition out;
    out.of = given("claim") ? Condition::Of::kClaim : Condition::Of::kAttribute;
    out.name = given("claim") ? in.claim() : in.attribute();
    if (given("claim")) CheckClaim(in.claim(), path + ".claim");
    if (given("equals_claim")) CheckClaim(in.equals_claim(), path + ".equals_claim");
    int tests = 0;
    const auto text = [&](absl::string_view field, Kind kind, std::vector<std::string> values) {
      if (!given(field)) return;
      ++tests;
      out.kind = kind;
      out.values = std::move(values);
    };
    const auto number = [&](absl::string_view field, Kind kind, const std::string& value) {
      if (!given(field)) return;
      ++tests;
      out.kind = kind;
      if (!policy::ParseNumber(value, out.number)) {
        findings_.Wrong(absl::StrCat(path, ".", field),
                        "must be a decimal number no larger than 2^53");
      }
    };
    text("equals", Kind::kEquals, {in.equals()});
    text("in", Kind::kIn, {in.in().begin(), in.in().end()});
    text("prefix", Kind::kPrefix, {in.prefix()});
    text("equals_claim", Kind::kEqualsClaim, {in.equals_claim()});
    text("present", Kind::kPresent, {});
    number("less_than", Kind::kLess, in.less_than());
    number("at_most", Kind::kAtMost, in.at_most());
    number("greater_than", Kind::kGreater, in.greater_than());
    number("at_least", Kind::kAtLeast, in.at_least());
    if (tests != 1) {
      findings_.Wrong(path,
                      "needs exactly one of equals, in, prefix, equals_claim, present, less_than, "
                      "at_most, greater_than, at_least");
      out.kind = Kind::kPresent;  // of which nothing more is found wrong
      return out;
    }
    if (out.kind != Kind::kPresent || in.present()) return out;
    Condition absent;
    absent.kind = Kind::kNot;
    absent.inner = {std::move(out)};
    return absent;
  }

  bool IsOfResource(const Issuer& issuer) const {
    const auto& named = resource_->issuers();
    return named.empty() ||
           std::find(named.begin(), named.end(), issuer.rules.issuer) != named.end();
  }

  // A condition reads the token itself, past what its issuer may assert, and does not ask
  // which issuer that is: one issuer's claim is read in the tokens of all.
  void CheckClaim(const std::string& name, const std::string& path) {
    const auto claim = jose::ClaimPath::Parse(name);
    if (!claim.ok()) return findings_.Wrong(path, claim.status().message());
    const auto is = [&](const jose::ClaimPath& other) {
      return !claim->empty() && claim->segments() == other.segments();
    };
    for (const Issuer& limited : issuers_) {
      if (!IsOfResource(limited)) continue;
      const jose::MayAssert& may = limited.rules.may_assert;
      const auto refuse = [&](absl::string_view list, absl::string_view instead) {
        findings_.Wrong(
            path, absl::StrCat("is the claim of the ", list, " that may_assert limits for ",
                               log::Escape(limited.rules.issuer, 64), "; test it by ", instead));
      };
      for (const Issuer& issuer : issuers_) {
        const jose::ClaimNames& names = issuer.rules.claims;
        if (may.roles.has_value() && is(names.roles)) return refuse("roles", "role:NAME");
        if (may.scopes.has_value() && (is(names.scopes) || is(names.scopes_fallback))) {
          return refuse("scopes", "scope:NAME");
        }
        if (may.tenants.has_value() && is(names.tenant)) {
          return refuse("tenants", "the resource type's tenant: required or optional");
        }
      }
    }
  }

  const std::string prefix_;
  const std::vector<Issuer>& issuers_;
  Findings& findings_;
  const v1::Resource* resource_ = nullptr;  // whose rules are being read
};

// What the rules can find in the tokens of an issuer.
policy::IssuerReach ReachOf(const Issuer& issuer) {
  const jose::MayAssert& may = issuer.rules.may_assert;
  return {.issuer = issuer.rules.issuer,
          .roles = may.roles,
          .scopes = may.scopes,
          .has_tenants = !issuer.rules.claims.tenant.empty() &&
                         !(may.tenants.has_value() && may.tenants->empty())};
}

// The claims that the policy tests are kept with every token.
void NoteClaims(const policy::Definition& policy, std::vector<Issuer>& issuers) {
  for (const std::string& name : policy::ClaimsOf(policy)) {
    const auto path = jose::ClaimPath::Parse(name);
    if (!path.ok()) continue;  // found wrong where it stands
    for (Issuer& issuer : issuers) {
      std::vector<jose::ClaimPath>& more = issuer.rules.more_claims;
      const bool known = std::any_of(more.begin(), more.end(),
                                     [&](const jose::ClaimPath& one) { return one == name; });
      if (!known) more.push_back(*path);
    }
  }
}

// `mark`: what tells the policy from the one in force, where its paths do not.
void CheckTogether(const policy::Definition& policy, const PolicyParts& parts,
                   absl::string_view mark, Config& config) {
  const auto warn = [&](const policy::Finding& one) {
    std::string sentence = parts.Sentence(one);
    std::vector<std::string>& all = config.warnings;
    if (std::find(all.begin(), all.end(), sentence) != all.end()) return;
    all.push_back(absl::StrCat(sentence, mark));
  };
  std::vector<std::string> issuers;
  std::vector<policy::IssuerReach> reach;
  issuers.reserve(config.issuers.size());
  reach.reserve(config.issuers.size());
  for (const Issuer& issuer : config.issuers) {
    issuers.push_back(issuer.rules.issuer);
    reach.push_back(ReachOf(issuer));
  }
  const policy::Findings checked = policy::Check(policy, issuers);
  for (const policy::Finding& one : checked.mistakes) parts.Wrong(one);
  for (const policy::Finding& one : checked.warnings) warn(one);
  if (!checked.mistakes.empty()) return;
  for (const policy::Finding& one : policy::CheckReach(policy, reach)) warn(one);
}

// The same wherever the policy is written.
std::string FormOf(const v1::Policy& in, const std::vector<PolicyFile>& files,
                   const Findings& findings) {
  constexpr absl::string_view kPrefix = "policy.";
  std::vector<std::string> given;
  if (files.empty()) {
    given = findings.GivenUnder(kPrefix);
    for (std::string& one : given) one.erase(0, kPrefix.size());
    return CanonicalForm(in, given);
  }
  v1::Policy all = in;
  all.clear_path();
  for (const PolicyFile& file : files) {
    all.MergeFrom(file.message);
    for (std::string& one : file.findings.GivenUnder("")) given.push_back(std::move(one));
  }
  return CanonicalForm(all, given);
}

}  // namespace

policy::Definition ReadPolicy(const v1::Policy& in, const std::string& path,
                              const std::string& folder, Findings& findings, Config& config) {
  std::vector<PolicyPart> read;
  std::vector<PolicyFile> files;
  const bool in_files = findings.Given(path + ".path");
  bool is_whole = true;
  if (in_files) {
    files = LoadPolicyFiles(in, path, folder, findings, config.policy_paths);
    // What is said of a policy that is not all there would be a guess.
    is_whole =
        !files.empty() && std::all_of(files.begin(), files.end(),
                                      [](const PolicyFile& file) { return file.findings.empty(); });
    for (PolicyFile& file : files) {
      read.push_back(
          {"", &file.findings, PolicyReader("", config.issuers, file.findings).Read(file.message)});
    }
  } else {
    read.push_back(
        {path + ".", &findings, PolicyReader(path + ".", config.issuers, findings).Read(in)});
  }
  PolicyParts parts(std::move(read), findings, in_files ? path + ".path" : path);
  policy::Definition out = parts.Together();
  if (path == "policy") config.rules = FormOf(in, files, findings);
  const bool is_shadow = absl::StartsWith(path, "shadow.");
  if (is_whole) CheckTogether(out, parts, is_shadow && in_files ? " (in the shadow)" : "", config);
  NoteClaims(out, config.issuers);
  for (const PolicyFile& file : files) findings.Add(file.findings);
  return out;
}

}  // namespace gatehouse::config
