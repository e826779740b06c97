#include "client/cli/claim_set.h"

#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/output.h"

namespace gatehouse::cli {

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      json += '\\';
      json += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&json, "\\u%04x", static_cast<unsigned>(c));
    } else {
      json += c;
    }
  }
  return json + "\"";
}

std::string JsonStrings(const std::vector<std::string>& texts) {
  const auto append = [](std::string* out, const std::string& text) { *out += JsonString(text); };
  return absl::StrCat("[", absl::StrJoin(texts, ",", append), "]");
}

void ClaimSet::Set(absl::string_view name, std::string json) {
  for (auto& [known, value] : claims_) {
    if (known == name) {
      value = std::move(json);
      return;
    }
  }
  claims_.emplace_back(std::string(name), std::move(json));
}

absl::Status ClaimSet::SetFromArgument(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == 0 || equals == std::string::npos) {
    return absl::InvalidArgumentError("--claim must be name=JSON, such as --claim level=3");
  }
  const std::string name = argument.substr(0, equals);
  const std::string json = argument.substr(equals + 1);
  simdjson::dom::parser parser;
  if (parser.parse(json).error() != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--claim ", Printable(name), ": the value is no JSON; a text needs quotes, as in --claim '",
        Printable(name), "=\"text\"'"));
  }
  Set(name, json);
  return absl::OkStatus();
}

std::string ClaimSet::ToJson() const {
  const auto append = [](std::string* out, const auto& claim) {
    absl::StrAppend(out, JsonString(claim.first), ":", claim.second);
  };
  return absl::StrCat("{", absl::StrJoin(claims_, ",", append), "}");
}

}  // namespace gatehouse::cli
