#include "server/policy/route_template.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/policy/path.h"

namespace gatehouse::policy {
namespace {

using Kind = TemplatePart::Kind;

constexpr size_t kMaxName = 64;

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", log::Escape(text, 128), "\"");
}

bool IsNameByte(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_'; }

bool IsName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxName &&
         !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), IsNameByte);
}

absl::Status CheckName(absl::string_view name) {
  if (IsName(name)) return absl::OkStatus();
  return Wrong(Quoted(name), " is no name: it must be letters, digits and '_', ", kMaxName,
               " at most, and begin with none of the digits");
}

// As a client would send it, were all of it escaped.
std::string Escaped(absl::string_view text) {
  constexpr absl::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || c == '.') {
      out.push_back(c);
    } else {
      out.append({'%', kHex[byte >> 4], kHex[byte & 0xF]});
    }
  }
  return out;
}

// ":id" and "<int:id>" are how other routers write {id}: as text, they would match nothing that is
// ever sent. Empty if it is none of them.
std::string WrittenElsewhere(absl::string_view text) {
  absl::string_view name = text;
  if (absl::ConsumePrefix(&name, "<") && absl::ConsumeSuffix(&name, ">")) {
    name.remove_prefix(name.rfind(':') + 1);  // npos + 1 is 0
  } else if (name = text; absl::ConsumePrefix(&name, ":")) {
    const auto* const end = std::find_if_not(name.begin(), name.end(), IsNameByte);
    name = name.substr(0, static_cast<size_t>(end - name.begin()));
  } else {
    return "";
  }
  return absl::StrCat("{", IsName(name) ? name : "name", "}");
}

absl::Status CheckText(absl::string_view text) {
  if (absl::StrContains(text, '%')) {
    return Wrong(Quoted(text), " holds a '%': write the text itself, which is matched decoded");
  }
  if (text.find_first_of("{}*") != absl::string_view::npos) {
    return Wrong(Quoted(text),
                 " is neither text nor a name: {name} stands for one whole segment, and ** or "
                 "{name=**} for all that is left");
  }
  if (const std::string meant = WrittenElsewhere(text); !meant.empty()) {
    return Wrong(Quoted(text), " would be plain text: write ", meant, " for one whole segment");
  }
  absl::Status read = Path().Read(absl::StrCat("/", Escaped(text)));
  if (read.ok()) return read;
  return Wrong(Quoted(text), " can never be sent: ", read.message(), ", and is refused");
}

absl::StatusOr<TemplatePart> ParsePart(absl::string_view text) {
  if (text == "**") return TemplatePart{.kind = Kind::kRest};
  absl::string_view name = text;
  if (absl::ConsumePrefix(&name, "{") && absl::ConsumeSuffix(&name, "}")) {
    const bool is_rest = absl::ConsumeSuffix(&name, "=**");
    GH_RETURN_IF_ERROR(CheckName(name));
    if (is_rest && (name == "owner" || name == "tenant")) {
      return Wrong("{", name, "=**} may be empty or hold '/': a resource's ", name,
                   " is one segment, {", name, "}");
    }
    return TemplatePart{.kind = is_rest ? Kind::kRest : Kind::kName, .text = std::string(name)};
  }
  GH_RETURN_IF_ERROR(CheckText(text));
  return TemplatePart{.kind = Kind::kText, .text = std::string(text)};
}

bool IsNamed(const TemplatePart& part) { return part.kind != Kind::kText && !part.text.empty(); }

absl::Status CheckNames(const Template& path) {
  std::vector<std::string> names;
  for (const TemplatePart& part : path.parts) {
    if (!IsNamed(part)) continue;
    if (std::find(names.begin(), names.end(), part.text) != names.end()) {
      return Wrong("has {", part.text, "} twice: give each its own name");
    }
    names.push_back(part.text);
  }
  if (names.size() <= Template::kMaxNames) return absl::OkStatus();
  return Wrong("has ", names.size(), " names, but may have ", Template::kMaxNames);
}

absl::Status CheckResourceText(absl::string_view resource) {
  const size_t slash = resource.find('/');
  const absl::string_view type = resource.substr(0, slash);
  if (slash == absl::string_view::npos || type.empty() || slash + 1 == resource.size()) {
    return Wrong("must be a type, '/' and an id, as in \"task/{id}\"");
  }
  if (type.find_first_of("{}") != absl::string_view::npos) {
    return Wrong("must begin with its type in plain text, as in \"task/{id}\": a type that is ",
                 "taken from the path lets whoever asks choose the rules");
  }
  if (absl::StrContains(resource, "}{")) {
    return Wrong("has two names with nothing between them: different paths would be one resource");
  }
  return absl::OkStatus();
}

// Of two parts at the same place, where `a` and `b` are no rest.
Overlap CompareParts(const TemplatePart& a, const TemplatePart& b) {
  if (a.kind == Kind::kName && b.kind == Kind::kName) return Overlap::kSame;
  if (a.kind == Kind::kText && b.kind == Kind::kText) {
    return a.text == b.text ? Overlap::kSame : Overlap::kApart;
  }
  // A name stands for no empty segment.
  const TemplatePart& text = a.kind == Kind::kText ? a : b;
  if (text.text.empty()) return Overlap::kApart;
  return &text == &a ? Overlap::kFirst : Overlap::kSecond;
}

}  // namespace

std::optional<size_t> Template::NameAt(absl::string_view name) const {
  size_t at = 0;
  for (const TemplatePart& part : parts) {
    if (!IsNamed(part)) continue;
    if (part.text == name) return at;
    ++at;
  }
  return std::nullopt;
}

absl::StatusOr<Template> ParseTemplate(absl::string_view path) {
  if (path.empty()) return Wrong("is required, for example \"/api/{owner}/tasks/{id}\"");
  if (path.size() > Path::kMaxBytes) return Wrong("is longer than any path may be, 8 KiB");
  if (!absl::ConsumePrefix(&path, "/")) return Wrong("must begin with '/'");
  const std::vector<absl::string_view> texts = absl::StrSplit(path, '/');
  if (texts.size() > Path::kMaxSegments) {
    return Wrong("has ", texts.size(), " segments, but a path may have ", Path::kMaxSegments);
  }
  Template out;
  out.parts.reserve(texts.size());
  for (const absl::string_view text : texts) {
    if (!out.parts.empty() && out.parts.back().kind == Kind::kRest) {
      return Wrong("goes on behind **, which stands for all that is left: it must be at the end");
    }
    if (text.empty() && out.parts.size() + 1 < texts.size()) {
      return Wrong("has an empty segment (\"//\"), which no path may have");
    }
    GH_ASSIGN_OR_RETURN(TemplatePart part, ParsePart(text));
    out.parts.push_back(std::move(part));
  }
  GH_RETURN_IF_ERROR(CheckNames(out));
  return out;
}

absl::StatusOr<std::vector<ResourcePiece>> ParseResource(absl::string_view resource,
                                                         const Template& path) {
  GH_RETURN_IF_ERROR(CheckResourceText(resource));
  std::vector<ResourcePiece> pieces;
  while (!resource.empty()) {
    const size_t open = resource.find_first_of("{}");
    if (open != 0) pieces.push_back({.text = std::string(resource.substr(0, open))});
    if (open == absl::string_view::npos) break;
    const size_t close = resource.find('}', open);
    if (resource[open] == '}' || close == absl::string_view::npos) {
      return Wrong("has a brace without its other half");
    }
    const absl::string_view name = resource.substr(open + 1, close - open - 1);
    GH_RETURN_IF_ERROR(CheckName(name));
    const auto at = path.NameAt(name);
    if (!at.has_value()) return Wrong("uses {", name, "}, which the route's path does not have");
    pieces.push_back({.text = {}, .name = at});
    resource.remove_prefix(close + 1);
  }
  return pieces;
}

Overlap Compare(const Template& a, const Template& b) {
  bool first = false;
  bool second = false;
  for (size_t i = 0; i < a.parts.size() || i < b.parts.size(); ++i) {
    // Whoever has a rest has more segments than the other may still lack one.
    if (i == a.parts.size() || i == b.parts.size()) return Overlap::kApart;
    const bool rest_of_a = a.parts[i].kind == Kind::kRest;
    const bool rest_of_b = b.parts[i].kind == Kind::kRest;
    if (rest_of_a || rest_of_b) {
      first |= !rest_of_a;
      second |= !rest_of_b;
      break;
    }
    const Overlap here = CompareParts(a.parts[i], b.parts[i]);
    if (here == Overlap::kApart) return here;
    first |= here == Overlap::kFirst;
    second |= here == Overlap::kSecond;
  }
  if (first && second) return Overlap::kNeither;
  if (first) return Overlap::kFirst;
  return second ? Overlap::kSecond : Overlap::kSame;
}

std::string PathOfBoth(const Template& a, const Template& b) {
  std::string out;
  for (size_t i = 0; i < a.parts.size() || i < b.parts.size(); ++i) {
    const auto text_of = [i](const Template& t) {
      return i < t.parts.size() && t.parts[i].kind == Kind::kText;
    };
    absl::StrAppend(&out, "/",
                    text_of(a)   ? a.parts[i].text
                    : text_of(b) ? b.parts[i].text
                                 : std::string("x"));
  }
  return out;
}

}  // namespace gatehouse::policy
