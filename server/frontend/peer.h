#pragma once

#include <grpcpp/security/auth_context.h>

#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"
#include "server/frontend/callers.h"
#include "server/frontend/spiffe_table.h"

namespace gatehouse::frontend {

// Whether the gRPC port knows callers by anything beside their tokens. Constant once made.
class PeerTrust {
 public:
  // By nothing.
  PeerTrust() = default;
  explicit PeerTrust(const config::Config& config);

  // TLS verifies the certificates of those who connect.
  bool certificates() const { return certificates_; }
  // Whether x-forwarded-client-cert may say who calls, sent by a peer whose own certificate
  // names `id`; empty without one.
  bool Believes(absl::string_view id) const { return anybody_ || peers_.Find(id).has_value(); }

 private:
  bool certificates_ = false;
  bool anybody_ = false;  // whoever reaches the port is believed
  SpiffeTable peers_;
};

// The names in a peer's certificate. Views of what they were made from.
struct PeerNames {
  PeerNames() = default;
  // Of a connection whose peer has shown none there are none.
  explicit PeerNames(const grpc::AuthContext& context);

  // One of the properties that gRPC tells of a peer.
  void Add(absl::string_view property, absl::string_view value);
  // Empty where there is none, or several.
  absl::string_view only_uri() const { return uris == 1 ? uri : absl::string_view(); }

  size_t uris = 0;
  absl::string_view uri;  // the last one
  absl::InlinedVector<absl::string_view, 8> dns;
};

// Who calls.
struct KnownPeer {
  const Caller* caller = nullptr;  // of the table; null: nobody knows
  absl::string_view id;            // by which it was looked for, if by a SPIFFE id
};

// Whose call it is that came without a token, by docs/mesh.md ("Who calls", "Behind a sidecar"):
// `names` are of the certificate that TLS has verified. Allocates nothing.
KnownPeer IdentifyPeer(const CallerTable& callers, const PeerTrust& trust,
                       const CallerTable::Metadata& metadata, const PeerNames& names);

}  // namespace gatehouse::frontend
