#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/engine/known_token.h"
#include "server/engine/steps.h"
#include "server/jose/jwt_verifier.h"
#include "server/revocation/index.h"

// The words of an explanation. None holds a value of the token's own: names of
// issuers and keys are those of the configuration and of the key sets.
namespace gatehouse::engine {

using Candidates = std::vector<std::shared_ptr<const jose::VerificationKey>>;

// "key "k1"", or what else it is known by among `candidates`.
std::string NameOf(const jose::VerificationKey& key, const Candidates& candidates);

// Which keys a token of this algorithm is tried on.
std::string KeyWords(const Candidates& candidates, jose::Algorithm algorithm);

// Tells the steps behind the choice of keys of a token that JwtVerifier refused at
// `step` with `status`: the verifier looks at claims before it pays for a signature, people want
// to hear of the signature first.
void TellFault(absl::string_view token, const Candidates& candidates, jose::Algorithm algorithm,
               const absl::Status& status, jose::VerifyStep step, const Steps& steps);

// ", without 2 roles or scopes that it may not assert"; empty if it asserts no such.
std::string NotBelievedWords(const jose::VerifiedJwt& jwt);

// "expired 12 s ago, skew 10 s".
std::string TimeWords(const KnownToken& known, absl::Time now);

// "revoked: session, subject".
std::string RevocationWords(const KnownToken& known, const revocation::RevocationIndex& index,
                            absl::Time now);

}  // namespace gatehouse::engine
