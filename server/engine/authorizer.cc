#include "server/engine/authorizer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::engine {
namespace {

using policy::Code;

Examination Refused(Code code, absl::string_view reason) {
  Examination out;
  out.code = code;
  out.reason = std::string(reason);
  return out;
}

// A key is missing. Only a set that was fetched after the call arrived proves that
// the issuer has no such key; an issuer that cannot be asked proves nothing.
Examination MissingKey(const TrustedIssuer& issuer, KeyNews news) {
  Examination out;
  switch (news) {
    case KeyNews::kNone:
      out.kind = Examination::Kind::kNeedsKeys;
      out.wait_for = issuer.keys.get();
      return out;
    case KeyNews::kFetched:
      if (issuer.keys->Current() != nullptr) {
        return Refused(Code::kTokenInvalid, "the issuer has no key of this kid and algorithm");
      }
      [[fallthrough]];
    case KeyNews::kFailed:
      out.kind = Examination::Kind::kUnavailable;
      out.reason = absl::StrCat("the keys of issuer ", issuer.rules.issuer, " cannot be had now");
      return out;
  }
  return out;
}

revocation::TokenTags TagsOf(const jose::VerifiedJwt& jwt) {
  using revocation::MakeTag;
  using revocation::TagKind;
  const jose::Claims& claims = jwt.claims();
  revocation::TokenTags out;
  out.tags.push_back(revocation::TokenTag(jwt.identity()));
  const auto add = [&](TagKind kind, absl::string_view value) {
    if (!value.empty()) out.tags.push_back(MakeTag(kind, claims.issuer, value));
  };
  add(TagKind::kTokenId, claims.token_id);
  add(TagKind::kSession, claims.session_id);
  add(TagKind::kSubject, claims.subject);
  add(TagKind::kTenant, claims.tenant);
  add(TagKind::kClient, claims.client_id);
  add(TagKind::kKey, jwt.key()->name());
  if (claims.issue_time.has_value()) {
    out.issued_at = absl::ToUnixSeconds(*claims.issue_time);  // rounds down
  }
  return out;
}

}  // namespace

Authorizer::Authorizer(std::vector<TrustedIssuer> issuers, policy::Policy policy,
                       const revocation::RevocationIndex& index, const Clock& clock,
                       Options options)
    : issuers_(std::move(issuers)),
      policy_(policy),
      index_(index),
      clock_(clock),
      options_(std::move(options)),
      cache_(options_.cache_bytes) {
  for (const TrustedIssuer& issuer : issuers_) by_name_.emplace(issuer.rules.issuer, &issuer);
}

const TrustedIssuer* Authorizer::FindIssuer(absl::string_view name) const {
  const auto it = by_name_.find(name);
  return it == by_name_.end() ? nullptr : it->second;
}

Examination Authorizer::Examine(absl::string_view token, const Ask& ask) {
  // Before anything is looked up, so that a reply never claims to have seen more
  // than it has.
  const int64_t revision = index_.revision();
  Examination out = Look(token, ask);
  out.revision = revision;
  return out;
}

Examination Authorizer::Look(absl::string_view token, const Ask& ask) {
  if (token.empty()) return Refused(Code::kTokenMissing, "no token was sent");
  if (token.size() > jose::kMaxTokenBytes) {
    return Refused(Code::kTokenInvalid, "the token is longer than 8 KiB");
  }
  if (auto known = cache_.Find(token); known != nullptr) {
    if (!known->key->retired()) {
      Examination out = Weigh(std::move(known));
      out.cache_hit = true;
      return out;
    }
    cache_.Erase(token);
  }
  if (ask.effort == Effort::kKnownOnly) {
    Examination out;
    out.kind = Examination::Kind::kUnknown;
    return out;
  }
  return Verify(token, ask.news);
}

Examination Authorizer::Authorize(absl::string_view token, const policy::Question& question,
                                  const Ask& ask) {
  Examination out = Examine(token, ask);
  if (out.kind == Examination::Kind::kDecided && out.code == Code::kOk) {
    out.code = policy_.Decide(out.token->principal, question);
    if (out.code != Code::kOk) {
      out.reason = std::string(policy_.WhyDenied(out.token->principal, question));
    }
  }
  return out;
}

Examination Authorizer::Verify(absl::string_view token, KeyNews news) {
  if (absl::StartsWithIgnoreCase(token, "Bearer ")) {
    return Refused(Code::kTokenInvalid, "begins with \"Bearer \": send the token alone");
  }
  auto parsed = jose::UnverifiedJwt::Parse(token);
  if (!parsed.ok()) return Refused(Code::kTokenInvalid, parsed.status().message());
  std::array<uint8_t, 4> identity;
  std::copy_n(parsed->identity().begin(), identity.size(), identity.begin());
  const TrustedIssuer* issuer = FindIssuer(parsed->issuer());
  Examination out = issuer == nullptr
                        ? Refused(Code::kTokenInvalid, "the issuer is not a trusted one")
                        : VerifyParsed(token, *std::move(parsed), *issuer, news);
  out.identity = identity;
  out.issuer = issuer;
  return out;
}

Examination Authorizer::VerifyParsed(absl::string_view token, jose::UnverifiedJwt parsed,
                                     const TrustedIssuer& issuer, KeyNews news) {
  const jose::IssuerRules& rules = issuer.rules;
  const jose::Algorithm algorithm = parsed.algorithm();
  if (std::find(rules.algorithms.begin(), rules.algorithms.end(), algorithm) ==
      rules.algorithms.end()) {
    return Refused(Code::kTokenInvalid, "the algorithm is not on the issuer's list");
  }
  const std::shared_ptr<const jose::KeySet> keys = issuer.keys->Current();
  if (keys == nullptr) return MissingKey(issuer, news);
  std::vector<std::shared_ptr<const jose::VerificationKey>> candidates;
  // A secret has no kid of its own, and is the only key there is.
  if (!parsed.kid().has_value() || jose::IsSymmetric(algorithm)) {
    candidates = keys->Candidates(algorithm);
  } else {
    candidates = keys->Candidates(*parsed.kid(), algorithm);
  }
  if (candidates.empty()) return MissingKey(issuer, news);

  auto verified = jose::JwtVerifier::Verify(std::move(parsed), rules, candidates);
  if (!verified.ok()) {
    // The keys may have lapsed meanwhile, which says nothing about the token.
    if (issuer.keys->Current() == nullptr) return MissingKey(issuer, news);
    return Refused(Code::kTokenInvalid, verified.status().message());
  }
  return Weigh(Remember(token, *verified, rules));
}

std::shared_ptr<const KnownToken> Authorizer::Remember(absl::string_view token,
                                                       const jose::VerifiedJwt& jwt,
                                                       const jose::IssuerRules& rules) {
  auto known = std::make_shared<KnownToken>();
  known->times = jwt.claims();
  known->principal = policy::PrincipalOf(jwt);
  known->rendered = options_.render(known->principal);
  known->tags = TagsOf(jwt);
  known->identity = jwt.identity();
  known->key = jwt.key();
  known->rules = &rules;
  if (jose::JwtVerifier::CheckTime(known->times, rules, clock_.Now()) ==
      jose::TimeVerdict::kInTime) {
    cache_.Insert(token, known);
  }
  return known;
}

Examination Authorizer::Weigh(std::shared_ptr<const KnownToken> known) const {
  Examination out;
  switch (jose::JwtVerifier::CheckTime(known->times, *known->rules, clock_.Now())) {
    case jose::TimeVerdict::kNotYetValid:
      return Refused(Code::kTokenInvalid,
                     "nbf, iat or (without iat) exp lies too far in the future");
    case jose::TimeVerdict::kExpired:
      out.code = Code::kTokenExpired;
      out.reason = "exp has passed";
      break;
    case jose::TimeVerdict::kInTime:
      if (index_.IsRevoked(known->tags)) {
        out.code = Code::kTokenRevoked;
        out.reason = "a revocation is in force";
      } else {
        out.code = Code::kOk;
      }
      break;
  }
  out.token = std::move(known);
  return out;
}

}  // namespace gatehouse::engine
