#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace gatehouse::cli {

// The JSON string of UTF-8 `text`.
std::string JsonString(absl::string_view text);
// The JSON array of strings.
std::string JsonStrings(const std::vector<std::string>& texts);

// A JWT claims set that is being put together: each name once, in the order of
// their first setting.
class ClaimSet {
 public:
  // Sets or replaces a claim. `json` is its value, as JSON.
  void Set(absl::string_view name, std::string json);

  // Sets a claim from "name=JSON". INVALID_ARGUMENT if it is not that.
  absl::Status SetFromArgument(const std::string& argument);

  std::string ToJson() const;

 private:
  std::vector<std::pair<std::string, std::string>> claims_;
};

}  // namespace gatehouse::cli
