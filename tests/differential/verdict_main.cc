// What Gatehouse says of each token, for the comparison with other implementations.
// Reads JSON lines: first the rules {"issuer", "audience", "skew"}, then the cases
// {"token", "keys": {"jwks"} or {"secret"}, "algorithms", "now"}. Answers each case with a
// line {"accepted", "reason", "unknown"}; `unknown`: the algorithms it does not know.

#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/jose/base64url.h"
#include "server/jose/json.h"
#include "server/jose/jwks.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse {
namespace {

using Keys = std::vector<std::shared_ptr<const jose::VerificationKey>>;

std::string Text(const simdjson::dom::element& value, const char* name) {
  return std::string(std::string_view(value[name]));
}

std::string Quoted(absl::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

absl::StatusOr<jose::KeySet> KeysOf(const simdjson::dom::element& keys,
                                    const std::vector<jose::Algorithm>& algorithms) {
  std::string_view jwks;
  if (keys["jwks"].get(jwks) == simdjson::SUCCESS) {
    GH_ASSIGN_OR_RETURN(const jose::ParsedKeySet parsed,
                        jose::ParseJwks({jwks.data(), jwks.size()}));
    return parsed.keys;
  }
  std::optional<std::string> secret = jose::DecodeBase64Url(Text(keys, "secret"));
  if (!secret.has_value()) return absl::InvalidArgumentError("the secret is no base64url");
  GH_ASSIGN_OR_RETURN(auto key, jose::MakeHmacKey(Secret(*std::move(secret)), algorithms));
  return jose::KeySet({std::move(key)});
}

// As the engine chooses them.
Keys Candidates(const jose::KeySet& keys, const jose::UnverifiedJwt& jwt) {
  if (!jwt.kid().has_value() || jose::IsSymmetric(jwt.algorithm())) {
    return keys.Candidates(jwt.algorithm());
  }
  return keys.Candidates(*jwt.kid(), jwt.algorithm());
}

absl::Status Judge(const simdjson::dom::element& test, const jose::IssuerRules& rules) {
  GH_ASSIGN_OR_RETURN(jose::UnverifiedJwt jwt, jose::UnverifiedJwt::Parse(Text(test, "token")));
  if (jwt.issuer() != rules.issuer) return absl::InvalidArgumentError("not a trusted issuer");
  GH_ASSIGN_OR_RETURN(const jose::KeySet keys, KeysOf(test["keys"], rules.algorithms));
  const Keys candidates = Candidates(keys, jwt);
  GH_ASSIGN_OR_RETURN(const jose::VerifiedJwt verified,
                      jose::JwtVerifier::Verify(std::move(jwt), rules, candidates));
  const absl::Time now = absl::FromUnixSeconds(int64_t(test["now"]));
  switch (jose::JwtVerifier::CheckTime(verified.claims(), rules, now)) {
    case jose::TimeVerdict::kInTime:
      return absl::OkStatus();
    case jose::TimeVerdict::kExpired:
      return absl::InvalidArgumentError("expired");
    case jose::TimeVerdict::kNotYetValid:
      return absl::InvalidArgumentError("not yet valid");
  }
  return absl::InternalError("no verdict");
}

std::string Answer(const simdjson::dom::element& test, jose::IssuerRules rules) {
  std::string unknown;
  for (const simdjson::dom::element listed : test["algorithms"]) {
    const std::string name{std::string_view(listed)};
    if (const auto algorithm = jose::AlgorithmFromName(name); algorithm.has_value()) {
      rules.algorithms.push_back(*algorithm);
    } else {
      absl::StrAppend(&unknown, unknown.empty() ? "" : ",", Quoted(name));
    }
  }
  const absl::Status verdict = Judge(test, rules);
  return absl::StrCat(R"({"accepted":)", verdict.ok() ? "true" : "false", R"(,"reason":)",
                      Quoted(verdict.message()), R"(,"unknown":[)", unknown, "]}");
}

int Run() {
  simdjson::dom::parser parser;
  jose::IssuerRules rules;
  std::string line;
  if (!std::getline(std::cin, line)) return 2;
  const simdjson::dom::element first = parser.parse(line);
  rules.issuer = Text(first, "issuer");
  rules.audiences = {Text(first, "audience")};
  rules.skew = absl::Seconds(int64_t(first["skew"]));
  while (std::getline(std::cin, line)) std::cout << Answer(parser.parse(line), rules) << "\n";
  return 0;
}

}  // namespace
}  // namespace gatehouse

int main() {
  try {
    return gatehouse::Run();
  } catch (const simdjson::simdjson_error& error) {
    std::cerr << "gatehouse-verdict: a line is not what the test writes: " << error.what() << "\n";
    return 2;
  }
}
