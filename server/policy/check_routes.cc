#include "server/policy/check_routes.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"
#include "server/policy/route_table.h"
#include "server/policy/route_template.h"

namespace gatehouse::policy {
namespace {

constexpr size_t kMaxHost = 253;
constexpr size_t kMaxMethod = 20;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("\"", log::Escape(text, 128), "\"");
}

bool IsMethod(absl::string_view method) {
  return !method.empty() && method.size() <= kMaxMethod &&
         std::all_of(method.begin(), method.end(),
                     [](char c) { return absl::ascii_isupper(static_cast<unsigned char>(c)); });
}

bool IsLabel(absl::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return absl::ascii_islower(byte) || absl::ascii_isdigit(byte) || c == '-' || c == '_';
         });
}

bool IsAddress(absl::string_view host) {
  return absl::ConsumePrefix(&host, "[") && absl::ConsumeSuffix(&host, "]") && !host.empty() &&
         host.find_first_not_of("0123456789abcdef:.") == absl::string_view::npos;
}

// Empty if it is one.
std::string WhyNoHost(absl::string_view host) {
  if (host == "*") return "\"*\" is no host: leave hosts out for any";
  if (IsAddress(host)) return "";
  absl::string_view name = host;
  absl::ConsumePrefix(&name, "*.");
  if (absl::StrContains(name, '*')) {
    return Quoted(host) + " has a '*' that is not \"*.\" at the beginning";
  }
  if (absl::StrContains(name, ':')) return Quoted(host) + " must stand without a port or a scheme";
  if (absl::AsciiStrToLower(name) != name) return Quoted(host) + " must be in lower case";
  const std::vector<absl::string_view> labels = absl::StrSplit(name, '.');
  if (host.size() <= kMaxHost && std::all_of(labels.begin(), labels.end(), IsLabel)) return "";
  return Quoted(host) +
         " is no host: write \"api.example.com\", or \"*.example.com\" for all below";
}

// All that `host` stands for, `other` stands for too.
bool IsBelow(absl::string_view host, absl::string_view other) {
  if (host == other) return true;
  absl::string_view suffix = other;
  return absl::ConsumePrefix(&suffix, "*") && absl::EndsWith(host, suffix);
}

bool HostsAreApart(const Route& a, const Route& b) {
  if (a.hosts.empty() || b.hosts.empty()) return false;
  return std::none_of(a.hosts.begin(), a.hosts.end(), [&](const std::string& one) {
    return std::any_of(b.hosts.begin(), b.hosts.end(), [&](const std::string& other) {
      return IsBelow(one, other) || IsBelow(other, one);
    });
  });
}

template <typename List>
std::optional<std::string> InBoth(const List& a, const List& b) {
  const auto found = std::find_first_of(a.begin(), a.end(), b.begin(), b.end());
  return found == a.end() ? std::nullopt : std::optional<std::string>(*found);
}

// What they would both answer, if their paths are the same: "GET", "any method". Of one that
// takes any, all that the other one lists.
std::optional<std::string> SharedMethod(const Route& a, const Route& b) {
  if (a.methods.empty() && b.methods.empty()) return "any method";
  if (a.methods.empty()) return absl::StrJoin(b.methods, ", ");
  if (b.methods.empty()) return absl::StrJoin(a.methods, ", ");
  return InBoth(a.methods, b.methods);
}

bool ShareHost(const Route& a, const Route& b) {
  if (a.hosts.empty() || b.hosts.empty()) return a.hosts.empty() && b.hosts.empty();
  return InBoth(a.hosts, b.hosts).has_value();
}

class Checker {
 public:
  explicit Checker(const std::vector<Route>& routes) : routes_(routes) {}

  std::vector<RouteMistake> Check() {
    if (routes_.size() > RouteTable::kMaxRoutes) {
      Wrong(RouteTable::kMaxRoutes, "",
            absl::StrCat("is one too many: there may be ", RouteTable::kMaxRoutes, " routes, but ",
                         "there are ", routes_.size()));
      return std::move(mistakes_);
    }
    templates_.resize(routes_.size());
    for (size_t i = 0; i < routes_.size(); ++i) CheckOne(i);
    return std::move(mistakes_);
  }

 private:
  void Wrong(size_t route, std::string field, std::string what) {
    mistakes_.push_back({.route = route, .field = std::move(field), .what = std::move(what)});
  }

  void CheckOne(size_t i) {
    const size_t before = mistakes_.size();
    CheckMethods(i);
    CheckHosts(i);
    auto path = ParseTemplate(routes_[i].path);
    if (path.ok()) {
      CheckNeeds(i, *path);
    } else {
      Wrong(i, "path", std::string(path.status().message()));
    }
    if (mistakes_.size() != before) return;
    templates_[i] = *std::move(path);
    for (size_t other = 0; other < i; ++other) {
      if (templates_[other].has_value() && AreAtOdds(other, i)) return;
    }
  }

  void CheckMethods(size_t i) {
    const std::vector<std::string>& methods = routes_[i].methods;
    for (size_t m = 0; m < methods.size(); ++m) {
      const std::string field = absl::StrCat("methods[", m, "]");
      if (!IsMethod(methods[m])) {
        Wrong(i, field, Quoted(methods[m]) + " is no method: write it in upper case, as in GET");
      } else if (std::count(methods.begin(), methods.begin() + static_cast<ptrdiff_t>(m),
                            methods[m]) > 0) {
        Wrong(i, field, methods[m] + " is listed twice");
      }
    }
  }

  void CheckHosts(size_t i) {
    const std::vector<std::string>& hosts = routes_[i].hosts;
    for (size_t h = 0; h < hosts.size(); ++h) {
      const std::string field = absl::StrCat("hosts[", h, "]");
      const std::string why = WhyNoHost(hosts[h]);
      if (!why.empty()) {
        Wrong(i, field, why);
      } else if (std::count(hosts.begin(), hosts.begin() + static_cast<ptrdiff_t>(h), hosts[h]) >
                 0) {
        Wrong(i, field, hosts[h] + " is listed twice");
      }
    }
  }

  void CheckNeeds(size_t i, const Template& path) {
    const Route& route = routes_[i];
    if (route.needs == Route::Needs::kDecision) {
      const auto resource = ParseResource(route.resource, path);
      if (!resource.ok()) Wrong(i, "resource", std::string(resource.status().message()));
      return;
    }
    for (const absl::string_view name : {"owner", "tenant"}) {
      if (!path.NameAt(name).has_value()) continue;
      Wrong(i, "path",
            absl::StrCat("has {", name, "}, but nothing compares it with the token without ",
                         "resource and action: give these, or use another name"));
    }
    if (!route.resource.empty() || !route.action.empty()) {
      Wrong(i, "resource", "asks the policy on a route that needs no decision: leave one out");
    }
  }

  bool AreAtOdds(size_t earlier, size_t later) {
    const Route& a = routes_[earlier];
    const Route& b = routes_[later];
    const Overlap overlap = Compare(*templates_[earlier], *templates_[later]);
    if (overlap == Overlap::kSame && ShareHost(a, b)) {
      const auto method = SharedMethod(a, b);
      if (!method.has_value()) return false;
      Wrong(later, "",
            absl::StrCat("is the same as ", Name(earlier), " for ", *method,
                         ": a request would take either. Leave one out, or list the other methods "
                         "in one of them"));
      return true;
    }
    if (overlap != Overlap::kNeither || HostsAreApart(a, b)) return false;
    const std::string both = log::Escape(PathOfBoth(*templates_[earlier], *templates_[later]), 128);
    Wrong(later, "path",
          absl::StrCat("matches \"", both, "\", as does ", Quoted(a.path), " of ", Name(earlier),
                       ", and neither is the more specific one: change one of them, or keep their "
                       "hosts apart"));
    return true;
  }

  std::string Name(size_t route) const {
    const std::string& place = routes_[route].place;
    return place.empty() ? absl::StrCat("routes[", route, "]") : absl::StrCat("(", place, ")");
  }

  const std::vector<Route>& routes_;
  std::vector<std::optional<Template>> templates_;
  std::vector<RouteMistake> mistakes_;
};

}  // namespace

std::vector<RouteMistake> CheckRoutes(const std::vector<Route>& routes) {
  return Checker(routes).Check();
}

}  // namespace gatehouse::policy
