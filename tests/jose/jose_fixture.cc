#include "tests/jose/jose_fixture.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace gatehouse::jose {

const TokenMaker& Maker(Algorithm algorithm) {
  static const auto* const makers = [] {
    auto* made = new std::map<Algorithm, std::unique_ptr<TokenMaker>>;
    for (const Algorithm each : AllAlgorithms()) {
      // One RSA key is enough, and slow to make; its JWK says RS256 or PS384 as asked.
      (*made)[each] = KindOf(each) == KeyKind::kRsa && made->count(Algorithm::kRs256) > 0
                          ? std::make_unique<TokenMaker>(made->at(Algorithm::kRs256)->As(each))
                          : std::make_unique<TokenMaker>(each);
    }
    return made;
  }();
  return *makers->at(algorithm);
}

Key KeyOf(const TokenMaker& maker) {
  if (IsSymmetric(maker.algorithm())) {
    absl::StatusOr<Key> key = MakeHmacKey(Secret(maker.secret()), {maker.algorithm()});
    EXPECT_TRUE(key.ok()) << key.status();
    return key.ok() ? *key : nullptr;
  }
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(maker.Jwks());
  EXPECT_TRUE(set.ok()) << set.status();
  if (!set.ok()) return nullptr;
  for (const RefusedKey& refused : set->refused) ADD_FAILURE() << refused.reason;
  return set->keys.Find(maker.kid(), maker.algorithm());
}

Key UnboundKeyOf(const TokenMaker& maker) {
  if (IsSymmetric(maker.algorithm())) {
    const std::vector<Algorithm> all = {Algorithm::kHs256, Algorithm::kHs384, Algorithm::kHs512};
    return MakeHmacKey(Secret(maker.secret()), all).value_or(nullptr);
  }
  const std::string alg = absl::StrCat(R"("alg":")", NameOf(maker.algorithm()), "\",");
  const absl::StatusOr<ParsedKeySet> set =
      ParseJwks(absl::StrReplaceAll(maker.Jwks(), {{alg, ""}}));
  return set.ok() && set->keys.keys().size() == 1 ? set->keys.keys()[0] : nullptr;
}

IssuerRules Rules() {
  IssuerRules rules;
  rules.issuer = "https://issuer.example";
  rules.audiences = {"https://api.example", "https://other.example"};
  rules.algorithms = AllAlgorithms();
  rules.claims.tenant = "org";
  return rules;
}

ClaimsText::ClaimsText()
    : members_({{"iss", "\"https://issuer.example\""},
                {"sub", "\"user-1\""},
                {"aud", "\"https://api.example\""},
                {"iat", absl::StrCat(kIssuedAt)},
                {"exp", absl::StrCat(kExpiresAt)}}) {}

ClaimsText ClaimsText::With(absl::string_view name, absl::string_view json) const {
  ClaimsText changed = Without(name);
  changed.members_.emplace_back(name, json);
  return changed;
}

ClaimsText ClaimsText::Without(absl::string_view name) const {
  ClaimsText changed = *this;
  changed.members_.erase(
      std::remove_if(changed.members_.begin(), changed.members_.end(),
                     [&](const auto& member) { return absl::string_view(member.first) == name; }),
      changed.members_.end());
  return changed;
}

std::string ClaimsText::Json() const {
  return absl::StrCat("{",
                      absl::StrJoin(members_, ",",
                                    [](std::string* out, const auto& member) {
                                      absl::StrAppend(out, "\"", member.first,
                                                      "\":", member.second);
                                    }),
                      "}");
}

absl::StatusOr<VerifiedJwt> Verified(absl::string_view token, const IssuerRules& rules,
                                     const Key& key) {
  absl::StatusOr<UnverifiedJwt> jwt = UnverifiedJwt::Parse(token);
  if (!jwt.ok()) return jwt.status();
  return JwtVerifier::Verify(*std::move(jwt), rules, key);
}

absl::StatusOr<VerifiedJwt> VerifiedClaims(const std::string& claims_json,
                                           const IssuerRules& rules) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  static const Key* const key = new Key(KeyOf(maker));
  return Verified(maker.Sign(claims_json), rules, *key);
}

namespace {

std::string Refusal(const absl::StatusOr<VerifiedJwt>& good,
                    const absl::StatusOr<VerifiedJwt>& bad) {
  EXPECT_TRUE(good.ok()) << good.status();
  if (bad.ok()) return "";
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(bad.status().message());
}

}  // namespace

std::string RefusalOfClaims(const std::string& claims_json, const IssuerRules& rules) {
  return Refusal(VerifiedClaims(ClaimsText().Json()), VerifiedClaims(claims_json, rules));
}

std::string RefusalOfHeader(const std::string& header_json) {
  const TokenMaker& maker = Maker(Algorithm::kEdDsa);
  static const Key* const key = new Key(KeyOf(maker));
  const std::string claims = ClaimsText().Json();
  return Refusal(Verified(maker.Sign(claims), Rules(), *key),
                 Verified(maker.Sign(header_json, claims), Rules(), *key));
}

}  // namespace gatehouse::jose
