#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/cli/output.h"

// What is in a token, whoever made it: nothing here says that any of it is true.
namespace gatehouse::cli {

// One of the two JSON parts.
struct TokenPart {
  std::optional<std::string> json;  // set: an object that the server's parser takes
  std::string problem;              // else why not
  std::string text;                 // then what was decoded, if anything was
};

struct TokenContents {
  TokenPart header;
  TokenPart claims;
};

TokenContents ReadContents(absl::string_view token);

// The names and values of a part in the order of the text; times (exp, iat, nbf) also
// in words, seen from `now`.
Rows PartRows(const TokenPart& part, absl::Time now);

// "3 min", "2 h 5 min", "4 days".
std::string SpanInWords(absl::Duration span);

}  // namespace gatehouse::cli
