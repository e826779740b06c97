#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/text.h"
#include "server/jose/base64url.h"
#include "server/jose/claims.h"
#include "server/jose/json.h"
#include "server/jose/jwt_verifier.h"
#include "tests/fuzz/property.h"

namespace gatehouse::fuzz {
namespace {

constexpr absl::string_view kHeader = "eyJhbGciOiJFZERTQSJ9";  // {"alg":"EdDSA"}

void CheckId(absl::string_view id) {
  Must(!HasControlCharacter(id), "no id holds a control character");
  Must(id.size() <= jose::kMaxIdBytes, "no id is too long to be revoked");
}

void CheckTime(absl::Time time) {
  Must(time >= absl::UnixEpoch() && time <= absl::FromUnixSeconds(int64_t{1} << 53),
       "no time is negative, infinite or beyond 2^53");
}

void CheckRegistered(const jose::Claims& claims) {
  Must(!claims.issuer.empty() && !claims.subject.empty(), "iss and sub are not empty");
  Must(!claims.audiences.empty(), "aud is not empty");
  CheckId(claims.subject);
  CheckId(claims.token_id);
  CheckTime(claims.expire_time);
  if (claims.issue_time.has_value()) CheckTime(*claims.issue_time);
  if (claims.not_before.has_value()) CheckTime(*claims.not_before);
}

void CheckNamed(const jose::JsonObject& object, const jose::ClaimNames& names,
                jose::Claims claims) {
  if (!jose::ReadNamedClaims(object, names, claims).ok()) return;
  CheckId(claims.session_id);
  CheckId(claims.tenant);
  CheckId(claims.client_id);
  for (const std::vector<std::string>* list : {&claims.roles, &claims.scopes}) {
    for (const std::string& name : *list) {
      Must(!HasControlCharacter(name), "no role or scope holds a control character");
    }
  }
}

std::vector<jose::ClaimNames> SomeNames() {
  jose::ClaimNames better_auth;
  better_auth.roles = "role";
  better_auth.tenant = "org";
  jose::ClaimNames keycloak;
  keycloak.roles = "/realm_access/roles";
  keycloak.tenant = "/a~1b/0/~0c";
  keycloak.session = "/session/state";
  keycloak.client = "azp";
  return {jose::ClaimNames(), better_auth, keycloak};
}

// Whether the text is a claims set, read directly.
bool ReadDirectly(absl::string_view text) {
  std::string padded(text.data(), text.size());
  padded.resize(text.size() + jose::kJsonPadding);
  jose::JsonParser parser;
  jose::JsonDocument document;
  const auto object = jose::ParseJsonObject(parser, document, padded.data(), text.size());
  if (!object.ok()) return false;
  jose::Claims claims;
  if (!jose::ReadRegisteredClaims(*object, claims).ok()) return false;
  CheckRegistered(claims);
  static const auto* const names = new std::vector<jose::ClaimNames>(SomeNames());
  for (const jose::ClaimNames& some : *names) CheckNamed(*object, some, claims);
  return true;
}

}  // namespace
}  // namespace gatehouse::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gatehouse::fuzz::Must;
  namespace jose = gatehouse::jose;
  const absl::string_view text = gatehouse::fuzz::TextOf(data, size);
  const bool direct = gatehouse::fuzz::ReadDirectly(text);
  const std::string token =
      absl::StrCat(gatehouse::fuzz::kHeader, ".", jose::EncodeBase64Url(text), ".AA");
  const auto parsed = jose::UnverifiedJwt::Parse(token);
  Must(parsed.ok() == (direct && token.size() <= jose::kMaxTokenBytes),
       "a token says of its claims what the claims say");
  return 0;
}
