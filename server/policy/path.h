#pragma once

#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gatehouse::policy {

// The path of a request, read in the only way that it can be. Its memory is used again
// for the next one. For one thread.
//
// What two programs could read in two ways is refused, whether a character stands there as it is
// or escaped (docs/proxies.md). Beyond RFC 3986's syntax:
// - %3f and %23, for those who decode a path before they look for its end;
// - a segment that ends in a dot or a space: Windows opens "admin" for "admin." and "admin%20",
//   and old ones read "..." as "../..";
// - a decoded '%' before two hexadecimal digits, however it was written ("%252e", "%25%32e"), for
//   those who decode twice.
// Not refused: '+' (a space to those who take a path for a form; but it stands in e-mail
// addresses), case (which a service must tell apart, as routes do), letters that look alike.
class Path {
 public:
  static constexpr size_t kMaxBytes = size_t{8} * 1024;
  static constexpr size_t kMaxSegments = 64;

  // Reads `target`, the path as it goes upstream with what follows '?'. INVALID_ARGUMENT, in
  // words that hold nothing of it, for all that two programs could read in two ways, for one
  // that does not begin with '/', is over 8 KiB or has more than 64 segments; then there are no
  // segments. Of what follows '?' it refuses control characters, spaces and '#', and knows no
  // more. `target` outlives what is read from this. Allocates only for a path with escapes or
  // with more than 16 segments, and not for the next one like it.
  absl::Status Read(absl::string_view target);

  // Decoded: "/a%20b/" has the segments "a b" and "". At least one, and only the last one may be
  // empty. Without '/', control characters (also U+0080 to U+009F) and what is not UTF-8.
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
