#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace gatehouse::frontend {

// SPIFFE ids, and patterns of them ("spiffe://example.org/ns/web/*"), with a number for each. To
// find one takes a look-up in a hash table, and one more for each length that patterns have. Not
// to be changed while it is asked; else thread-safe.
class SpiffeTable {
 public:
  // One that is there already keeps its number.
  void Add(const std::string& id, size_t number);

  // The number of what is this id, byte by byte, or else of the longest pattern that it is below.
  // Nothing for what is no SPIFFE id.
  std::optional<size_t> Find(absl::string_view id) const;

  bool operator==(const SpiffeTable& other) const = default;

 private:
  using Map = absl::flat_hash_map<std::string, size_t>;

  Map exact_;
  Map above_;                    // of patterns, without the asterisk
  std::vector<size_t> lengths_;  // of these, the longest first, each once
};

}  // namespace gatehouse::frontend
