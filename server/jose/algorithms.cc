#include "server/jose/algorithms.h"

#include <array>

namespace gatehouse::jose {
namespace {

struct Row {
  Algorithm algorithm;
  absl::string_view name;
  KeyKind kind;
};

// In the order of the enumeration.
constexpr std::array<Row, 4> kTable = {{
    {Algorithm::kEdDsa, "EdDSA", KeyKind::kEd25519},
    {Algorithm::kEs256, "ES256", KeyKind::kEcP256},
    {Algorithm::kRs256, "RS256", KeyKind::kRsa},
    {Algorithm::kHs256, "HS256", KeyKind::kHmac},
}};

const Row& RowOf(Algorithm algorithm) { return kTable[static_cast<size_t>(algorithm)]; }

}  // namespace

std::optional<Algorithm> AlgorithmFromName(absl::string_view name) {
  for (const Row& row : kTable) {
    if (row.name == name) return row.algorithm;
  }
  if (name == "Ed25519") return Algorithm::kEdDsa;
  return std::nullopt;
}

absl::string_view NameOf(Algorithm algorithm) { return RowOf(algorithm).name; }

KeyKind KindOf(Algorithm algorithm) { return RowOf(algorithm).kind; }

bool IsSymmetric(Algorithm algorithm) { return KindOf(algorithm) == KeyKind::kHmac; }

}  // namespace gatehouse::jose
