#include "client/cli/inspect_contents.h"

#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/jose/base64url.h"
#include "server/jose/json.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse::cli {
namespace {

constexpr double kMaxSeconds = 253402300799;  // the end of the year 9999
constexpr size_t kMaxShownBytes = 512;

// A parsed part; the rest of the struct is what it points into.
struct Parsed {
  explicit Parsed(absl::string_view json) : text(json.data(), json.size()) {
    text.resize(json.size() + jose::kJsonPadding);
    object = jose::ParseJsonObject(parser, document, text.data(), json.size());
  }
  std::string text;
  jose::JsonParser parser;
  jose::JsonDocument document;
  absl::StatusOr<jose::JsonObject> object = absl::UnknownError("");
};

TokenPart ReadPart(absl::string_view segment) {
  TokenPart part;
  std::optional<std::string> decoded = jose::DecodeBase64Url(segment);
  if (!decoded.has_value()) {
    part.problem = "not base64url without padding";
    return part;
  }
  const Parsed parsed(*decoded);
  if (parsed.object.ok()) {
    part.json = *std::move(decoded);
  } else {
    part.problem = std::string(parsed.object.status().message());
    part.text = *std::move(decoded);
  }
  return part;
}

std::string TimeInWords(absl::string_view claim, absl::Time time, absl::Time now) {
  const bool past = time <= now;
  const std::string span = SpanInWords(past ? now - time : time - now);
  if (claim == "exp") {
    return past ? absl::StrCat("expired ", span, " ago") : absl::StrCat("expires in ", span);
  }
  if (claim == "iat") {
    return past ? absl::StrCat("issued ", span, " ago")
                : absl::StrCat("issued in the future: in ", span);
  }
  return past ? absl::StrCat("good since ", span, " ago") : absl::StrCat("not good before ", span);
}

// Empty for what is no time.
std::string TimeText(absl::string_view claim, const jose::JsonValue& value, absl::Time now) {
  double seconds = 0;
  if (!value.is_number() || value.get(seconds) != simdjson::SUCCESS) return "";
  if (!(seconds >= 0) || seconds > kMaxSeconds) return "";
  const absl::Time time = absl::UnixEpoch() + absl::Seconds(seconds);
  return absl::StrCat(
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::UnixEpoch() + absl::Seconds(std::floor(seconds)),
                       absl::UTCTimeZone()),
      ", ", TimeInWords(claim, time, now));
}

bool IsTime(absl::string_view name) { return name == "exp" || name == "iat" || name == "nbf"; }

}  // namespace

TokenContents ReadContents(absl::string_view token) {
  TokenContents contents;
  if (token.size() > jose::kMaxTokenBytes) {
    contents.header.problem = contents.claims.problem = "the token is too long to be looked into";
    return contents;
  }
  const std::vector<absl::string_view> segments = absl::StrSplit(token, '.');
  contents.header = ReadPart(segments[0]);
  if (segments.size() == 3) {
    contents.claims = ReadPart(segments[1]);
  } else {
    contents.claims.problem =
        absl::StrCat("a signed token has three segments, and this has ", segments.size());
  }
  return contents;
}

Rows PartRows(const TokenPart& part, absl::Time now) {
  if (!part.json.has_value()) {
    return {{"unreadable", part.problem}, {"text", part.text.substr(0, kMaxShownBytes)}};
  }
  const Parsed parsed(*part.json);
  if (!parsed.object.ok()) return {{"unreadable", std::string(parsed.object.status().message())}};
  Rows rows;
  for (const auto field : *parsed.object) {
    const absl::string_view name = jose::ToAbsl(field.key);
    std::string value = simdjson::minify(field.value);
    const std::string time = IsTime(name) ? TimeText(name, field.value, now) : "";
    if (!time.empty()) absl::StrAppend(&value, "  (", time, ")");
    rows.emplace_back(Printable(name), std::move(value));
  }
  return rows;
}

std::string SpanInWords(absl::Duration span) {
  const int64_t seconds = absl::ToInt64Seconds(span);
  if (seconds < 60) return absl::StrCat(seconds, " s");
  const int64_t minutes = seconds / 60;
  if (minutes < 60) return absl::StrCat(minutes, " min");
  const int64_t hours = minutes / 60;
  if (hours >= 48) return absl::StrCat(hours / 24, " days");
  return minutes % 60 == 0 ? absl::StrCat(hours, " h")
                           : absl::StrCat(hours, " h ", minutes % 60, " min");
}

}  // namespace gatehouse::cli
