#include "server/frontend/introspection.h"

#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "server/base/json_writer.h"
#include "server/policy/principal.h"

namespace gatehouse::frontend {
namespace {

void WriteText(JsonWriter& json, absl::string_view name, absl::string_view text) {
  if (!text.empty()) json.Member(name, text);
}

void WriteTime(JsonWriter& json, absl::string_view name, absl::Time time) {
  json.Key(name);
  json.Int(absl::ToUnixSeconds(time));
}

}  // namespace

std::string IntrospectionOf(const engine::KnownToken* token) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("active");
  json.Bool(token != nullptr);
  if (token != nullptr) {
    const policy::Principal& principal = token->principal;
    json.Member("token_type", "Bearer");
    json.Member("iss", principal.issuer);
    json.Member("sub", principal.subject);
    WriteTime(json, "exp", principal.expire_time);
    if (principal.issue_time.has_value()) WriteTime(json, "iat", *principal.issue_time);
    if (token->not_before != absl::InfinitePast()) WriteTime(json, "nbf", token->not_before);
    WriteText(json, "jti", principal.token_id);
    WriteText(json, "client_id", principal.client_id);
    WriteText(json, "scope", absl::StrJoin(principal.scopes, " "));
    if (!principal.roles.empty()) {
      json.Key("roles");
      json.BeginArray();
      for (const absl::string_view role : principal.roles) json.String(role);
      json.EndArray();
    }
    WriteText(json, "tenant", principal.tenant);
    WriteText(json, "sid", principal.session_id);
  }
  json.EndObject();
  return out;
}

}  // namespace gatehouse::frontend
