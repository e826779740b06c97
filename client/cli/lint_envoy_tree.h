#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"

// YAML as proxies and meshes read it: several documents in a text, anchors, aliases
// and merge keys resolved, JSON too.
namespace gatehouse::cli {

struct LintNode {
  enum class Kind { kNull, kScalar, kList, kMapping };

  Kind kind = Kind::kNull;
  int file = 0;                   // which of the files
  int line = 1;                   // of the field's name, or of the value where it has none
  std::string text;               // of a scalar
  bool plain = false;             // a scalar without quotes
  bool block = false;             // a scalar in lines of its own, below `line`
  std::vector<std::string> keys;  // of a mapping, one for each value
  std::vector<LintNode> values;   // of a mapping or list
};

// The largest text that is read.
inline constexpr size_t kMaxLintBytes = size_t{4} << 20;

// Reads the documents of `yaml`. `first_line` is the number of its first line in the
// file `name`, which is the `file`th. A field given twice, also once as `a_b` and once
// as `aB`, is refused, and so are texts that aliases blow up. INVALID_ARGUMENT with
// "name:line: what"; never throws.
absl::StatusOr<std::vector<LintNode>> ParseLintYaml(absl::string_view yaml, int file,
                                                    const std::string& name, int first_line = 1);

// What follows takes null for "not there" and gives null for it, also where a field is
// there with the value null, which to Envoy is the same.

// The field of a mapping under its name in Envoy's .proto files, `snake_case`, or the
// same in camelCase.
const LintNode* Get(const LintNode* node, absl::string_view snake_name);
const LintNode* Get(const LintNode* node, std::initializer_list<absl::string_view> path);
// The members of a list. Anything else is its own only member, as it is to Envoy.
absl::Span<const LintNode> Items(const LintNode* node);
// A scalar's text, else "".
absl::string_view TextOf(const LintNode* node);

bool IsTrue(const LintNode* node);
bool IsFalse(const LintNode* node);
// An enum's value, by name in letters of any case, as Envoy takes it, or by number.
bool IsEnum(const LintNode* node, absl::string_view name, int number);
absl::optional<double> NumberOf(const LintNode* node);
absl::optional<absl::Duration> DurationOf(const LintNode* node);

// A google.protobuf.Any.
struct TypedConfig {
  absl::string_view type;  // the message's full name; empty: none is given
  const LintNode* config = nullptr;
};
// Looks through the TypedStruct that meshes wrap around messages.
TypedConfig TypedOf(const LintNode* any);

}  // namespace gatehouse::cli
