#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The texts of a route, taken apart. Inside of this folder only.
namespace gatehouse::policy {

// One segment of a route's path, or all that are left.
struct TemplatePart {
  enum class Kind { kText, kName, kRest };
  Kind kind = Kind::kText;
  std::string text = {};  // decoded, or the name; empty for "**"
};

struct Template {
  // Look-ups have room for as many names without an allocation.
  static constexpr size_t kMaxNames = 8;

  std::vector<TemplatePart> parts;  // never empty; kRest only at the end

  // The place of `name` among the names, in their order; nullopt if there is none.
  std::optional<size_t> NameAt(absl::string_view name) const;
};

// "/api/{owner}/tasks/{id}". INVALID_ARGUMENT says what is wrong and what would be right.
absl::StatusOr<Template> ParseTemplate(absl::string_view path);

// A piece of a resource: text, or what a name stands for.
struct ResourcePiece {
  std::string text = {};
  std::optional<size_t> name = {};
};

// "task/{id}", with the names of `path`. Errors as of ParseTemplate.
absl::StatusOr<std::vector<ResourcePiece>> ParseResource(absl::string_view resource,
                                                         const Template& path);

// How two templates lie to each other.
enum class Overlap {
  kApart,    // no path matches both
  kSame,     // but for names
  kFirst,    // all that the first matches, the second matches too
  kSecond,   // the other way round
  kNeither,  // some paths match both, and each has more
};
Overlap Compare(const Template& a, const Template& b);
// A path that matches both; they are not kApart.
std::string PathOfBoth(const Template& a, const Template& b);

}  // namespace gatehouse::policy
