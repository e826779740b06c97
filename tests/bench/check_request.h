#pragma once

#include "absl/strings/string_view.h"
#include "envoy/service/auth/v3/external_auth.pb.h"

namespace gatehouse::bench {

// What Envoy asks about a browser's GET of `path` with `token`: 20 headers, the peer, and all
// that Envoy says besides, which Gatehouse's messages do not name.
envoy::service::auth::v3::CheckRequest MakeCheckRequest(absl::string_view token,
                                                        absl::string_view path);

}  // namespace gatehouse::bench
