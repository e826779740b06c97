#pragma once

#include <optional>

#include "absl/strings/string_view.h"

// The table of signature algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864).
// A new algorithm is one row of the table in algorithms.cc and one function.
namespace gatehouse::jose {

enum class Algorithm { kEdDsa, kEs256, kRs256, kHs256 };

// What kind of key an algorithm needs; a key of another kind never verifies it.
enum class KeyKind { kEd25519, kEcP256, kRsa, kHmac };

// The algorithm of a JOSE name, exactly as registered: "EdDSA" and "Ed25519" are
// the same one; "none" in any spelling and all else are nullopt.
std::optional<Algorithm> AlgorithmFromName(absl::string_view name);

absl::string_view NameOf(Algorithm algorithm);
KeyKind KindOf(Algorithm algorithm);
bool IsSymmetric(Algorithm algorithm);

}  // namespace gatehouse::jose
