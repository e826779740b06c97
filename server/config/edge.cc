#include "server/config/edge.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/config/header_names.h"
#include "server/config/issuer.h"
#include "server/config/origin.h"

namespace gatehouse::config {
namespace {

constexpr absl::string_view kNone = "none";
constexpr size_t kMaxRealm = 128;
constexpr size_t kMaxHeaderValue = 4096;

bool IsPrintable(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

class EdgeReader {
 public:
  EdgeReader(const v1::Edge& in, Findings& findings, Config& config)
      : in_(in), findings_(findings), config_(config) {}

  edge::Settings Read() {
    edge::Settings out;
    out.cookie = ReadCookie();
    out.origins = ReadOrigins();
    ReadIdentity(out.identity);
    out.strip_token = in_.strip_token();
    if (findings_.Given("edge.security_headers")) out.security_headers = ReadSecurityHeaders();
    out.realm = ReadRealm(out.realm);
    return out;
  }

 private:
  void Warn(const std::string& path, absl::string_view what) {
    config_.warnings.push_back(findings_.Sentence(path, what));
  }

  std::string ReadCookie() {
    const std::string path = "edge.cookie";
    if (!findings_.Given(path) || !RequireText(in_.cookie(), path, findings_)) return "";
    if (!IsToken(in_.cookie())) {
      findings_.Wrong(path, "is no cookie's name: letters, digits and \"!#$%&'*+-.^_`|~\"");
    } else if (!absl::StartsWith(in_.cookie(), "__Host-")) {
      Warn(path,
           "a cookie whose name does not begin with __Host- can be set by pages of sibling hosts, "
           "and over plain HTTP");
    }
    return in_.cookie();
  }

  std::vector<std::string> ReadOrigins() {
    std::vector<std::string> out;
    if (in_.origins().empty() && findings_.Given("edge.origins")) {
      findings_.Wrong("edge.origins", "is empty; leave it out where only the same origin may ask");
    }
    for (int i = 0; i < in_.origins_size(); ++i) {
      const std::string path = absl::StrCat("edge.origins[", i, "]");
      const std::string& origin = in_.origins(i);
      const std::string why = WhyNoOrigin(origin);
      if (!why.empty()) {
        findings_.Wrong(path, why);
        continue;
      }
      if (std::find(out.begin(), out.end(), origin) != out.end()) {
        findings_.Wrong(path, "is listed twice");
      }
      if (IsPlaintextOrigin(origin)) {
        Warn(path, "whoever is on the way to a page over plain HTTP can speak for it; use https");
      }
      out.push_back(origin);
    }
    return out;
  }

  void ReadIdentity(edge::IdentityHeaders& out) {
    const v1::IdentityHeaders& in = in_.identity_headers();
    const std::array<Named, 6> all = {{{"subject", in.subject(), out.subject},
                                       {"roles", in.roles(), out.roles},
                                       {"tenant", in.tenant(), out.tenant},
                                       {"issuer", in.issuer(), out.issuer},
                                       {"scopes", in.scopes(), out.scopes},
                                       {"email", in.email(), out.email}}};
    std::map<std::string, std::string> seen;  // name -> where
    for (const Named& one : all) {
      const std::string path = absl::StrCat("edge.identity_headers.", one.field);
      ReadName(one, path);
      if (one.out.empty()) continue;
      const auto [before, is_new] = seen.emplace(one.out, path);
      if (!is_new) findings_.Wrong(path, absl::StrCat(one.out, " is ", before->second, " already"));
    }
  }

  struct Named {
    const char* field;
    const std::string& given;
    std::string& out;
  };

  void ReadName(const Named& name, const std::string& path) {
    if (!findings_.Given(path)) return;
    if (name.given == kNone) {
      name.out.clear();
      return;
    }
    const std::string why = WhyNoIdentityHeader(name.given);
    if (!why.empty()) findings_.Wrong(path, why);
    name.out = name.given;
  }

  std::vector<std::pair<std::string, std::string>> ReadSecurityHeaders() {
    const v1::SecurityHeaders& in = in_.security_headers();
    struct Standard {
      const char* field;
      const std::string& given;
      const char* name;
      const char* value;
    };
    const std::array<Standard, 5> all = {
        {{"strict_transport_security", in.strict_transport_security(), "strict-transport-security",
          "max-age=31536000; includeSubDomains"},
         {"content_type_options", in.content_type_options(), "x-content-type-options", "nosniff"},
         {"frame_options", in.frame_options(), "x-frame-options", "DENY"},
         {"content_security_policy", in.content_security_policy(), "content-security-policy",
          "default-src 'self'; frame-ancestors 'none'; object-src 'none'; base-uri 'self'"},
         {"referrer_policy", in.referrer_policy(), "referrer-policy",
          "strict-origin-when-cross-origin"}}};
    std::vector<std::pair<std::string, std::string>> out;
    for (const Standard& one : all) {
      const std::string path = absl::StrCat("edge.security_headers.", one.field);
      if (!findings_.Given(path)) {
        out.emplace_back(one.name, one.value);
      } else if (one.given != kNone && CheckValue(one.given, path)) {
        out.emplace_back(one.name, one.given);
      }
    }
    return out;
  }

  bool CheckValue(const std::string& value, const std::string& path) {
    if (!RequireText(value, path, findings_)) return false;
    if (value.size() <= kMaxHeaderValue && IsPrintable(value) && value.front() != ' ' &&
        value.back() != ' ') {
      return true;
    }
    findings_.Wrong(path, absl::StrCat("must be printable ASCII without spaces around it, ",
                                       kMaxHeaderValue, " bytes at most, or none"));
    return false;
  }

  std::string ReadRealm(const std::string& standard) {
    const std::string path = "edge.realm";
    if (!findings_.Given(path)) return standard;
    if (RequireText(in_.realm(), path, findings_) &&
        (in_.realm().size() > kMaxRealm || !IsPrintable(in_.realm()) ||
         in_.realm().find_first_of("\"\\") != std::string::npos)) {
      findings_.Wrong(path, absl::StrCat("must be printable ASCII without quotes and backslashes, ",
                                         kMaxRealm, " bytes at most"));
    }
    return in_.realm();
  }

  const v1::Edge& in_;
  Findings& findings_;
  Config& config_;
};

bool IsSafe(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

// Whether a token in a cookie may be what lets it through, and change something.
bool NeedsOrigin(const policy::Route& route) {
  return route.needs != policy::Route::Needs::kNothing &&
         (route.methods.empty() ||
          !std::all_of(route.methods.begin(), route.methods.end(), IsSafe));
}

void WarnOfOrigins(const Findings& findings, Config& config) {
  if (config.edge.cookie.empty() || !config.edge.origins.empty()) return;
  const auto& routes = config.routes;
  const auto one = std::find_if(routes.begin(), routes.end(), NeedsOrigin);
  if (one == routes.end()) return;
  config.warnings.push_back(findings.Sentence(
      "edge.cookie",
      absl::StrCat("without edge.origins, requests with the cookie that change something (as to ",
                   log::Escape(one->path, 128), ") pass only where the browser sends no Origin ",
                   "but Sec-Fetch-Site: same-origin; browsers send Origin with most")));
}

}  // namespace

void ReadEdge(const v1::Config& in, Findings& findings, Config& config) {
  config.edge = EdgeReader(in.edge(), findings, config).Read();
  const edge::IdentityHeaders& identity = config.edge.identity;
  if (in.issuers_size() > 1 && in.routes_size() > 0 && !identity.subject.empty() &&
      identity.issuer.empty()) {
    findings.Wrong("edge.identity_headers.issuer",
                   "is required with several issuers, for a subject is only itself under its "
                   "issuer: name a header (x-auth-issuer), or write subject: none");
  }
  if (!identity.email.empty()) {
    config.warnings.push_back(findings.Sentence(
        "edge.identity_headers.email",
        "is what the token says, whether or not the issuer has verified it: no service may take it "
        "for who somebody is"));
  }
  WarnOfOrigins(findings, config);
}

}  // namespace gatehouse::config
