#pragma once

#include <string>
#include <utility>
#include <vector>

#include "server/frontend/callers.h"
#include "server/frontend/http_server.h"

namespace gatehouse::frontend {

// Who asks an OAuth endpoint.
struct ClientAuth {
  enum class Outcome {
    kKnown,    // `caller`
    kUnknown,  // nobody, or with the wrong secret
    kOther,    // known, but its `client_id` is another one's
    kUnclear,  // in two ways, or in one that is malformed: the request is no good
  };
  Outcome outcome = Outcome::kUnknown;
  const Caller* caller = nullptr;  // of the table
};

// RFC 6749 section 2.3: a caller is a client, its name the client_id and any of its tokens
// the secret. In exactly one way: Basic, `client_id` and `client_secret` in the form, or its
// token alone as Bearer. Name and secret of Basic are form-encoded by the RFC, and by many
// libraries not: both are right. A `client_id` beside Basic or Bearer must be the same.
ClientAuth Authenticate(const HttpRequest& request,
                        const std::vector<std::pair<std::string, std::string>>& form,
                        const CallerTable& callers, CallerTable::Memory& memory);

}  // namespace gatehouse::frontend
