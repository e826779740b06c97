#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gatehouse::config {

// Where the fields of one file stand, and what is wrong with them. A path is
// written `issuers[0].keys.jwks_url`; the file as a whole is "".
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  // The file gives the field `path`, on `line` (from 1).
  void Place(const std::string& path, int line) { lines_.emplace(path, line); }
  bool Given(absl::string_view path) const { return lines_.contains(path); }
  // The fields given whose paths begin with `prefix`, in no order.
  std::vector<std::string> GivenUnder(absl::string_view prefix) const;
  // The field's line, or that of what should have held it.
  int LineOf(absl::string_view path) const;

  // "file:line: field", for what is said about the field later.
  std::string PlaceOf(const std::string& path) const;

  // A mistake of form: what was written under `path` could not be taken over.
  void Malformed(int line, const std::string& path, absl::string_view what);
  // A mistake of meaning. Dropped where a mistake of form is the cause: at this
  // path, above it or below it.
  void Wrong(const std::string& path, absl::string_view what);

  // "file:line: path: what": for what is no mistake but should be known.
  std::string Sentence(const std::string& path, absl::string_view what) const;

  // The mistakes of a further file that this one names, which come after its own.
  void Add(const Findings& further);

  bool empty() const { return mistakes_.empty() && further_.empty(); }
  // INVALID_ARGUMENT, one mistake a line, in the file's order; OK if there is none.
  absl::Status ToStatus() const;

 private:
  bool Blocked(const std::string& path) const;

  const std::string file_;
  // Hashed: the paths of a large policy are many, long, and begin alike.
  absl::flat_hash_map<std::string, int> lines_;
  std::set<std::string> malformed_;
  std::multimap<int, std::string> mistakes_;  // by line
  std::vector<std::string> further_;          // of other files, complete
};

}  // namespace gatehouse::config
