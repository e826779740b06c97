#pragma once

#include <grpc/grpc_security.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

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
  explicit PeerNames(const grpc_auth_context& context);

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
  absl::string_view why = {};      // nobody knows, for the log: a constant
  // By which it was looked for: the URI of the certificate or what a sidecar told, or else one
  // of the DNS names. Views of these.
  absl::string_view id = {};
  absl::string_view dns = {};
};

// What peers' own certificates say, of the connections that called lately: it says the same in
// each of their calls. Holds gRPC's context of each, so that none that it knows can be taken for
// another. One for each thread. Knows of the table that was asked last alone.
class PeerMemory {
 public:
  struct Seen {
    const Caller* caller = nullptr;  // known by the certificate alone
    bool believed = false;           // when it says who calls
  };

  struct Release {
    void operator()(grpc_auth_context* context) const { grpc_auth_context_release(context); }
  };

  // Null if it is not remembered.
  const Seen* Find(const grpc_auth_context* context, uint64_t table);
  // After Find. Takes over a reference to the context.
  void Remember(grpc_auth_context* context, Seen seen);

 private:
  struct Entry {
    std::unique_ptr<grpc_auth_context, Release> context;  // null: the place is free
    Seen seen;
  };
  Entry& PlaceOf(const grpc_auth_context* context);

  std::vector<Entry> entries_ = std::vector<Entry>(256);
  uint64_t table_ = 0;
};

// What a thread remembers of those who call.
struct CallerMemory {
  CallerTable::Memory tokens;
  PeerMemory peers;
};

// Whose call it is that came without a token, by docs/mesh.md ("Who calls", "Behind a sidecar"):
// `names` are of the certificate that TLS has verified. Allocates nothing.
KnownPeer IdentifyPeer(const CallerTable& callers, const PeerTrust& trust,
                       const CallerTable::Metadata& metadata, const PeerNames& names);

// The same of the call's connection, whose peer TLS has verified.
KnownPeer IdentifyConnection(grpc_call* call, const CallerTable& callers, const PeerTrust& trust,
                             const CallerTable::Metadata& metadata, PeerMemory& memory);

}  // namespace gatehouse::frontend
