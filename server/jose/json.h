#pragma once

#include <simdjson.h>

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// JSON as strictly as it can be read (RFC 8259, I-JSON in RFC 7493), so that no two
// readers of a text see different things: UTF-8 without BOM, one value and nothing
// behind it, no name twice in an object also when only their escapes differ,
// nested kMaxJsonDepth deep at most, no lone surrogates, no number that neither 64
// bits nor a finite double can hold.
namespace gatehouse::jose {

inline constexpr int kMaxJsonDepth = 16;
// So many bytes behind a text must be readable; what they hold does not matter.
inline constexpr size_t kJsonPadding = simdjson::SIMDJSON_PADDING;

using JsonValue = simdjson::dom::element;
using JsonObject = simdjson::dom::object;  // names in the order of the text

// A parsed text. Its values point into it and are void once it is moved. The
// simdjson parser is another object: it is only needed while parsing.
using JsonDocument = simdjson::dom::document;
using JsonParser = simdjson::dom::parser;

// The object that `size` bytes at `text` are; needs kJsonPadding bytes behind it.
// INVALID_ARGUMENT with a reason that holds nothing of the text.
absl::StatusOr<JsonObject> ParseJsonObject(JsonParser& parser, JsonDocument& document,
                                           const char* text, size_t size);

// The object of a document that ParseJsonObject succeeded on.
JsonObject RootObject(const JsonDocument& document);

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

// nullopt if there is no such member.
std::optional<JsonValue> FindMember(const JsonObject& object, absl::string_view name);
// nullopt if the value is no string. Valid as long as the document.
std::optional<absl::string_view> StringOf(const JsonValue& value);
// nullopt if there is no such member or it is no string.
std::optional<absl::string_view> FindString(const JsonObject& object, absl::string_view name);

}  // namespace gatehouse::jose
