#include "server/jose/jws.h"

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/status_macros.h"
#include "server/jose/base64url.h"
#include "server/jose/json.h"

namespace gatehouse::jose {
namespace {

// A header that brings its own key, or asks for rules we do not know.
bool IsRefusedName(absl::string_view name) {
  return name == "crit" || name == "b64" || name == "jwk" || name == "jku" || name == "x5u" ||
         name == "x5c";
}

absl::Status ReadMember(absl::string_view name, const JsonValue& value, JwsHeader& header,
                        bool& has_algorithm) {
  if (name == "alg") {
    const std::optional<absl::string_view> text = StringOf(value);
    const std::optional<Algorithm> algorithm =
        text.has_value() ? AlgorithmFromName(*text) : std::nullopt;
    if (!algorithm.has_value()) {
      return absl::InvalidArgumentError("header: alg is none of the supported algorithms");
    }
    header.algorithm = *algorithm;
    has_algorithm = true;
  } else if (name == "kid") {
    const std::optional<absl::string_view> text = StringOf(value);
    if (!text.has_value()) return absl::InvalidArgumentError("header: kid is not a string");
    header.kid.emplace(text->data(), text->size());
  } else if (name == "typ") {
    const std::optional<absl::string_view> text = StringOf(value);
    const std::optional<TokenType> type =
        text.has_value() ? TokenTypeFromName(*text) : std::nullopt;
    if (!type.has_value()) {
      return absl::InvalidArgumentError("header: typ is neither JWT nor at+jwt");
    }
    header.type = *type;
  } else if (IsRefusedName(name)) {
    return absl::InvalidArgumentError(absl::StrCat("header: ", name, " is not accepted"));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<TokenType> TokenTypeFromName(absl::string_view name) {
  constexpr absl::string_view kPrefix = "application/";
  if (absl::StartsWithIgnoreCase(name, kPrefix)) name.remove_prefix(kPrefix.size());
  for (const TokenType type : {TokenType::kJwt, TokenType::kAccessToken}) {
    if (absl::EqualsIgnoreCase(name, NameOf(type))) return type;
  }
  return std::nullopt;
}

absl::string_view NameOf(TokenType type) { return type == TokenType::kJwt ? "JWT" : "at+jwt"; }

absl::StatusOr<CompactJws> SplitCompactJws(absl::string_view token) {
  const size_t first = token.find('.');
  const size_t second = first == absl::string_view::npos ? first : token.find('.', first + 1);
  if (second == absl::string_view::npos || token.find('.', second + 1) != absl::string_view::npos) {
    return absl::InvalidArgumentError("not a compact JWS: not three segments");
  }
  CompactJws jws;
  jws.header = token.substr(0, first);
  jws.payload = token.substr(first + 1, second - first - 1);
  jws.signature = token.substr(second + 1);
  jws.signing_input = token.substr(0, second);
  if (jws.header.empty() || jws.payload.empty() || jws.signature.empty()) {
    return absl::InvalidArgumentError("not a compact JWS: an empty segment");
  }
  return jws;
}

absl::StatusOr<JwsHeader> ParseJwsHeader(absl::string_view segment) {
  thread_local std::string text;
  thread_local JsonParser parser;
  thread_local JsonDocument document;
  const size_t size = DecodedBase64UrlSize(segment.size());
  text.resize(size + kJsonPadding);
  if (!DecodeBase64Url(segment, text.data())) {
    return absl::InvalidArgumentError("header: not base64url");
  }
  const absl::StatusOr<JsonObject> object = ParseJsonObject(parser, document, text.data(), size);
  if (!object.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("header: ", object.status().message()));
  }
  JwsHeader header;
  bool has_algorithm = false;
  for (const auto field : *object) {
    GH_RETURN_IF_ERROR(ReadMember(ToAbsl(field.key), field.value, header, has_algorithm));
  }
  if (!has_algorithm) return absl::InvalidArgumentError("header: no alg");
  return header;
}

}  // namespace gatehouse::jose
