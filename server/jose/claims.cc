#include "server/jose/claims.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
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

// A claim to look for.
struct Wanted {
  const ClaimPath& path;
  std::optional<JsonValue> value = std::nullopt;  // neither absent nor null
  // The path meets a value that is neither null nor an object before its end.
  bool obstructed = false;
};

// From the member that its first segment names to its end.
void Follow(JsonValue value, Wanted& wanted) {
  const std::vector<std::string>& segments = wanted.path.segments();
  for (size_t i = 1; i < segments.size(); ++i) {
    JsonObject object;
    if (value.get(object) != simdjson::SUCCESS) {
      wanted.obstructed = !value.is_null();
      return;
    }
    const std::optional<JsonValue> next = FindMember(object, segments[i]);
    if (!next.has_value()) return;
    value = *next;
  }
  if (!value.is_null()) wanted.value = value;
}

// In one pass, since reaching a member means passing those before it.
void LookUp(const JsonObject& object, absl::Span<Wanted> wanted) {
  for (const auto field : object) {
    for (Wanted& one : wanted) {
      if (!one.path.empty() && field.key == one.path.segments()[0]) Follow(field.value, one);
    }
  }
}

absl::Status ReadOptionalText(const Wanted& wanted, std::string& out) {
  return wanted.value.has_value() ? ReadText(wanted.path.text(), *wanted.value, out)
                                  : absl::OkStatus();
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

absl::Status ReadList(const Wanted& wanted, std::vector<std::string>& out) {
  if (!wanted.value.has_value()) return absl::OkStatus();
  const absl::string_view claim = wanted.path.text();
  const JsonValue& value = *wanted.value;
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
    return value.is_null() ? absl::OkStatus() : ReadText(name, value, claims.token_id);
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
  std::array<Wanted, 6> wanted = {Wanted{names.roles},           Wanted{names.scopes},
                                  Wanted{names.scopes_fallback}, Wanted{names.tenant},
                                  Wanted{names.session},         Wanted{names.client}};
  auto& [roles, scopes, fallback, tenant, session, client] = wanted;
  LookUp(object, absl::MakeSpan(wanted));
  if (tenant.obstructed) {
    return Wrong(tenant.path.text(), " cannot be read: its path meets a value that is no object");
  }
  const bool use_fallback = !scopes.path.empty() && !scopes.value.has_value();
  GH_RETURN_IF_ERROR(ReadList(roles, claims.roles));
  GH_RETURN_IF_ERROR(ReadList(use_fallback ? fallback : scopes, claims.scopes));
  GH_RETURN_IF_ERROR(ReadOptionalText(tenant, claims.tenant));
  GH_RETURN_IF_ERROR(ReadOptionalText(session, claims.session_id));
  return ReadOptionalText(client, claims.client_id);
}

void ReadMoreClaims(const JsonObject& object, const std::vector<ClaimPath>& paths, Claims& claims) {
  for (const ClaimPath& path : paths) {
    Wanted wanted{path};
    LookUp(object, absl::MakeSpan(&wanted, 1));
    if (!wanted.value.has_value()) continue;
    const JsonValue& value = *wanted.value;
    const std::optional<absl::string_view> text = StringOf(value);
    if (text.has_value() && !HasControlCharacter(*text) && text->size() <= kMaxIdBytes) {
      claims.more.emplace_back(path.text(), *text);
    } else if (value.is_bool() || value.is_number()) {
      claims.more.emplace_back(path.text(), simdjson::minify(value));
    } else {
      claims.opaque.push_back(path.text());
    }
  }
}

absl::Status KeepAsserted(const MayAssert& may, Claims& claims) {
  const auto has = [](const std::vector<std::string>& names, const std::string& name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  const auto keep = [&](const auto& names, std::vector<std::string>& out) {
    if (!names.has_value()) return;
    const auto end = std::remove_if(out.begin(), out.end(),
                                    [&](const std::string& name) { return !has(*names, name); });
    claims.not_believed += static_cast<size_t>(out.end() - end);
    out.erase(end, out.end());
  };
  keep(may.roles, claims.roles);
  keep(may.scopes, claims.scopes);
  if (may.tenants.has_value() && !claims.tenant.empty() && !has(*may.tenants, claims.tenant)) {
    return absl::InvalidArgumentError("the issuer may not speak for this tenant");
  }
  return absl::OkStatus();
}

absl::Status CheckRequiredClaims(const JsonObject& object, const std::vector<ClaimPath>& required) {
  for (const ClaimPath& path : required) {
    Wanted wanted{path};
    LookUp(object, absl::MakeSpan(&wanted, 1));
    if (!wanted.value.has_value() || StringOf(*wanted.value) == absl::string_view()) {
      return Wrong(path.text(), " is missing, and the issuer's required_claims name it");
    }
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::jose
