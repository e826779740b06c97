#include "server/engine/authorizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/engine/token_tags.h"
#include "server/engine/words.h"
#include "server/policy/deciding_rule.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using revocation::RevocationIndex;

constexpr absl::string_view kWrongSignature = "the signature is wrong";
// To the sweep of a cache: nothing has expired yet.
constexpr absl::Time kBeforeAll = absl::InfinitePast();

// Refused at `step`, for `reason`.
Examination Refused(const Steps& steps, absl::string_view step, Code code,
                    absl::string_view reason) {
  steps.Fail(step, reason);
  Examination out;
  out.code = code;
  out.reason = std::string(reason);
  return out;
}

// A key is missing in `searched`, null if there was no set. Only a set that was fetched
// after the call arrived proves that the issuer has no such key; an issuer that cannot be
// asked proves nothing.
Examination MissingKey(const TrustedIssuer& issuer, const jose::KeySet* searched, KeyNews news,
                       const Steps& steps) {
  Examination out;
  switch (news) {
    case KeyNews::kNone:
      steps.Fail("key", "not among the issuer's keys, which are to be fetched");
      out.kind = Examination::Kind::kNeedsKeys;
      out.wait_for = issuer.keys.get();
      return out;
    case KeyNews::kFetched:
      if (searched != nullptr) {
        return Refused(steps, "key", Code::kTokenInvalid,
                       "the issuer has no key of this kid and algorithm");
      }
      [[fallthrough]];
    case KeyNews::kFailed:
      out.kind = Examination::Kind::kUnavailable;
      out.reason = absl::StrCat("the keys of issuer ", issuer.rules.issuer, " cannot be had now");
      steps.Fail("key", out.reason);
      return out;
  }
  return out;
}

// None of the keys that were tried verifies the token, but one of the others may.
Examination TooManyKeys(const TrustedIssuer& issuer, const Steps& steps) {
  Examination out;
  out.kind = Examination::Kind::kUnavailable;
  out.reason = absl::StrCat("issuer ", issuer.rules.issuer,
                            " has more keys for such a token than are tried");
  steps.Fail("signature", out.reason);
  return out;
}

template <typename Bytes>
std::array<uint8_t, 4> Short(const Bytes& identity) {
  std::array<uint8_t, 4> out;
  std::copy_n(identity.begin(), out.size(), out.begin());
  return out;
}

}  // namespace

Authorizer::Authorizer(std::vector<TrustedIssuer> issuers, const revocation::RevocationIndex& index,
                       const Clock& clock, Options options)
    : issuers_(std::move(issuers)),
      index_(index),
      clock_(clock),
      options_(std::move(options)),
      cache_(options_.cache_bytes),
      expired_(options_.expired_bytes),
      refusals_(clock) {
  for (const TrustedIssuer& issuer : issuers_) by_name_.emplace(issuer.rules.issuer, &issuer);
  for (size_t i = 0; i < std::min(options_.audiences.size(), kMaxAudiences); ++i) {
    audience_bits_[options_.audiences[i]] |= AudienceMask{1} << i;
  }
}

const TrustedIssuer* Authorizer::FindIssuer(absl::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Examination Authorizer::Examine(absl::string_view token, const Ask& ask) {
  // Before anything is looked up, so that a reply never claims to have seen more
  // than it has.
  const int64_t revision = index_.revision();
  Examination out = Look(token, ask, revision, Steps(ask.trace));
  out.revision = revision;
  return out;
}

Examination Authorizer::Authorize(absl::string_view token, const policy::Policy& policy,
                                  const policy::Question& question, const Ask& ask) {
  Examination out = Examine(token, ask);
  if (out.kind != Examination::Kind::kDecided || out.code != Code::kOk) return out;
  out.code = policy.Decide(out.token->principal, question);
  if (out.code != Code::kOk && ask.trace != nullptr) {
    out.reason = std::string(policy.WhyDenied(out.token->principal, question));
  }
  if (ask.trace != nullptr) {
    for (policy::RuleVerdict& rule : policy.Explain(out.token->principal, question)) {
      ask.trace->push_back({"rule", rule.is_good(),
                            rule.lacking.empty() ? std::move(rule.rule)
                                                 : absl::StrCat(rule.rule, ": ", rule.lacking)});
    }
    const bool passed = out.code == Code::kOk;
    const std::string why = passed ? "a rule allows it" : out.reason;
    const std::string rule = policy::DecidingRule(policy, out.token->principal, question, out.code);
    ask.trace->push_back({"policy", passed, rule == why ? why : absl::StrCat(why, ": ", rule)});
  }
  return out;
}

Examination Authorizer::Look(absl::string_view token, const Ask& ask, int64_t revision,
                             const Steps& steps) {
  if (token.empty()) return Refused(steps, "form", Code::kTokenMissing, "no token was sent");
  if (token.size() > jose::kMaxTokenBytes) {
    return Refused(steps, "form", Code::kTokenInvalid, "the token is longer than 8 KiB");
  }
  const Moment moment{revision, clock_.Now()};
  const TokenKey key(token);
  if (!steps.told()) {
    cache_.Tick(moment.now);
    if (std::optional<Examination> known = Recall(key, ask, moment)) return *std::move(known);
  }
  if (ask.effort == Effort::kKnownOnly) {
    Examination out;
    out.kind = Examination::Kind::kUnknown;
    return out;
  }
  return Verify(key, ask, moment, steps);
}

std::optional<Examination> Authorizer::Recall(const TokenKey& key, const Ask& ask,
                                              const Moment& moment) {
  for (TokenCache* const cache : {&cache_, &expired_}) {
    auto known = cache->Find(key);
    if (known == nullptr) continue;
    if (known->key->retired()) {
      cache->Erase(key, *known);
      continue;
    }
    Examination out = Weigh(known, ask, moment, Steps(nullptr));
    out.cache_hit = true;
    const bool moves = out.code == (cache == &cache_ ? Code::kTokenExpired : Code::kOk);
    if (moves) {
      cache->Erase(key, *known);
      Remember(key, std::move(known), moment.now);
    }
    return out;
  }
  if (const auto refusal = refusals_.Find(key); refusal.has_value()) {
    Examination out = Refused(Steps(nullptr), "signature", Code::kTokenInvalid, kWrongSignature);
    out.identity = refusal->identity;
    out.issuer = refusal->issuer;
    out.cache_hit = true;
    return out;
  }
  return std::nullopt;
}

Examination Authorizer::Verify(const TokenKey& key, const Ask& ask, const Moment& moment,
                               const Steps& steps) {
  const absl::string_view token = key.text;
  if (absl::StartsWithIgnoreCase(token, "Bearer ")) {
    return Refused(steps, "form", Code::kTokenInvalid,
                   "begins with \"Bearer \": send the token alone");
  }
  auto parsed = jose::UnverifiedJwt::Parse(token);
  if (!parsed.ok()) {
    return Refused(steps, "form", Code::kTokenInvalid, parsed.status().message());
  }
  steps.Pass("form", "a signed token, alg ", jose::NameOf(parsed->algorithm()));
  const std::array<uint8_t, 4> identity = Short(parsed->identity());
  const TrustedIssuer* issuer = FindIssuer(parsed->issuer());
  Examination out;
  if (issuer == nullptr) {
    out = Refused(steps, "issuer", Code::kTokenInvalid, "the issuer is not a trusted one");
  } else {
    steps.Pass("issuer", issuer->rules.issuer);
    out = VerifyParsed(key, *std::move(parsed), *issuer, ask, moment, steps);
  }
  out.identity = identity;
  out.issuer = issuer;
  return out;
}

Examination Authorizer::VerifyParsed(const TokenKey& key, jose::UnverifiedJwt parsed,
                                     const TrustedIssuer& issuer, const Ask& ask,
                                     const Moment& moment, const Steps& steps) {
  const jose::IssuerRules& rules = issuer.rules;
  const jose::Algorithm algorithm = parsed.algorithm();
  if (std::find(rules.algorithms.begin(), rules.algorithms.end(), algorithm) ==
      rules.algorithms.end()) {
    return Refused(steps, "key", Code::kTokenInvalid, "the algorithm is not on the issuer's list");
  }
  const std::shared_ptr<const jose::KeySet> keys = issuer.keys->Current();
  if (keys == nullptr) return MissingKey(issuer, nullptr, ask.news, steps);
  Candidates candidates;
  bool more = false;
  // A secret has no kid of its own, and is the only key there is.
  if (!parsed.kid().has_value() || jose::IsSymmetric(algorithm)) {
    candidates = keys->Candidates(algorithm, &more);
  } else {
    candidates = keys->Candidates(*parsed.kid(), algorithm, &more);
  }
  if (candidates.empty()) return MissingKey(issuer, keys.get(), ask.news, steps);
  if (steps.told()) steps.Pass("key", KeyWords(candidates, algorithm));

  const std::array<uint8_t, 4> identity = Short(parsed.identity());
  const bool names_no_key = !parsed.kid().has_value() && !jose::IsSymmetric(algorithm);
  jose::VerifyStep step{};
  const auto verified = jose::JwtVerifier::Verify(std::move(parsed), rules, candidates, &step);
  if (!verified.ok()) {
    // The issuer may have a new key that this token was signed with: without a kid
    // that shows in no other way.
    if (names_no_key && step == jose::VerifyStep::kSignature && ask.news != KeyNews::kFetched) {
      return MissingKey(issuer, keys.get(), ask.news, steps);
    }
    // The keys may have lapsed meanwhile, which says nothing about the token.
    if (issuer.keys->Current() == nullptr) return MissingKey(issuer, nullptr, ask.news, steps);
    if (more && step == jose::VerifyStep::kSignature) return TooManyKeys(issuer, steps);
    TellFault(key.text, candidates, algorithm, verified.status(), step, steps);
    const bool in_force = std::none_of(candidates.begin(), candidates.end(),
                                       [](const auto& one) { return one->retired(); });
    if (!steps.told() && in_force && !names_no_key && step == jose::VerifyStep::kSignature) {
      refusals_.Insert(key, {&issuer, identity}, keys);
      issuer.keys->Suspect();
    }
    Examination out;
    out.reason = std::string(verified.status().message());
    return out;
  }
  if (steps.told()) {
    steps.Pass("signature", "right, by ", NameOf(*verified->key(), candidates));
    steps.Pass("claims", "all that the issuer's rules ask for", NotBelievedWords(*verified));
  }
  std::shared_ptr<const KnownToken> known = Know(key.text, *verified, issuer);
  if (!steps.told()) Remember(key, known, moment.now);
  return Weigh(std::move(known), ask, moment, steps);
}

void Authorizer::Remember(const TokenKey& key, std::shared_ptr<const KnownToken> known,
                          absl::Time now) {
  switch (jose::JwtVerifier::CheckTime(known->times(), known->rules(), now)) {
    case jose::TimeVerdict::kInTime:
      return cache_.Insert(key, std::move(known), now);
    case jose::TimeVerdict::kExpired:
      return expired_.Insert(key, std::move(known), kBeforeAll);
    case jose::TimeVerdict::kNotYetValid:
      return;
  }
}

AudienceMask Authorizer::MaskOf(const std::vector<std::string>& audiences) const {
  AudienceMask mask = 0;
  if (audience_bits_.empty()) return mask;
  for (const std::string& audience : audiences) {
    const auto bit = audience_bits_.find(audience);
    if (bit != audience_bits_.end() && !audience.empty()) mask |= bit->second;
  }
  return mask;
}

std::shared_ptr<const KnownToken> Authorizer::Know(absl::string_view token,
                                                   const jose::VerifiedJwt& jwt,
                                                   const TrustedIssuer& issuer) const {
  policy::Principal principal = policy::PrincipalOf(jwt);
  const std::string rendered = options_.render(principal);
  return MakeKnownToken(token, jwt, issuer, MaskOf(jwt.claims().audiences), std::move(principal),
                        rendered);
}

// As long as nothing was revoked since the last look, there is no need for another: half
// a dozen places in a large table, each likely far away.
bool Authorizer::IsRevoked(const KnownToken& known, const Moment& moment) const {
  if (known.not_revoked_at.load(std::memory_order_relaxed) == moment.revision) return false;
  if (index_.IsRevoked(known.tags, moment.now)) return true;
  // A suspension that is over by the clock is in force again when that is set back.
  if (index_.SuspendedUntil(known.tags) == absl::InfinitePast()) {
    known.not_revoked_at.store(moment.revision, std::memory_order_relaxed);
  }
  return false;
}

void Authorizer::NoteRefused(const KnownToken& known, const Moment& moment) const {
  const auto tag = SessionTagOf(known.principal, known.tags);
  if (tag.has_value() &&
      index_.IsRevoked({.tags = {*tag}, .issued_at = known.tags.issued_at}, moment.now)) {
    index_.SawRefusedSession(*tag);
  }
}

Examination Authorizer::Weigh(std::shared_ptr<const KnownToken> known, const Ask& ask,
                              const Moment& moment, const Steps& steps) const {
  Examination out;
  out.identity = Short(known->identity);
  out.issuer = known->issuer;
  out.now = moment.now;
  // Before time and revocation: a token for somebody else is invalid, whatever else
  // is wrong with it.
  if (ask.audiences != 0 && (ask.audiences & known->audiences) == 0) {
    out.reason = "claim aud holds none of the caller's audiences";
    steps.Fail("audience", out.reason);
    return out;
  }
  if (ask.route_audiences != 0 && (ask.route_audiences & known->audiences) == 0) {
    out.reason = "claim aud holds none of the route's audiences";
    steps.Fail("audience", out.reason);
    return out;
  }
  steps.Pass("audience", "one of the issuer's",
             ask.audiences != 0 ? " and one of the caller's" : "");
  const jose::TimeVerdict verdict =
      jose::JwtVerifier::CheckTime(known->times(), known->rules(), moment.now);
  const bool is_revoked = IsRevoked(*known, moment);
  // After the index was asked: what covers a token leaves it only when that is told here.
  // So a token that it no longer knows of stays refused, should the clock be set back.
  const bool is_past =
      known->principal.expire_time + RevocationIndex::kMargin < index_.cleaned_until();
  if (verdict == jose::TimeVerdict::kNotYetValid) {
    if (steps.told()) steps.Fail("time", TimeWords(*known, moment.now));
    out.reason = "nbf, iat or (without iat) exp lies too far in the future";
    out.token = std::move(known);
    return out;
  }
  if (verdict == jose::TimeVerdict::kExpired || is_past) {
    out.reason = verdict == jose::TimeVerdict::kExpired
                     ? "exp has passed"
                     : "exp has passed by the clock that revocations were last cleaned up by";
    if (steps.told()) {
      steps.Fail("time", verdict == jose::TimeVerdict::kExpired ? TimeWords(*known, moment.now)
                                                                : out.reason);
    }
    out.code = Code::kTokenExpired;
  } else if (is_revoked) {
    NoteRefused(*known, moment);
    if (steps.told()) {
      steps.Pass("time", TimeWords(*known, moment.now));
      steps.Fail("revocation", RevocationWords(*known, index_, moment.now));
    }
    out.code = Code::kTokenRevoked;
    out.reason = "a revocation is in force";
    const absl::Time suspended = index_.SuspendedUntil(known->tags);
    if (suspended > moment.now) out.until = suspended;
  } else {
    if (steps.told()) {
      steps.Pass("time", TimeWords(*known, moment.now));
      steps.Pass("revocation", "none in force");
    }
    // One without an iat is as good a witness as its exp.
    const std::optional<absl::Time>& iat = known->principal.issue_time;
    if (!iat || *iat >= moment.now - RevocationIndex::kFresh) index_.SawGoodToken();
    out.code = Code::kOk;
  }
  out.token = std::move(known);
  return out;
}

}  // namespace gatehouse::engine
