#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "absl/container/inlined_vector.h"
#include "absl/strings/string_view.h"

// A revocation reaches a token by a tag that both carry, so that the check is a
// few look-ups in one flat table whatever was revoked.
namespace gatehouse::revocation {

// The first byte of what is hashed. Stored in databases: never renumbered.
enum class TagKind : uint8_t {
  kToken = 1,    // SHA-256 of the signing input
  kTokenId = 2,  // issuer, jti
  kSession = 3,  // issuer, sid
  kSubject = 4,  // issuer, sub
  kTenant = 5,   // issuer, tenant
  kClient = 6,   // issuer, client
  kKey = 7,      // issuer, kid or thumbprint
};

// The first 128 bits of SHA-256 over the kind's byte and each part, its length
// before it as four bytes, the highest first. Compared as bytes.
struct Tag {
  std::array<uint8_t, 16> bytes{};

  friend bool operator==(const Tag& a, const Tag& b) { return a.bytes == b.bytes; }
  template <typename H>
  friend H AbslHashValue(H h, const Tag& tag) {
    uint64_t word;  // of a SHA-256: as good as any hash
    std::memcpy(&word, tag.bytes.data(), sizeof(word));
    return H::combine(std::move(h), word);
  }
};

Tag TokenTag(const std::array<uint8_t, 32>& identity);
// Any other kind: `value` is the jti, sid, sub, tenant, client or key's name.
Tag MakeTag(TagKind kind, absl::string_view issuer, absl::string_view value);

// What a verified token carries, and what its iat says to a revocation that
// covers a time: floor(iat) in seconds since 1970, or the lowest value without one.
struct TokenTags {
  absl::InlinedVector<Tag, 7> tags;
  int64_t issued_at = INT64_MIN;
};

}  // namespace gatehouse::revocation
