#include "client/cli/claim_set.h"

#include <simdjson.h>

#include <memory>
#include <utility>

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

struct ClaimSet::Claim {
  std::string name;
  std::string json;  // of no meaning where there is an `inner`
  std::unique_ptr<ClaimSet> inner;
};

ClaimSet::ClaimSet() = default;
ClaimSet::~ClaimSet() = default;

ClaimSet::Claim& ClaimSet::At(absl::string_view name) {
  for (Claim& claim : claims_) {
    if (claim.name == name) return claim;
  }
  return claims_.emplace_back(Claim{std::string(name), "", nullptr});
}

void ClaimSet::Set(absl::string_view name, std::string json) {
  Claim& claim = At(name);
  claim.json = std::move(json);
  claim.inner.reset();
}

void ClaimSet::SetAt(const jose::ClaimPath& path, std::string json) {
  ClaimSet* set = this;
  const std::vector<std::string>& names = path.segments();
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    Claim& claim = set->At(names[i]);
    if (claim.inner == nullptr) claim.inner = std::make_unique<ClaimSet>();
    set = claim.inner.get();
  }
  set->Set(names.back(), std::move(json));
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
  const auto append = [](std::string* out, const Claim& claim) {
    absl::StrAppend(out, JsonString(claim.name), ":",
                    claim.inner != nullptr ? claim.inner->ToJson() : claim.json);
  };
  return absl::StrCat("{", absl::StrJoin(claims_, ",", append), "}");
}

}  // namespace gatehouse::cli
