#include "server/frontend/decision_line.h"

#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/json_writer.h"
#include "server/frontend/reply.h"
#include "server/policy/deciding_rule.h"

namespace gatehouse::frontend {
namespace {

using policy::Code;

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

template <typename Names>
void WriteNames(JsonWriter& json, absl::string_view key, const Names& names) {
  json.Key(key);
  json.BeginArray();
  for (const absl::string_view name : names) json.String(name);
  json.EndArray();
}

// The first four bytes of what a token is known by are no secret, and name it.
void WriteToken(JsonWriter& json, const engine::Examination& examined) {
  const auto hex = [](const uint8_t* bytes) {
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes), 4));
  };
  if (examined.token != nullptr) {
    json.Member("issuer", examined.token->principal.issuer);
    json.Member("subject", examined.token->principal.subject);
    json.Member("token", hex(examined.token->identity.data()));
    return;
  }
  if (examined.issuer != nullptr) json.Member("issuer", examined.issuer->rules.issuer);
  if (examined.identity.has_value()) json.Member("token", hex(examined.identity->data()));
}

std::string RuleOf(const DecidedCall& call, const Decided& decided) {
  if (call.examined.code != Code::kOk && call.examined.code != Code::kInsufficientPermissions) {
    return call.examined.reason;
  }
  if (decided.question == nullptr) return std::string(decided.outcome);
  return policy::DecidingRule(call.policy, call.examined.token->principal, *decided.question,
                              decided.code);
}

void WriteResourceFacts(JsonWriter& json, const policy::Question& question) {
  json.Member("owner", question.owner);
  json.Member("resource_tenant", question.tenant);
  json.Key("relations");
  json.BeginObject();
  for (const policy::Relation& relation : question.relations) {
    WriteNames(json, relation.name, relation.subjects);
  }
  json.EndObject();
  json.Key("attributes");
  json.BeginObject();
  for (const auto& [name, value] : question.attributes) json.Member(name, value);
  json.EndObject();
}

// Of the claims every one that a policy tests, so that a reader knows which of them the
// token lacked, and which nobody looked for. One that cannot be compared is an empty object.
void WritePrincipalFacts(JsonWriter& json, const engine::KnownToken& token) {
  const policy::Principal& principal = token.principal;
  json.BeginObject();
  json.Member("tenant", principal.tenant);
  WriteNames(json, "roles", principal.roles);
  WriteNames(json, "scopes", principal.scopes);
  json.Key("claims");
  json.BeginObject();
  for (const jose::ClaimPath& path : token.rules().more_claims) {
    if (principal.IsOpaque(path.text())) {
      json.Key(path.text());
      json.BeginObject();
      json.EndObject();
    } else {
      json.Member(path.text(), principal.Claim(path.text()));
    }
  }
  json.EndObject();
  json.EndObject();
}

// Its members, at the end of an object.
bool AppendPrincipalFacts(const DecidedCall& call, std::string& line) {
  if (call.principal_json.empty()) {
    JsonWriter json(call.principal_json);
    WritePrincipalFacts(json, *call.examined.token);
    call.principal_is_lossless = json.lossless();
  }
  absl::string_view members = call.principal_json;
  members.remove_prefix(1);
  members.remove_suffix(1);
  absl::StrAppend(&line, ",", members);
  return call.principal_is_lossless;
}

}  // namespace

std::string DecisionLine(const DecidedCall& call, const Decided& decided, absl::Time now,
                         int64_t micros, bool with_facts) {
  std::string line;
  JsonWriter json(line);
  json.BeginObject();
  json.Member("time", TimeText(now));
  json.Member("id", decided.id);
  json.Member("method", call.method);
  json.Member("caller", call.caller);
  WriteToken(json, call.examined);
  if (decided.question != nullptr) {
    json.Member("resource", decided.question->resource);
    json.Member("action", decided.question->action);
  } else if (!decided.resource_type.empty()) {
    json.Member("resource", decided.resource_type);
    json.Member("action", decided.action);
  }
  json.Member("verdict", decided.code == Code::kOk ? "allow" : "deny");
  json.Member("code", RowOf(decided.code).name);
  json.Member("rule", RuleOf(call, decided));
  json.Key("micros");
  json.Int(micros);
  json.Key("cache_hit");
  json.Bool(call.examined.cache_hit);
  bool lossless = true;
  if (with_facts) {
    if (decided.question != nullptr) WriteResourceFacts(json, *decided.question);
    if (call.examined.token != nullptr) lossless = AppendPrincipalFacts(call, line);
  }
  if (!json.lossless() || !lossless) {
    json.Key("invalid_utf8");
    json.Bool(true);
  }
  json.EndObject();
  line += '\n';
  return line;
}

std::string LossLine(const std::array<int64_t, kLostDecisionNames.size()>& lost, absl::Time now) {
  std::string line;
  JsonWriter json(line);
  json.BeginObject();
  json.Member("time", TimeText(now));
  json.Key("lost");
  json.Int(std::accumulate(lost.begin(), lost.end(), int64_t{0}));
  for (size_t i = 0; i < lost.size(); ++i) {
    if (lost[i] == 0) continue;
    json.Key(kLostDecisionNames[i]);
    json.Int(lost[i]);
  }
  json.EndObject();
  line += '\n';
  return line;
}

}  // namespace gatehouse::frontend
