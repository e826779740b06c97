#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/jose/jwks.h"
#include "server/jose/jwt_verifier.h"
#include "tests/support/token_maker.h"

namespace gatehouse::jose {

// One key for each algorithm, made once. Those of RS* and PS* are the same.
const TokenMaker& Maker(Algorithm algorithm);
inline const std::vector<Algorithm>& AllAlgorithms() {
  static const auto* const all =
      new std::vector<Algorithm>(Algorithms().begin(), Algorithms().end());
  return *all;
}

using Key = std::shared_ptr<const VerificationKey>;

// What the production code makes of the maker's key.
Key KeyOf(const TokenMaker& maker);

// The same of a JWK without `alg`, or a secret for all of HS*.
Key UnboundKeyOf(const TokenMaker& maker);

inline constexpr int64_t kIssuedAt = 1795216315;
inline constexpr int64_t kExpiresAt = 1795217215;
// Accepts DefaultClaims() under any of our algorithms.
IssuerRules Rules();

// Claims as JSON texts by name, in order.
class ClaimsText {
 public:
  ClaimsText();
  ClaimsText With(absl::string_view name, absl::string_view json) const;
  ClaimsText Without(absl::string_view name) const;
  std::string Json() const;

 private:
  std::vector<std::pair<std::string, std::string>> members_;
};

// Parse, then Verify.
absl::StatusOr<VerifiedJwt> Verified(absl::string_view token, const IssuerRules& rules,
                                     const Key& key);

// A token by Maker(kEdDsa) over these claims.
absl::StatusOr<VerifiedJwt> VerifiedClaims(const std::string& claims_json,
                                           const IssuerRules& rules = Rules());
// Why a token by Maker(kEdDsa) over this text is refused; empty if it is not. Both
// make sure first that the token which the text was made from is accepted.
std::string RefusalOfClaims(const std::string& claims_json, const IssuerRules& rules = Rules());
std::string RefusalOfHeader(const std::string& header_json);

}  // namespace gatehouse::jose
