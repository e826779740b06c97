#include "server/jose/claims.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"

namespace gatehouse::jose {
namespace {

constexpr int64_t kMaxSeconds = int64_t{1} << 53;

absl::Status Wrong(absl::string_view claim, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("claim ", claim, what));
}

absl::Status ReadText(absl::string_view claim, const JsonValue& value, std::string& out) {
  const std::optional<absl::string_view> text = StringOf(value);
  if (!text.has_value()) return Wrong(claim, " is not a string");
  if (HasControlCharacter(*text)) return Wrong(claim, " holds a control character");
  if (text->size() > kMaxIdBytes) return Wrong(claim, " is too long");
  out.assign(text->data(), text->size());
  return absl::OkStatus();
}

absl::Status ReadOptionalText(absl::string_view claim, const JsonValue& value, std::string& out) {
  return value.is_null() ? absl::OkStatus() : ReadText(claim, value, out);
}

absl::Status ReadTime(absl::string_view claim, const JsonValue& value, absl::Time& out) {
  int64_t whole = 0;
  if (value.get(whole) == simdjson::SUCCESS) {
    if (whole < 0 || whole > kMaxSeconds) return Wrong(claim, " is out of range");
    out = absl::FromUnixSeconds(whole);
    return absl::OkStatus();
  }
  double seconds = 0;
  if (value.is_string() || value.is_bool() || value.get(seconds) != simdjson::SUCCESS) {
    return Wrong(claim, " is not a number");
  }
  if (!(seconds >= 0) || seconds > static_cast<double>(kMaxSeconds)) {
    return Wrong(claim, " is out of range");
  }
  const double floor = std::floor(seconds);
  const double fraction = seconds - floor;  // exact
  auto micros = static_cast<int64_t>(fraction * 1e6);
  // The product may have been rounded up to a whole microsecond.
  if (static_cast<double>(micros) / 1e6 > fraction) --micros;
  out = absl::FromUnixSeconds(static_cast<int64_t>(floor)) + absl::Microseconds(micros);
  return absl::OkStatus();
}

absl::Status ReadOptionalTime(absl::string_view claim, const JsonValue& value,
                              std::optional<absl::Time>& out) {
  absl::Time time;
  GH_RETURN_IF_ERROR(ReadTime(claim, value, time));
  out = time;
  return absl::OkStatus();
}

absl::Status ReadAudiences(const JsonValue& value, std::vector<std::string>& out) {
  if (const std::optional<absl::string_view> one = StringOf(value); one.has_value()) {
    out.emplace_back(*one);
    return absl::OkStatus();
  }
  simdjson::dom::array members;
  if (value.get(members) != simdjson::SUCCESS) {
    return Wrong("aud", " is neither a string nor an array");
  }
  for (const JsonValue member : members) {
    const std::optional<absl::string_view> text = StringOf(member);
    if (!text.has_value()) return Wrong("aud", " has a member that is not a string");
    out.emplace_back(*text);
  }
  return out.empty() ? Wrong("aud", " is empty") : absl::OkStatus();
}

// An address is for display alone: one that cannot be used is as good as none.
void ReadEmail(const JsonValue& value, std::string& out) {
  const absl::string_view text = StringOf(value).value_or("");
  if (!HasControlCharacter(text)) out.assign(text.data(), text.size());
}

bool IsSeparator(char c) { return c == ',' || absl::ascii_isspace(static_cast<unsigned char>(c)); }

void SplitList(absl::string_view text, std::vector<std::string>& out) {
  while (!text.empty()) {
    size_t size = 0;
    while (size < text.size() && !IsSeparator(text[size])) ++size;
    if (size > 0) out.emplace_back(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
  }
}

absl::Status ReadList(absl::string_view claim, const JsonValue& value,
                      std::vector<std::string>& out) {
  if (value.is_null()) return absl::OkStatus();
  simdjson::dom::array members;
  if (const std::optional<absl::string_view> text = StringOf(value); text.has_value()) {
    SplitList(*text, out);
  } else if (value.get(members) == simdjson::SUCCESS) {
    for (const JsonValue member : members) {
      const std::optional<absl::string_view> name = StringOf(member);
      if (!name.has_value()) return Wrong(claim, " has a member that is not a string");
      out.emplace_back(*name);
    }
  } else {
    return Wrong(claim, " is neither a string nor an array");
  }
  for (const std::string& name : out) {
    if (HasControlCharacter(name)) return Wrong(claim, " holds a control character");
  }
  return absl::OkStatus();
}

struct Seen {
  bool issuer = false;
  bool subject = false;
  bool audience = false;
  bool expiry = false;
};

absl::Status ReadRegistered(absl::string_view name, const JsonValue& value, Claims& claims,
                            Seen& seen) {
  if (name == "iss") {
    const std::optional<absl::string_view> text = StringOf(value);
    if (!text.has_value() || text->empty()) return Wrong(name, " is empty or not a string");
    claims.issuer.assign(text->data(), text->size());
    seen.issuer = true;
  } else if (name == "sub") {
    GH_RETURN_IF_ERROR(ReadText(name, value, claims.subject));
    if (claims.subject.empty()) return Wrong(name, " is empty");
    seen.subject = true;
  } else if (name == "aud") {
    GH_RETURN_IF_ERROR(ReadAudiences(value, claims.audiences));
    seen.audience = true;
  } else if (name == "exp") {
    GH_RETURN_IF_ERROR(ReadTime(name, value, claims.expire_time));
    seen.expiry = true;
  } else if (name == "iat") {
    return ReadOptionalTime(name, value, claims.issue_time);
  } else if (name == "nbf") {
    return ReadOptionalTime(name, value, claims.not_before);
  } else if (name == "jti") {
    return ReadOptionalText(name, value, claims.token_id);
  } else if (name == "email") {
    ReadEmail(value, claims.email);
  } else if (name == "cnf") {
    return Wrong(name, ": a token bound to a key is not accepted as a bearer token");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadRegisteredClaims(const JsonObject& object, Claims& claims) {
  Seen seen;
  for (const auto field : object) {
    GH_RETURN_IF_ERROR(ReadRegistered(ToAbsl(field.key), field.value, claims, seen));
  }
  if (!seen.issuer) return Wrong("iss", " is missing");
  if (!seen.subject) return Wrong("sub", " is missing");
  if (!seen.audience) return Wrong("aud", " is missing");
  if (!seen.expiry) return Wrong("exp", " is missing");
  return absl::OkStatus();
}

absl::Status ReadNamedClaims(const JsonObject& object, const ClaimNames& names, Claims& claims) {
  for (const auto field : object) {
    const absl::string_view name = ToAbsl(field.key);
    if (name.empty()) continue;
    if (name == names.roles) GH_RETURN_IF_ERROR(ReadList(name, field.value, claims.roles));
    if (name == names.scopes) GH_RETURN_IF_ERROR(ReadList(name, field.value, claims.scopes));
    if (name == names.tenant) {
      GH_RETURN_IF_ERROR(ReadOptionalText(name, field.value, claims.tenant));
    }
    if (name == names.session) {
      GH_RETURN_IF_ERROR(ReadOptionalText(name, field.value, claims.session_id));
    }
    if (name == names.client) {
      GH_RETURN_IF_ERROR(ReadOptionalText(name, field.value, claims.client_id));
    }
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::jose
