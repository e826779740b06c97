#include "server/frontend/peer.h"

#include <grpc/grpc_security_constants.h>

#include <iterator>

#include "server/frontend/forwarded_client_cert.h"

namespace gatehouse::frontend {
namespace {

constexpr char kForwarded[] = "x-forwarded-client-cert";

// Names that nobody is called by lead to nobody, and are no contradiction.
const Caller* FindByDns(const CallerTable& callers, const PeerNames& names) {
  const Caller* found = nullptr;
  for (const absl::string_view name : names.dns) {
    const Caller* const one = callers.FindByDnsName(name);
    if (one == nullptr) continue;
    if (found != nullptr && found != one) return nullptr;
    found = one;
  }
  return found;
}

}  // namespace

PeerTrust::PeerTrust(const config::Config& config)
    : certificates_(config.tls.has_value() && !config.tls->client_ca_file.empty()) {
  if (!config.forwarded_client_cert.has_value()) return;
  // With TLS nobody is believed who is not named, whatever the configuration was checked for.
  anybody_ = !config.tls.has_value() && config.grpc.IsLocal();
  for (const std::string& id : config.forwarded_client_cert->peers) peers_.Add(id, 0);
}

PeerNames::PeerNames(const grpc::AuthContext& context) {
  for (auto one = context.begin(); one != context.end(); ++one) {
    const auto [name, value] = *one;
    Add({name.data(), name.size()}, {value.data(), value.size()});
  }
}

void PeerNames::Add(absl::string_view property, absl::string_view value) {
  if (property == GRPC_PEER_URI_PROPERTY_NAME) {
    ++uris;
    uri = value;
  } else if (property == GRPC_PEER_DNS_PROPERTY_NAME) {
    dns.push_back(value);
  }
}

KnownPeer IdentifyPeer(const CallerTable& callers, const PeerTrust& trust,
                       const CallerTable::Metadata& metadata, const PeerNames& names) {
  absl::string_view id = names.only_uri();
  if (trust.Believes(id)) {
    const auto [first, last] = metadata.equal_range(kForwarded);
    if (first != last) {
      if (std::next(first) != last) return {};
      id = ForwardedSpiffeId({first->second.data(), first->second.size()});
      return {.caller = callers.FindBySpiffeId(id), .id = id};
    }
  }
  if (names.uris > 0) return {.caller = callers.FindBySpiffeId(id), .id = id};
  return {.caller = FindByDns(callers, names), .id = {}};
}

}  // namespace gatehouse::frontend
