#include "server/jose/claim_path.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_split.h"

namespace gatehouse::jose {
namespace {

std::optional<std::string> Unescaped(absl::string_view segment) {
  std::string name;
  for (size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] != '~') {
      name += segment[i];
      continue;
    }
    ++i;
    if (i == segment.size() || (segment[i] != '0' && segment[i] != '1')) return std::nullopt;
    name += segment[i] == '0' ? '~' : '/';
  }
  return name;
}

}  // namespace

absl::StatusOr<ClaimPath> ClaimPath::Parse(absl::string_view text) {
  ClaimPath path;
  path.text_ = std::string(text);
  if (text.empty()) return path;
  if (text[0] != '/') {
    path.segments_.emplace_back(text);
    return path;
  }
  for (const absl::string_view segment : absl::StrSplit(text.substr(1), '/')) {
    std::optional<std::string> name = Unescaped(segment);
    if (!name.has_value()) {
      return absl::InvalidArgumentError(
          "begins with / and so is a JSON Pointer, in which ~ must be followed by 0 (for ~) or 1 "
          "(for /)");
    }
    path.segments_.push_back(*std::move(name));
  }
  return path;
}

ClaimPath::ClaimPath(const char* text) : ClaimPath(absl::string_view(text)) {}

ClaimPath::ClaimPath(absl::string_view text) {
  absl::StatusOr<ClaimPath> path = Parse(text);
  if (!path.ok()) {
    // Going on would leave out a claim that somebody relies on.
    std::fputs("a claim path in the code is malformed\n", stderr);
    std::abort();
  }
  *this = *std::move(path);
}

}  // namespace gatehouse::jose
