#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

// The table of signature algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864).
// A new algorithm is one row of the table in algorithms.cc and, if its scheme is
// new, one function of the key that it needs.
namespace gatehouse::jose {

enum class Algorithm {
  kEdDsa,
  kEs256,
  kEs384,
  kEs512,
  kRs256,
  kRs384,
  kRs512,
  kPs256,
  kPs384,
  kPs512,
  kHs256,
  kHs384,
  kHs512,
};

// What kind of key an algorithm needs; a key of another kind never verifies it.
enum class KeyKind { kEd25519, kEcP256, kEcP384, kEcP521, kRsa, kHmac };

// How a signature comes of the hash; kMessage signs the message itself.
enum class Scheme { kMessage, kEcdsa, kPkcs1, kPss, kHmac };

enum class Hash { kSha256, kSha384, kSha512 };
inline constexpr size_t kHashCount = 3;

// All of them, in the table's order.
absl::Span<const Algorithm> Algorithms();

// The algorithm of a JOSE name, exactly as registered: "EdDSA" and "Ed25519" are
// the same one; "none" in any spelling and all else are nullopt.
std::optional<Algorithm> AlgorithmFromName(absl::string_view name);

absl::string_view NameOf(Algorithm algorithm);
KeyKind KindOf(Algorithm algorithm);
Scheme SchemeOf(Algorithm algorithm);
// Of no meaning for Scheme::kMessage.
Hash HashOf(Algorithm algorithm);
bool IsSymmetric(Algorithm algorithm);

size_t SizeOf(Hash hash);  // in bytes

// "EdDSA, ES256, ..." for messages.
std::string Describe(absl::Span<const Algorithm> algorithms);

// Some algorithms; a value.
class AlgorithmSet {
 public:
  AlgorithmSet() = default;
  AlgorithmSet(std::initializer_list<Algorithm> algorithms) {
    for (const Algorithm algorithm : algorithms) Add(algorithm);
  }
  // All that need this kind of key.
  static AlgorithmSet Of(KeyKind kind);

  void Add(Algorithm algorithm) { bits_ |= Bit(algorithm); }
  bool Has(Algorithm algorithm) const { return (bits_ & Bit(algorithm)) != 0; }
  bool Meets(AlgorithmSet other) const { return (bits_ & other.bits_) != 0; }
  bool operator==(const AlgorithmSet& other) const { return bits_ == other.bits_; }
  std::string Describe() const;

 private:
  static uint32_t Bit(Algorithm algorithm) {
    return uint32_t{1} << static_cast<unsigned>(algorithm);
  }
  uint32_t bits_ = 0;
};

}  // namespace gatehouse::jose
