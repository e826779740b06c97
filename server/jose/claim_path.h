#pragma once

#include <concepts>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::jose {

// Where a claim stands, parsed once. A text that begins with "/" is a JSON Pointer
// (RFC 6901) through objects only: array members are not counted. Any other is the
// name of one top-level claim, exactly as it stands. "" is no claim at all.
class ClaimPath {
 public:
  ClaimPath() = default;
  // For texts in code: aborts where Parse would fail.
  ClaimPath(const char* text);        // NOLINT(google-explicit-constructor)
  ClaimPath(absl::string_view text);  // NOLINT(google-explicit-constructor)

  // INVALID_ARGUMENT, saying what would be right, for a malformed pointer.
  static absl::StatusOr<ClaimPath> Parse(absl::string_view text);

  bool empty() const { return segments_.empty(); }
  // As it was written.
  const std::string& text() const { return text_; }
  // The names to follow, unescaped.
  const std::vector<std::string>& segments() const { return segments_; }

  friend bool operator==(const ClaimPath& path, absl::string_view text) {
    return path.text_ == text;
  }
  // Of two paths alone: a text would be one too.
  template <std::same_as<ClaimPath> Path>
  friend bool operator==(const ClaimPath& path, const Path& other) {
    return path.text_ == other.text_;
  }
  friend std::ostream& operator<<(std::ostream& out, const ClaimPath& path) {
    return out << path.text_;
  }

 private:
  std::string text_;
  std::vector<std::string> segments_;
};

}  // namespace gatehouse::jose
