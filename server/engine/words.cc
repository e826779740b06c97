#include "server/engine/words.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/engine/token_tags.h"
#include "server/jose/base64url.h"
#include "server/jose/jws.h"

namespace gatehouse::engine {
namespace {

constexpr size_t kMaxKidBytes = 64;

bool IsSignedByAny(absl::string_view token, const Candidates& candidates,
                   jose::Algorithm algorithm) {
  const auto jws = jose::SplitCompactJws(token);
  if (!jws.ok()) return false;
  const jose::SigningInput input(jws->signing_input);
  const auto signature = jose::DecodeBase64Url(jws->signature);
  return signature.has_value() &&
         std::any_of(candidates.begin(), candidates.end(), [&](const auto& key) {
           return !key->retired() && key->Verify(algorithm, input, *signature);
         });
}

std::string Seconds(absl::Duration duration) {
  return absl::StrCat(absl::ToInt64Seconds(duration), " s");
}

std::string AheadWords(const KnownToken& known, absl::Time now) {
  const jose::TokenTimes times = known.times();
  const absl::Duration skew = known.rules().skew;
  if (*times.not_before > now + skew) {
    return absl::StrCat("nbf lies ", Seconds(*times.not_before - now), " ahead, skew ",
                        Seconds(skew));
  }
  if (times.issue_time.has_value()) {
    return absl::StrCat("iat lies ", Seconds(*times.issue_time - now), " ahead, skew ",
                        Seconds(skew));
  }
  return absl::StrCat("without iat, exp lies ", Seconds(times.expire_time - now),
                      " ahead, further than max_token_lifetime and the skew");
}

}  // namespace

std::string NameOf(const jose::VerificationKey& key, const Candidates& candidates) {
  if (key.kid().has_value()) {
    return absl::StrCat("key \"", log::Escape(*key.kid(), kMaxKidBytes), "\"");
  }
  if (key.kind() != jose::KeyKind::kHmac) return "a key without kid";
  if (candidates.size() < 2) return "the issuer's secret";
  // In the set's order.
  return candidates[0].get() == &key ? "the current secret" : "the previous secret";
}

std::string KeyWords(const Candidates& candidates, jose::Algorithm algorithm) {
  return absl::StrCat(jose::NameOf(algorithm), ": ",
                      absl::StrJoin(candidates, ", ", [&](std::string* out, const auto& key) {
                        absl::StrAppend(out, NameOf(*key, candidates));
                      }));
}

void TellFault(absl::string_view token, const Candidates& candidates, jose::Algorithm algorithm,
               const absl::Status& status, jose::VerifyStep step, const Steps& steps) {
  using jose::VerifyStep;
  if (!steps.told()) return;
  if (step == VerifyStep::kSignature || step == VerifyStep::kKey) {
    return steps.Fail(step == VerifyStep::kKey ? "key" : "signature", status.message());
  }
  if (!IsSignedByAny(token, candidates, algorithm)) {
    return steps.Fail("signature", "the signature is wrong");
  }
  steps.Pass("signature", "right");
  steps.Fail(step == VerifyStep::kAudience ? "audience" : "claims", status.message());
}

std::string NotBelievedWords(const jose::VerifiedJwt& jwt) {
  const size_t count = jwt.claims().not_believed;
  return count == 0 ? ""
                    : absl::StrCat(", without ", count, " roles or scopes that it may not assert");
}

std::string TimeWords(const KnownToken& known, absl::Time now) {
  const absl::Duration skew = known.rules().skew;
  const absl::Time expiry = known.principal.expire_time;
  switch (jose::JwtVerifier::CheckTime(known.times(), known.rules(), now)) {
    case jose::TimeVerdict::kInTime:
      if (now < expiry) return absl::StrCat("expires in ", Seconds(expiry - now));
      [[fallthrough]];
    case jose::TimeVerdict::kExpired:
      return absl::StrCat("expired ", Seconds(now - expiry), " ago, skew ", Seconds(skew));
    case jose::TimeVerdict::kNotYetValid:
      return AheadWords(known, now);
  }
  return "";
}

std::string RevocationWords(const KnownToken& known, const revocation::RevocationIndex& index,
                            absl::Time now) {
  std::vector<absl::string_view> kinds;
  for (size_t i = 0; i < known.tags.tags.size(); ++i) {
    const revocation::TokenTags one{.tags = {known.tags.tags[i]},
                                    .issued_at = known.tags.issued_at};
    if (index.IsRevoked(one, now)) kinds.push_back(KindOfTag(known.principal, i));
  }
  return absl::StrCat("revoked: ", absl::StrJoin(kinds, ", "));
}

}  // namespace gatehouse::engine
