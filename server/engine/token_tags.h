#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "server/jose/jwt_verifier.h"
#include "server/policy/principal.h"
#include "server/revocation/tag.h"

namespace gatehouse::engine {

// What a revocation may reach a token by: its identity, and of its principal what is
// there, and the key that verified it.
revocation::TokenTags TagsOf(const policy::Principal& principal, const jose::VerifiedJwt& jwt);

// The kind of `tags.tags[index]`, which are TagsOf(principal, ...), for people:
// "token", "session", "subject" and so on.
absl::string_view KindOfTag(const policy::Principal& principal, size_t index);

// That of its session, of `tags`, which are TagsOf(principal, ...).
std::optional<revocation::Tag> SessionTagOf(const policy::Principal& principal,
                                            const revocation::TokenTags& tags);

}  // namespace gatehouse::engine
