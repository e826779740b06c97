#include "server/jose/algorithms.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gatehouse::jose {
namespace {

struct Row {
  Algorithm algorithm;
  absl::string_view name;
  KeyKind kind;
  Scheme scheme;
  Hash hash;
};

// In the order of the enumeration.
constexpr std::array kTable = {
    Row{Algorithm::kEdDsa, "EdDSA", KeyKind::kEd25519, Scheme::kMessage, Hash::kSha512},
    Row{Algorithm::kEs256, "ES256", KeyKind::kEcP256, Scheme::kEcdsa, Hash::kSha256},
    Row{Algorithm::kEs384, "ES384", KeyKind::kEcP384, Scheme::kEcdsa, Hash::kSha384},
    Row{Algorithm::kEs512, "ES512", KeyKind::kEcP521, Scheme::kEcdsa, Hash::kSha512},
    Row{Algorithm::kRs256, "RS256", KeyKind::kRsa, Scheme::kPkcs1, Hash::kSha256},
    Row{Algorithm::kRs384, "RS384", KeyKind::kRsa, Scheme::kPkcs1, Hash::kSha384},
    Row{Algorithm::kRs512, "RS512", KeyKind::kRsa, Scheme::kPkcs1, Hash::kSha512},
    Row{Algorithm::kPs256, "PS256", KeyKind::kRsa, Scheme::kPss, Hash::kSha256},
    Row{Algorithm::kPs384, "PS384", KeyKind::kRsa, Scheme::kPss, Hash::kSha384},
    Row{Algorithm::kPs512, "PS512", KeyKind::kRsa, Scheme::kPss, Hash::kSha512},
    Row{Algorithm::kHs256, "HS256", KeyKind::kHmac, Scheme::kHmac, Hash::kSha256},
    Row{Algorithm::kHs384, "HS384", KeyKind::kHmac, Scheme::kHmac, Hash::kSha384},
    Row{Algorithm::kHs512, "HS512", KeyKind::kHmac, Scheme::kHmac, Hash::kSha512},
};

constexpr bool IsInOrder() {
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<size_t>(kTable[i].algorithm) != i) return false;
  }
  return true;
}
static_assert(IsInOrder());

// A key has a place for each algorithm of its kind, by the number of the algorithm.
constexpr bool KindsStandTogether(size_t most) {
  size_t first = 0;
  for (size_t i = 0; i < kTable.size(); ++i) {
    if (kTable[i].kind != kTable[first].kind) first = i;
    if (i - first >= most) return false;
    for (size_t j = 0; j < first; ++j) {
      if (kTable[j].kind == kTable[i].kind) return false;
    }
  }
  return true;
}
static_assert(KindsStandTogether(6), "DigestKey::PoolOf relies on it");

constexpr std::array<Algorithm, kTable.size()> MakeAll() {
  std::array<Algorithm, kTable.size()> all{};
  for (size_t i = 0; i < kTable.size(); ++i) all[i] = kTable[i].algorithm;
  return all;
}
constexpr std::array<Algorithm, kTable.size()> kAll = MakeAll();

const Row& RowOf(Algorithm algorithm) { return kTable[static_cast<size_t>(algorithm)]; }

}  // namespace

absl::Span<const Algorithm> Algorithms() { return kAll; }

std::optional<Algorithm> AlgorithmFromName(absl::string_view name) {
  for (const Row& row : kTable) {
    if (row.name == name) return row.algorithm;
  }
  if (name == "Ed25519") return Algorithm::kEdDsa;
  return std::nullopt;
}

absl::string_view NameOf(Algorithm algorithm) { return RowOf(algorithm).name; }
KeyKind KindOf(Algorithm algorithm) { return RowOf(algorithm).kind; }
Scheme SchemeOf(Algorithm algorithm) { return RowOf(algorithm).scheme; }
Hash HashOf(Algorithm algorithm) { return RowOf(algorithm).hash; }
bool IsSymmetric(Algorithm algorithm) { return KindOf(algorithm) == KeyKind::kHmac; }

size_t SizeOf(Hash hash) {
  constexpr std::array<size_t, kHashCount> kSizes = {32, 48, 64};
  return kSizes[static_cast<size_t>(hash)];
}

std::string Describe(absl::Span<const Algorithm> algorithms) {
  return absl::StrJoin(algorithms, ", ", [](std::string* out, Algorithm algorithm) {
    absl::StrAppend(out, NameOf(algorithm));
  });
}

AlgorithmSet AlgorithmSet::Of(KeyKind kind) {
  AlgorithmSet set;
  for (const Row& row : kTable) {
    if (row.kind == kind) set.Add(row.algorithm);
  }
  return set;
}

std::string AlgorithmSet::Describe() const {
  std::string text;
  for (const Row& row : kTable) {
    if (Has(row.algorithm)) absl::StrAppend(&text, text.empty() ? "" : ", ", row.name);
  }
  return text;
}

}  // namespace gatehouse::jose
