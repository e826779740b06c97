#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// A piece of YAML as it stands in the file: no value is interpreted.
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMapping };

  Kind kind = Kind::kNull;
  int line = 1;
  std::string text;              // of a scalar
  bool plain = false;            // a scalar without quotes
  std::vector<YamlNode> keys;    // of a mapping, one for each value
  std::vector<YamlNode> values;  // of a mapping or list
};

// The largest text that is read.
inline constexpr size_t kMaxYamlBytes = size_t{1} << 20;

// Reads one document of plain YAML: UTF-8, no anchors, aliases, tags or second
// document, nested 32 deep at most. Nullopt, with the reason in `findings`, for
// all else; never throws.
std::optional<YamlNode> ParseYaml(absl::string_view yaml, Findings& findings);

}  // namespace gatehouse::config
