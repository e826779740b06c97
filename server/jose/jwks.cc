#include "server/jose/jwks.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/jose/json.h"
#include "server/jose/jwk.h"

namespace gatehouse::jose {
namespace {

constexpr size_t kMaxJwksBytes = size_t{256} * 1024;
constexpr size_t kMaxKeys = 256;
constexpr size_t kMaxCandidates = 4;

using Key = std::shared_ptr<const VerificationKey>;

bool IsSameKey(const VerificationKey& a, const VerificationKey& b) {
  return a.algorithms() == b.algorithms() && a.kid() == b.kid() && a.thumbprint() == b.thumbprint();
}

// Whether a token's kid and algorithm could mean both, though they differ.
bool AreConfused(const VerificationKey& a, const VerificationKey& b) {
  return a.kid().has_value() && a.kid() == b.kid() && a.thumbprint() != b.thumbprint() &&
         a.algorithms().Meets(b.algorithms());
}

// Nobody can say which of two keys a shared kid means: neither is used. The same
// key twice counts once.
ParsedKeySet Settle(const std::vector<Key>& read, std::vector<RefusedKey> refused) {
  std::vector<Key> kept;
  for (size_t i = 0; i < read.size(); ++i) {
    bool repeated = false;
    bool ambiguous = false;
    for (size_t j = 0; j < read.size(); ++j) {
      if (j == i) continue;
      repeated = repeated || (j < i && IsSameKey(*read[i], *read[j]));
      ambiguous = ambiguous || AreConfused(*read[i], *read[j]);
    }
    if (!repeated && !ambiguous) {
      kept.push_back(read[i]);
      continue;
    }
    refused.push_back({read[i]->kid().value_or("").substr(0, 256),
                       ambiguous ? "another key has the same kid and algorithm"
                                 : "the same key stands in the set before"});
  }
  return {KeySet(std::move(kept)), std::move(refused)};
}

}  // namespace

Key KeySet::Find(absl::string_view kid, Algorithm algorithm) const {
  for (const Key& key : keys_) {
    if (key->Accepts(algorithm) && key->kid().has_value() && *key->kid() == kid) return key;
  }
  return nullptr;
}

std::vector<Key> KeySet::Candidates(Algorithm algorithm) const {
  std::vector<Key> candidates;
  for (const Key& key : keys_) {
    if (candidates.size() == kMaxCandidates) break;
    if (key->Accepts(algorithm)) candidates.push_back(key);
  }
  return candidates;
}

KeySet KeySet::Succeed(const KeySet& before) const {
  std::vector<Key> keys = keys_;
  for (const Key& old : before.keys_) {
    bool stays = false;
    for (Key& key : keys) {
      if (old->retired() || !IsSameKey(*key, *old)) continue;
      key = old;
      stays = true;
    }
    if (!stays) old->Retire();
  }
  return KeySet(std::move(keys));
}

absl::StatusOr<ParsedKeySet> ParseJwks(absl::string_view json) {
  if (json.size() > kMaxJwksBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("not a JWK Set: more than ", kMaxJwksBytes, " bytes"));
  }
  const simdjson::padded_string text(json.data(), json.size());
  JsonParser parser;
  JsonDocument document;
  const absl::StatusOr<JsonObject> set =
      ParseJsonObject(parser, document, text.data(), text.size());
  if (!set.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("not a JWK Set: ", set.status().message()));
  }
  simdjson::dom::array members;
  const std::optional<JsonValue> value = FindMember(*set, "keys");
  if (!value.has_value() || value->get(members) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("not a JWK Set: keys is missing or not an array");
  }
  std::vector<Key> read;
  std::vector<RefusedKey> refused;
  for (const JsonValue member : members) {
    if (read.size() + refused.size() == kMaxKeys) {
      return absl::InvalidArgumentError(
          absl::StrCat("not a JWK Set: more than ", kMaxKeys, " keys"));
    }
    JsonObject jwk;
    if (member.get(jwk) != simdjson::SUCCESS) {
      refused.push_back({"", "not an object"});
      continue;
    }
    KeyOrError key = ReadJwk(jwk);
    if (key.ok()) {
      read.push_back(*std::move(key));
    } else {
      refused.push_back({KidForMessages(jwk), std::string(key.status().message())});
    }
  }
  return Settle(read, std::move(refused));
}

}  // namespace gatehouse::jose
