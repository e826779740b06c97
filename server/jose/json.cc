#include "server/jose/json.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::jose {
namespace {

// Most names differ in their first byte, and a call of memcmp costs more than that.
bool IsSame(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || (a[0] == b[0] && a == b));
}

bool HasDuplicate(const JsonObject& object) {
  constexpr size_t kFew = 24;
  std::array<std::string_view, kFew> few;
  size_t count = 0;
  for (const auto field : object) {
    if (count == kFew) break;
    for (size_t i = 0; i < count; ++i) {
      if (IsSame(few[i], field.key)) return true;
    }
    few[count++] = field.key;
  }
  if (count < kFew) return false;
  // Comparing each with each would make a long list of names expensive.
  std::vector<std::string_view> names;
  for (const auto field : object) names.push_back(field.key);
  std::sort(names.begin(), names.end());
  return std::adjacent_find(names.begin(), names.end()) != names.end();
}

absl::Status CheckValue(const JsonValue& value, int depth);

// Recurses kMaxJsonDepth deep at most.
absl::Status CheckMembers(const JsonObject& object, int depth) {
  if (HasDuplicate(object)) return absl::InvalidArgumentError("a name occurs twice in an object");
  for (const auto field : object) {
    if (absl::Status status = CheckValue(field.value, depth); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CheckValue(const JsonValue& value, int depth) {
  const bool nests = value.is_object() || value.is_array();
  if (!nests) return absl::OkStatus();
  if (depth == kMaxJsonDepth) {
    return absl::InvalidArgumentError(absl::StrCat("JSON nested deeper than ", kMaxJsonDepth));
  }
  JsonObject object;
  if (value.get(object) == simdjson::SUCCESS) return CheckMembers(object, depth + 1);
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return absl::InternalError("unreadable JSON value");
  for (const JsonValue member : array) {
    if (absl::Status status = CheckValue(member, depth + 1); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JsonObject> ParseJsonObject(JsonParser& parser, JsonDocument& document,
                                           const char* text, size_t size) {
  if (absl::string_view(text, std::min<size_t>(size, 3)) == "\xEF\xBB\xBF") {
    return absl::InvalidArgumentError("JSON begins with a byte order mark");
  }
  JsonValue root;
  const simdjson::error_code error =
      parser.parse_into_document(document, text, size, /*realloc_if_needed=*/false).get(root);
  if (error != simdjson::SUCCESS) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", simdjson::error_message(error)));
  }
  JsonObject object;
  if (root.get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("JSON, but not an object");
  }
  if (absl::Status status = CheckMembers(object, 1); !status.ok()) return status;
  return object;
}

JsonObject RootObject(const JsonDocument& document) {
  JsonObject object;
  if (document.root().get(object) != simdjson::SUCCESS) return {};
  return object;
}

std::optional<JsonValue> FindMember(const JsonObject& object, absl::string_view name) {
  JsonValue value;
  if (object.at_key(std::string_view(name.data(), name.size())).get(value) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  return value;
}

std::optional<absl::string_view> StringOf(const JsonValue& value) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return std::nullopt;
  return ToAbsl(text);
}

std::optional<absl::string_view> FindString(const JsonObject& object, absl::string_view name) {
  const std::optional<JsonValue> value = FindMember(object, name);
  return value.has_value() ? StringOf(*value) : std::nullopt;
}

}  // namespace gatehouse::jose
