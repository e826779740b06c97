#include "server/frontend/peer.h"

#include <grpc/grpc_security_constants.h>

#include <iterator>

#include "absl/hash/hash.h"
#include "server/frontend/forwarded_client_cert.h"

namespace gatehouse::frontend {
namespace {

constexpr char kForwarded[] = "x-forwarded-client-cert";

// Names that nobody is called by lead to nobody, and are no contradiction.
KnownPeer FindByDns(const CallerTable& callers, const PeerNames& names) {
  if (names.dns.empty()) return {.why = "there is no token, and no certificate with a name"};
  KnownPeer found{.why = "no caller has a DNS name of the certificate", .dns = names.dns.front()};
  for (const absl::string_view name : names.dns) {
    const Caller* const one = callers.FindByDnsName(name);
    if (one == nullptr) continue;
    if (found.caller != nullptr && found.caller != one) {
      return {.why = "the certificate has the DNS names of several callers", .dns = name};
    }
    found = {.caller = one, .dns = name};
  }
  return found;
}

KnownPeer FindById(const CallerTable& callers, absl::string_view id, absl::string_view otherwise) {
  const Caller* const found = callers.FindBySpiffeId(id);
  return {.caller = found, .why = found == nullptr ? otherwise : "", .id = id};
}

KnownPeer FindByOwnNames(const CallerTable& callers, const PeerNames& names) {
  if (names.uris == 0) return FindByDns(callers, names);
  if (names.uris > 1) return {.why = "the certificate has several URIs"};
  return FindById(callers, names.uri, "no caller has the URI of the certificate");
}

// By the word of a peer that is believed; `own` if it says nothing.
KnownPeer FindForwarded(const CallerTable& callers, const CallerTable::Metadata& metadata,
                        const KnownPeer& own) {
  const auto [first, last] = metadata.equal_range(kForwarded);
  if (first == last) return own;
  if (std::next(first) != last) return {.why = "x-forwarded-client-cert came more than once"};
  const absl::string_view id = ForwardedSpiffeId({first->second.data(), first->second.size()});
  return FindById(callers, id,
                  id.empty() ? "the last element of x-forwarded-client-cert has not one SPIFFE "
                               "id, or the header is malformed"
                             : "no caller has the SPIFFE id in x-forwarded-client-cert");
}

}  // namespace

PeerTrust::PeerTrust(const config::Config& config)
    : certificates_(config.tls.has_value() && !config.tls->client_ca_file.empty()) {
  if (!config.forwarded_client_cert.has_value()) return;
  // With TLS nobody is believed who is not named, whatever the configuration was checked for.
  anybody_ = !config.tls.has_value() && config.grpc.IsLocal();
  for (const std::string& id : config.forwarded_client_cert->peers) peers_.Add(id, 0);
}

PeerNames::PeerNames(const grpc_auth_context& context) {
  grpc_auth_property_iterator all = grpc_auth_context_property_iterator(&context);
  while (const grpc_auth_property* const one = grpc_auth_property_iterator_next(&all)) {
    Add(one->name, {one->value, one->value_length});
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
  const KnownPeer own = FindByOwnNames(callers, names);
  return trust.Believes(names.only_uri()) ? FindForwarded(callers, metadata, own) : own;
}

PeerMemory::Entry& PeerMemory::PlaceOf(const grpc_auth_context* context) {
  return entries_[absl::Hash<const grpc_auth_context*>()(context) % entries_.size()];
}

const PeerMemory::Seen* PeerMemory::Find(const grpc_auth_context* context, uint64_t table) {
  if (table_ != table) {
    for (Entry& entry : entries_) entry = Entry();
    table_ = table;
  }
  const Entry& entry = PlaceOf(context);
  return entry.context.get() == context ? &entry.seen : nullptr;
}

void PeerMemory::Remember(grpc_auth_context* context, Seen seen) {
  Entry& entry = PlaceOf(context);
  entry.context.reset(context);
  entry.seen = seen;
}

KnownPeer IdentifyConnection(grpc_call* call, const CallerTable& callers, const PeerTrust& trust,
                             const CallerTable::Metadata& metadata, PeerMemory& memory) {
  std::unique_ptr<grpc_auth_context, PeerMemory::Release> context(grpc_call_auth_context(call));
  if (context == nullptr) return {.why = "the connection is not encrypted"};
  const PeerMemory::Seen* const seen = memory.Find(context.get(), callers.id());
  if (seen != nullptr) {
    const KnownPeer own{.caller = seen->caller};
    return seen->believed ? FindForwarded(callers, metadata, own) : own;
  }
  // The call holds the context too, and so what the names are views of.
  const PeerNames names(*context);
  const KnownPeer own = FindByOwnNames(callers, names);
  const bool believed = trust.Believes(names.only_uri());
  // Whoever is unknown may be told of in the log, by its name.
  if (own.caller != nullptr) {
    memory.Remember(context.release(), {.caller = own.caller, .believed = believed});
  }
  return believed ? FindForwarded(callers, metadata, own) : own;
}

}  // namespace gatehouse::frontend
