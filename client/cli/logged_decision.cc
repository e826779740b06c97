#include "client/cli/logged_decision.h"

#include <algorithm>
#include <optional>

#include "server/policy/claims_of.h"

namespace gatehouse::cli {
namespace {

using jose::JsonObject;
using jose::JsonValue;

bool ReadText(const JsonObject& object, absl::string_view name, std::string& out) {
  const auto text = jose::FindString(object, name);
  if (text.has_value()) out = std::string(*text);
  return text.has_value();
}

bool ReadTexts(const JsonValue& value, std::vector<std::string>& out) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return false;
  out.clear();
  for (const JsonValue one : array) {
    const auto text = jose::StringOf(one);
    if (!text.has_value()) return false;
    out.emplace_back(*text);
  }
  return true;
}

bool ReadTexts(const JsonObject& object, absl::string_view name, std::vector<std::string>& out) {
  const auto value = jose::FindMember(object, name);
  return value.has_value() && ReadTexts(*value, out);
}

// Calls `take` with each member of the object `name`, until one is wrong.
template <typename Take>
bool ReadMembers(const JsonObject& object, absl::string_view name, const Take& take) {
  const auto value = jose::FindMember(object, name);
  JsonObject inner;
  if (!value.has_value() || value->get(inner) != simdjson::SUCCESS) return false;
  return std::all_of(inner.begin(), inner.end(),
                     [&](const auto& field) { return take(std::string(field.key), field.value); });
}

bool ReadPairs(const JsonObject& object, absl::string_view name,
               std::vector<std::pair<std::string, std::string>>& out) {
  out.clear();
  return ReadMembers(object, name, [&](std::string key, const JsonValue& value) {
    const auto text = jose::StringOf(value);
    if (text.has_value()) out.emplace_back(std::move(key), *text);
    return text.has_value();
  });
}

// A claim that cannot be compared is an object in the line.
bool ReadClaims(const JsonObject& object, config::PolicyUser& out) {
  out.claims.clear();
  out.opaque_claims.clear();
  return ReadMembers(object, "claims", [&](std::string key, const JsonValue& value) {
    if (value.is_object()) {
      out.opaque_claims.push_back(std::move(key));
      return true;
    }
    const auto text = jose::StringOf(value);
    if (text.has_value()) out.claims.emplace_back(std::move(key), *text);
    return text.has_value();
  });
}

bool ReadFacts(const JsonObject& object, config::PolicyTest& out) {
  out.relations.clear();
  const auto relation = [&](std::string key, const JsonValue& value) {
    return ReadTexts(value,
                     out.relations.emplace_back(std::move(key), std::vector<std::string>()).second);
  };
  return ReadText(object, "owner", out.owner) && ReadText(object, "resource_tenant", out.tenant) &&
         ReadMembers(object, "relations", relation) &&
         ReadPairs(object, "attributes", out.attributes) &&
         ReadText(object, "subject", out.who.subject) &&
         ReadText(object, "tenant", out.who.tenant) && ReadTexts(object, "roles", out.who.roles) &&
         ReadTexts(object, "scopes", out.who.scopes) && ReadClaims(object, out.who);
}

}  // namespace

DecisionReader::DecisionReader(const LoadedPolicy& loaded) : loaded_(loaded) {
  for (const policy::Resource& resource : loaded.config.policy->resources) {
    for (const policy::Action& action : resource.actions) {
      std::vector<std::string> claims =
          policy::ClaimsOf({.resources = {{.type = resource.type, .actions = {action}}}});
      if (!claims.empty()) claims_[{resource.type, action.name}] = std::move(claims);
    }
  }
}

LineKind DecisionReader::Read(absl::string_view line, LoggedDecision& out) {
  const auto object = jose::ParseJsonObject(parser_, document_, line.data(), line.size());
  return object.ok() ? Sort(*object, out) : LineKind::kDamaged;
}

LineKind DecisionReader::Sort(const JsonObject& object, LoggedDecision& out) const {
  if (const auto lost = jose::FindMember(object, "lost"); lost.has_value()) {
    return lost->get(out.lost) == simdjson::SUCCESS && out.lost >= 0 ? LineKind::kLost
                                                                     : LineKind::kDamaged;
  }
  std::string method;
  std::string code;
  std::string verdict;
  if (!ReadText(object, "method", method) || !ReadText(object, "code", code) ||
      !ReadText(object, "verdict", verdict) || !ReadText(object, "time", out.time) ||
      !ReadText(object, "id", out.id) || !ReadText(object, "rule", out.rule)) {
    return LineKind::kDamaged;
  }
  out.asked.expect_allow = verdict == "allow";
  if ((verdict != "allow" && verdict != "deny") || out.asked.expect_allow != (code == "OK")) {
    return LineKind::kDamaged;
  }
  if (method != "Authorize" && method != "BatchAuthorize") return LineKind::kOtherMethod;
  if (code != "OK" && code != "INSUFFICIENT_PERMISSIONS") return LineKind::kToken;
  if (jose::FindMember(object, "invalid_utf8").has_value()) return LineKind::kText;
  if (!jose::FindMember(object, "owner").has_value()) return LineKind::kWithoutFacts;
  config::PolicyTest& asked = out.asked;
  if (!ReadText(object, "issuer", asked.who.issuer) ||
      !ReadText(object, "resource", asked.resource) || !ReadText(object, "action", asked.action) ||
      !ReadFacts(object, asked)) {
    return LineKind::kDamaged;
  }
  const absl::Status good =
      asked.With([](const policy::Question& question) { return policy::CheckQuestion(question); });
  if (!good.ok()) return LineKind::kDamaged;
  const std::vector<std::string>& issuers = loaded_.issuers;
  if (std::find(issuers.begin(), issuers.end(), asked.who.issuer) == issuers.end()) {
    return LineKind::kIssuer;
  }
  return KnowsItsClaims(asked) ? LineKind::kDecision : LineKind::kClaim;
}

// A claim that the token lacked stands in the line with an empty value.
bool DecisionReader::KnowsItsClaims(const config::PolicyTest& asked) const {
  const auto tested =
      claims_.find({asked.resource.substr(0, asked.resource.find('/')), asked.action});
  if (tested == claims_.end()) return true;
  const std::vector<std::string>& opaque = asked.who.opaque_claims;
  return std::all_of(tested->second.begin(), tested->second.end(), [&](const std::string& name) {
    if (std::find(opaque.begin(), opaque.end(), name) != opaque.end()) return true;
    return std::any_of(asked.who.claims.begin(), asked.who.claims.end(),
                       [&](const auto& claim) { return claim.first == name; });
  });
}

}  // namespace gatehouse::cli
