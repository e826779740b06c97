#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/jose/base64url.h"
#include "server/jose/jwks.h"
#include "server/jose/jws.h"
#include "server/jose/jwt_verifier.h"
#include "server/jose/openssl.h"
#include "tests/fuzz/property.h"

namespace gatehouse::fuzz {
namespace {

// A key of Better Auth's, and the identity of the one token that we have of it.
constexpr absl::string_view kJwks =
    R"({"keys":[{"alg":"EdDSA","crv":"Ed25519","x":"DBehZ5MJTr6soXvBG0s6iy7fY0yV_ztlH1RG6r-M0yE",)"
    R"("kty":"OKP","kid":"R66oFpW1efI59TXfr9MRRe6Z5YSI85iQ"}]})";
constexpr absl::string_view kIdentity = "ac_RZgKrBbu2JKCfNF6BMTAlysNt9aiFrYv_0lhH_CA";

const std::vector<std::shared_ptr<const jose::VerificationKey>>& Keys() {
  static const auto* const set = new jose::KeySet(jose::ParseJwks(kJwks)->keys);
  return set->keys();
}

jose::IssuerRules Rules() {
  jose::IssuerRules rules;
  rules.issuer = "http://localhost:3000";
  rules.audiences = {"http://localhost:3000"};
  rules.algorithms = {jose::Algorithm::kEdDsa};
  return rules;
}

void CheckSplit(absl::string_view token) {
  const auto jws = jose::SplitCompactJws(token);
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  const bool three =
      parts.size() == 3 && !parts[0].empty() && !parts[1].empty() && !parts[2].empty();
  Must(jws.ok() == three, "a compact JWS is three segments, none empty");
  if (!jws.ok()) return;
  Must(absl::StrCat(jws->header, ".", jws->payload, ".", jws->signature) == token,
       "the segments make the token");
  Must(absl::StrCat(jws->header, ".", jws->payload) == jws->signing_input,
       "the signing input is all but the signature");
}

void CheckHeader(absl::string_view segment) {
  const auto header = jose::ParseJwsHeader(segment);
  if (!header.ok()) {
    Must(!header.status().message().empty(), "a refusal has a reason");
    return;
  }
  const std::optional<std::string> json = jose::DecodeBase64Url(segment);
  Must(json.has_value(), "a header is base64url");
  Must(json->find("alg") != std::string::npos || json->find('\\') != std::string::npos,
       "a header names its algorithm");
}

void CheckToken(const std::string& token) {
  auto jwt = jose::UnverifiedJwt::Parse(token);
  if (!jwt.ok()) return;
  Must(token.size() <= jose::kMaxTokenBytes, "no token is too long");
  Must(
      token.find_first_not_of(
          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == std::string::npos,
      "a token has no byte outside its alphabet");
  Must(!jwt->issuer().empty(), "a token has an issuer");
  const std::string signing_input = token.substr(0, token.rfind('.'));
  Must(jwt->identity() == jose::Sha256(signing_input), "the identity is the signing input's");
  for (const std::string& changed : {" " + token, token + "\n", token + "=", token + ".AA"}) {
    Must(!jose::UnverifiedJwt::Parse(changed).ok(), "nothing may stand around a token");
  }
  const auto resigned = jose::UnverifiedJwt::Parse(signing_input + ".AAAA");
  Must(token.size() + 8 > jose::kMaxTokenBytes ||
           (resigned.ok() && resigned->identity() == jwt->identity()),
       "the signature does not change the identity");
  const auto identity = jwt->identity();
  const auto verified = jose::JwtVerifier::Verify(*std::move(jwt), Rules(), Keys());
  Must(!verified.ok() ||
           jose::EncodeBase64Url({reinterpret_cast<const char*>(identity.data()), 32}) == kIdentity,
       "only what was signed is verified");
}

// Text with line ends is three parts to be encoded, so that the fuzzer need not learn
// base64 to reach what lies behind it.
std::string TokenOf(absl::string_view text) {
  const size_t first = text.find('\n');
  const size_t second = first == absl::string_view::npos ? first : text.find('\n', first + 1);
  if (second == absl::string_view::npos) return std::string(text);
  return absl::StrCat(jose::EncodeBase64Url(text.substr(0, first)), ".",
                      jose::EncodeBase64Url(text.substr(first + 1, second - first - 1)), ".",
                      jose::EncodeBase64Url(text.substr(second + 1)));
}

}  // namespace
}  // namespace gatehouse::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string token = gatehouse::fuzz::TokenOf(gatehouse::fuzz::TextOf(data, size));
  gatehouse::fuzz::CheckSplit(token);
  gatehouse::fuzz::CheckHeader(token);
  gatehouse::fuzz::CheckHeader(token.substr(0, token.find('.')));
  gatehouse::fuzz::CheckToken(token);
  return 0;
}
