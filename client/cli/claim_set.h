#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/jose/claim_path.h"

namespace gatehouse::cli {

// The JSON string of UTF-8 `text`.
std::string JsonString(absl::string_view text);
// The JSON array of strings.
std::string JsonStrings(const std::vector<std::string>& texts);

// A JWT claims set that is being put together: each name once, in the order of
// their first setting.
class ClaimSet {
 public:
  ClaimSet();
  ~ClaimSet();

  // Sets or replaces a claim. `json` is its value, as JSON.
  void Set(absl::string_view name, std::string json);

  // The same for a claim within objects, which are made where they are missing.
  void SetAt(const jose::ClaimPath& path, std::string json);

  // Sets a claim from "name=JSON". INVALID_ARGUMENT if it is not that.
  absl::Status SetFromArgument(const std::string& argument);

  std::string ToJson() const;

 private:
  struct Claim;
  Claim& At(absl::string_view name);

  std::vector<Claim> claims_;
};

}  // namespace gatehouse::cli
