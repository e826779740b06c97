#pragma once

#include <string>

#include "server/engine/known_token.h"

namespace gatehouse::frontend {

// The answer of RFC 7662 about a token that is accepted, as JSON; null: about any other,
// {"active":false} and nothing more. Beside the RFC's own members `roles`, `tenant` and
// `sid`. What the token has not is left out.
std::string IntrospectionOf(const engine::KnownToken* token);

}  // namespace gatehouse::frontend
