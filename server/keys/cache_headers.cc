#include "server/keys/cache_headers.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace gatehouse::keys {
namespace {

constexpr size_t kMaxValidatorBytes = 512;
constexpr int64_t kManySeconds = 1'000'000'000;

// RFC 9111 section 1.2.2: more than one can hold counts as very many.
std::optional<int64_t> Seconds(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  if (text.empty() || !std::all_of(text.begin(), text.end(), absl::ascii_isdigit)) {
    return std::nullopt;
  }
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(text, &seconds)) return kManySeconds;
  return std::min(seconds, kManySeconds);
}

// Empty for one that cannot be sent back as it came.
std::string Validator(absl::string_view value) {
  const bool good = value.size() <= kMaxValidatorBytes &&
                    std::all_of(value.begin(), value.end(), absl::ascii_isprint);
  return good ? std::string(value) : "";
}

}  // namespace

void CacheHeaders::Add(absl::string_view line) {
  if (absl::StartsWith(line, "HTTP/")) {
    *this = {};
    return;
  }
  const size_t colon = line.find(':');
  if (colon == absl::string_view::npos) return;
  const absl::string_view name = line.substr(0, colon);
  const absl::string_view value = absl::StripAsciiWhitespace(line.substr(colon + 1));
  if (absl::EqualsIgnoreCase(name, "etag")) {
    validators_.etag = Validator(value);
  } else if (absl::EqualsIgnoreCase(name, "last-modified")) {
    validators_.last_modified = Validator(value);
  } else if (absl::EqualsIgnoreCase(name, "age")) {
    age_ = Seconds(value).value_or(0);
  } else if (absl::EqualsIgnoreCase(name, "cache-control")) {
    AddCacheControl(value);
  }
}

void CacheHeaders::AddCacheControl(absl::string_view value) {
  for (absl::string_view part : absl::StrSplit(value, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (absl::EqualsIgnoreCase(part, "no-cache") || absl::EqualsIgnoreCase(part, "no-store")) {
      do_not_keep_ = true;
    } else if (absl::StartsWithIgnoreCase(part, "max-age=") && !max_age_.has_value()) {
      part.remove_prefix(8);
      if (absl::ConsumePrefix(&part, "\"")) absl::ConsumeSuffix(&part, "\"");
      max_age_ = Seconds(part);
    }
  }
}

std::optional<absl::Duration> CacheHeaders::Lifetime() const {
  if (do_not_keep_) return absl::ZeroDuration();
  if (!max_age_.has_value()) return std::nullopt;
  return absl::Seconds(std::max<int64_t>(0, *max_age_ - age_));
}

}  // namespace gatehouse::keys
