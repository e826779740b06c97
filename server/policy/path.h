#pragma once

#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gatehouse::policy {

// The path of a request, read in the only way that it can be. Its memory is used again
// for the next one. For one thread.
class Path {
 public:
  // Reads `target`, the path as it goes upstream with what follows '?'. INVALID_ARGUMENT, in
  // words that hold nothing of it, for all that two programs could read in two ways (see
  // docs/proxies.md), for one that does not begin with '/', is over 8 KiB or has more than 64
  // segments. `target` outlives what is read from this.
  absl::Status Read(absl::string_view target);

  // Decoded: "/a%20b/" has the segments "a b" and "". At least one.
  using Segments = absl::InlinedVector<absl::string_view, 16>;
  const Segments& segments() const { return segments_; }

  // All of `segments` from `first` on, decoded, with '/' between them.
  absl::string_view Rest(size_t first) const;

 private:
  Segments segments_;
  // The decoded path, if it has an escape.
  std::string decoded_;
  absl::string_view whole_;
};

}  // namespace gatehouse::policy
