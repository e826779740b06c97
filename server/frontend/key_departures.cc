#include "server/frontend/key_departures.h"

#include <algorithm>
#include <utility>

namespace gatehouse::frontend {
namespace {

bool Has(const jose::KeySet* set, const jose::VerificationKey& key) {
  if (set == nullptr) return false;
  return std::any_of(set->keys().begin(), set->keys().end(), [&](const auto& one) {
    return one->name() == key.name() && one->thumbprint() == key.thumbprint() &&
           one->algorithms() == key.algorithms();
  });
}

}  // namespace

std::vector<revocation::Tag> KeyDepartures::Look(const Ruleset& rules) {
  std::map<std::string, Set> now;
  for (const engine::TrustedIssuer& issuer : rules.authorizer->issuers()) {
    Set set = issuer.keys->Current();
    if (set != nullptr) now.emplace(issuer.rules.issuer, std::move(set));
  }
  std::vector<revocation::Tag> gone;
  for (const auto& [issuer, before] : last_) {
    const auto place = now.find(issuer);
    const jose::KeySet* const after = place == now.end() ? nullptr : place->second.get();
    if (after == before.get()) continue;
    for (const auto& key : before->keys()) {
      if (Has(after, *key)) continue;
      gone.push_back(revocation::MakeTag(revocation::TagKind::kKey, issuer, key->name()));
    }
  }
  last_ = std::move(now);
  return gone;
}

}  // namespace gatehouse::frontend
