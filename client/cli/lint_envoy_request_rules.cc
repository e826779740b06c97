#include <array>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/lint_envoy_rules.h"

// Rules on what Gatehouse is shown of a request, and on what becomes of its answer.
namespace gatehouse::cli {
namespace {

// Gatehouse takes messages up to 128 KiB, of which 60 KiB of headers leave this to the body.
constexpr double kMostBody = 64 * 1024;
// Envoy writes the path and the host a second time. Where a message that is too large passes
// unasked, 60 KiB of path leave hardly more than this.
constexpr double kMostBodyOfAny = 4096;

// What Gatehouse decides by, beside the identity headers.
constexpr std::array<absl::string_view, 7> kNeeded = {
    "authorization",
    "cookie",
    "origin",
    "sec-fetch-site",
    "access-control-request-method",
    "upgrade",
    "sec-websocket-key",
};
// As the identity headers, also with `_` for any `-`.
constexpr std::array<absl::string_view, 5> kRefused = {"x-http-method-override", "x-http-method",
                                                       "x-method-override", "x-original-url",
                                                       "x-rewrite-url"};
constexpr size_t kMostSpellings = 256;

struct Body {
  const LintNode* settings = nullptr;
  bool fail_open = false;
  bool gateway = false;  // Envoy Gateway's, which has the size alone
};

bool MaySay(const LintNode* value) { return value != nullptr && !IsFalse(value); }

std::vector<Body> AllBodies(const LintModel& model) {
  std::vector<Body> bodies;
  const auto add = [&](const LintNode* settings, bool fail_open, bool gateway) {
    if (settings != nullptr) bodies.push_back({settings, fail_open, gateway});
  };
  bool any_fails_open = false;
  for (const AuthzFilter& filter : model.authz) {
    const bool fail_open = MaySay(Get(filter.config, "failure_mode_allow"));
    any_fails_open |= fail_open;
    add(Get(filter.config, "with_request_body"), fail_open, false);
  }
  for (const LintNode* const settings : model.per_filter) {
    for (const LintNode& setting : settings->values) {
      add(Get(TypedOf(&setting).config, {"check_settings", "with_request_body"}), any_fails_open,
          false);
    }
  }
  for (const Provider& provider : model.providers) {
    add(Get(provider.node, provider.gateway ? "body_to_ext_auth" : "include_request_body_in_check"),
        MaySay(Get(provider.node, "fail_open")), provider.gateway);
  }
  return bodies;
}

Severity SeverityOf(const Body& body) {
  return body.fail_open ? Severity::kDanger : Severity::kWarning;
}

void BodyTooLarge(const LintModel& model, const LintReport& report) {
  for (const Body& body : AllBodies(model)) {
    const LintNode* const most = Get(body.settings, "max_request_bytes");
    if (most == nullptr) continue;
    const auto bytes = NumberOf(most);
    const double limit = body.fail_open ? kMostBodyOfAny : kMostBody;
    if (!bytes.has_value() || *bytes > limit) report.At(*most, "", SeverityOf(body));
  }
}

void BodyPartial(const LintModel& model, const LintReport& report) {
  for (const Body& body : AllBodies(model)) {
    const LintNode* const partial = Get(body.settings, "allow_partial_message");
    if (partial != nullptr && !IsFalse(partial)) report.At(*partial);
  }
}

void BodyAsText(const LintModel& model, const LintReport& report) {
  for (const Body& body : AllBodies(model)) {
    if (body.gateway || IsTrue(Get(body.settings, "pack_as_bytes"))) continue;
    report.At(*body.settings, "", SeverityOf(body));
  }
}

bool AnyMatches(const LintNode& list, absl::string_view name, bool unsure) {
  for (const LintNode& matcher : Items(Get(&list, "patterns"))) {
    if (MatchesText(matcher, name, unsure)) return true;
  }
  return false;
}

// `name` with `-` and `_` for each `-`.
std::vector<std::string> SpellingsOf(absl::string_view name) {
  std::vector<std::string> spellings = {""};
  for (const char c : name) {
    const size_t before = spellings.size();
    if (c == '-' && before < kMostSpellings) {
      spellings.reserve(before * 2);
      for (size_t i = 0; i < before; ++i) spellings.push_back(spellings[i] + '_');
    }
    for (size_t i = 0; i < before; ++i) spellings[i] += c;
  }
  return spellings;
}

// Calls `hidden(name)` and names at `list` the headers for which it is true.
template <typename Hidden>
void ReportHidden(const LintNode& list, const LintReport& report, const Hidden& hidden) {
  std::vector<std::string> names;
  for (const absl::string_view name : kNeeded) {
    if (hidden(name)) names.emplace_back(name);
  }
  std::vector<std::string> loose(kRefused.begin(), kRefused.end());
  const std::vector<std::string>& identity = report.identity_headers();
  loose.insert(loose.end(), identity.begin(), identity.end());
  for (const std::string& name : loose) {
    for (const std::string& spelling : SpellingsOf(name)) {
      if (!hidden(spelling)) continue;
      names.push_back(spelling);
      break;
    }
  }
  if (!names.empty()) report.At(list, absl::StrJoin(names, ", "));
}

void HiddenHeaders(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const allowed = Get(filter.config, "allowed_headers");
    const LintNode* const disallowed = Get(filter.config, "disallowed_headers");
    if (allowed != nullptr) {
      ReportHidden(*allowed, report, [&](absl::string_view name) {
        return !AnyMatches(*allowed, name, /*unsure=*/false);
      });
    }
    if (disallowed != nullptr) {
      ReportHidden(*disallowed, report, [&](absl::string_view name) {
        return AnyMatches(*disallowed, name, /*unsure=*/true);
      });
    }
  }
  for (const Provider& provider : model.providers) {
    const LintNode* const shown = Get(provider.node, "headers_to_ext_auth");
    if (shown == nullptr) continue;
    ReportHidden(*shown, report, [&](absl::string_view name) {
      for (const LintNode& one : Items(shown)) {
        if (absl::EqualsIgnoreCase(TextOf(&one), name)) return false;
      }
      return true;
    });
  }
}

// Whether a route is chosen by headers, which an answer of Gatehouse can add.
bool AnyRouteByHeaders(const LintModel& model) {
  bool by_headers = false;
  for (const LintNode* const routes : model.route_configs) {
    VisitAll(*routes, [&](const LintNode& node) {
      by_headers |= Get(&node, {"match", "headers"}) != nullptr;
    });
  }
  return by_headers;
}

void ClearRouteCache(const LintModel& model, const LintReport& report) {
  const Severity severity = AnyRouteByHeaders(model) ? Severity::kDanger : Severity::kWarning;
  const auto check = [&](const LintNode* value) {
    if (value != nullptr && !IsFalse(value)) report.At(*value, "", severity);
  };
  for (const AuthzFilter& filter : model.authz) {
    check(Get(filter.config, "clear_route_cache"));
    check(Get(filter.config, "clear_route_cache_headers"));
  }
  for (const Provider& provider : model.providers) {
    check(Get(provider.node, provider.gateway ? "recompute_route" : "clear_route_cache"));
  }
}

void AnswerRules(const LintModel& model, const LintReport& report) {
  for (const AuthzFilter& filter : model.authz) {
    const LintNode* const rules = Get(filter.config, "decoder_header_mutation_rules");
    if (rules == nullptr) continue;
    for (const absl::string_view field :
         {"disallow_all", "disallow_expression", "allow_expression"}) {
      const LintNode* const value = Get(rules, field);
      if (value != nullptr && !IsFalse(value)) report.At(*value);
    }
  }
}

}  // namespace

const std::vector<LintRule>& RequestRules() {
  static const auto* const kRules = new std::vector<LintRule>{
      {"body-too-large", Severity::kWarning,
       "bodies up to so many bytes are sent along, and Gatehouse takes messages up to 128 KiB, "
       "with the headers (up to 60 KiB, and path and host once more): a larger one is an error, "
       "so that the client is refused, or with failure_mode_allow let through",
       "leave with_request_body out: Gatehouse does not look at bodies (or max_request_bytes: "
       "4096)   # Istio, Envoy Gateway: maxRequestBytes",
       BodyTooLarge},
      {"body-partial", Severity::kWarning,
       "the upstream gets more of the body than the decision was shown",
       "allow_partial_message: false, or leave with_request_body out: Gatehouse does not look at "
       "bodies",
       BodyPartial},
      {"body-as-text", Severity::kWarning,
       "a body that is no UTF-8 makes the question unreadable, so that the client is refused, or "
       "with failure_mode_allow let through",
       "pack_as_bytes: true, or leave with_request_body out: Gatehouse does not look at bodies",
       BodyAsText},
      {"hidden-headers", Severity::kDanger,
       "Gatehouse does not see $0: it decides on another token than the upstream sees, or lets "
       "pass what it would refuse or remove (a regular expression counts for neither side)",
       "leave the list out", HiddenHeaders},
      {"clear-route-cache", Severity::kWarning,
       "the route is chosen anew after Gatehouse decided: a header that the answer adds or removes "
       "can lead to a route whose rules were never asked about",
       "clear_route_cache: false   # Istio: clearRouteCache, Envoy Gateway: recomputeRoute",
       ClearRouteCache},
      {"answer-restricted", Severity::kWarning,
       "what Gatehouse wants set or removed is dropped: a client's own identity headers may reach "
       "the upstream",
       "leave decoder_header_mutation_rules out", AnswerRules},
  };
  return *kRules;
}

}  // namespace gatehouse::cli
