#include "server/jose/jwks.h"

#include <algorithm>
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
constexpr size_t kMaxWithoutKid = 16;
constexpr size_t kMaxOfOneKid = 4;

using Key = std::shared_ptr<const VerificationKey>;

bool IsSameKey(const VerificationKey& a, const VerificationKey& b) {
  return a.algorithms() == b.algorithms() && a.kid() == b.kid() && a.thumbprint() == b.thumbprint();
}

// Whether a token's kid and algorithm could mean both, though they differ.
bool AreConfused(const VerificationKey& a, const VerificationKey& b) {
  return a.kid().has_value() && a.kid() == b.kid() && a.thumbprint() != b.thumbprint() &&
         a.algorithms().Meets(b.algorithms());
}

// The first `most` keys that fit; `more`, if not null: whether there are others.
template <typename Fits>
std::vector<Key> FirstOf(const std::vector<Key>& keys, const Fits& fits, size_t most, bool* more) {
  std::vector<Key> found;
  bool cut_off = false;
  for (const Key& key : keys) {
    if (!fits(key)) continue;
    cut_off = found.size() == most;
    if (cut_off) break;
    found.push_back(key);
  }
  if (more != nullptr) *more = cut_off;
  return found;
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

std::vector<Key> KeySet::Candidates(Algorithm algorithm, bool* more) const {
  return FirstOf(
      keys_, [&](const Key& key) { return key->Accepts(algorithm); }, kMaxWithoutKid, more);
}

std::vector<Key> KeySet::Candidates(absl::string_view kid, Algorithm algorithm, bool* more) const {
  return FirstOf(
      keys_,
      [&](const Key& key) {
        return key->Accepts(algorithm) && key->kid().has_value() && *key->kid() == kid;
      },
      kMaxOfOneKid, more);
}

KeySet KeySet::Succeed(const KeySet& before) const {
  KeySet next = Succeed(before, INT64_MIN).At(INT64_MAX);
  before.RetireAllBut(next);
  return next;
}

KeySet KeySet::Succeed(const KeySet& before, int64_t end) const {
  KeySet next(keys_);
  const size_t first_leaving = before.keys_.size() - before.leaving();
  for (size_t i = 0; i < before.keys_.size(); ++i) {
    const Key& old = before.keys_[i];
    if (old->retired()) continue;
    const auto own_end = next.keys_.begin() + static_cast<ptrdiff_t>(keys_.size());
    const auto stays = std::find_if(next.keys_.begin(), own_end,
                                    [&](const Key& key) { return IsSameKey(*key, *old); });
    if (stays != own_end) {
      *stays = old;
      continue;
    }
    next.keys_.push_back(old);
    next.ends_.push_back(i < first_leaving ? end : before.ends_[i - first_leaving]);
  }
  return next;
}

KeySet KeySet::At(int64_t now) const {
  const size_t first_leaving = keys_.size() - leaving();
  KeySet next({keys_.begin(), keys_.begin() + static_cast<ptrdiff_t>(first_leaving)});
  for (size_t i = 0; i < ends_.size(); ++i) {
    if (ends_[i] <= now) continue;
    next.keys_.push_back(keys_[first_leaving + i]);
    next.ends_.push_back(ends_[i]);
  }
  return next;
}

int64_t KeySet::NextEnd() const {
  return ends_.empty() ? INT64_MAX : *std::min_element(ends_.begin(), ends_.end());
}

void KeySet::RetireAllBut(const KeySet& kept) const {
  for (const Key& key : keys_) {
    const auto& others = kept.keys_;
    if (std::find(others.begin(), others.end(), key) == others.end()) key->Retire();
  }
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
