#include "server/config/route_warnings.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/policy/path.h"
#include "server/policy/route_table.h"

namespace gatehouse::config {
namespace {

using policy::Route;
using policy::Who;

template <typename List>
std::vector<std::string> NamesOf(const List& list, std::string List::value_type::* name) {
  std::vector<std::string> out;
  out.reserve(list.size());
  for (const auto& one : list) out.push_back(one.*name);
  return out;
}

std::string Unknown(absl::string_view what, absl::string_view name,
                    const std::vector<std::string>& known) {
  const std::string meant = Nearest(name, known);
  return absl::StrCat(
      "the policy has no ", what, " \"", log::Escape(name, 64), "\"",
      meant.empty() ? "" : absl::StrCat("; did you mean \"", log::Escape(meant, 64), "\"?"));
}

// A path has braces around nothing but names.
bool Captures(const Route& route, absl::string_view name) {
  return absl::StrContains(route.path, absl::StrCat("/{", name, "}"));
}

class PolicyCheck {
 public:
  PolicyCheck(Config& config, Findings& findings) : config_(config), findings_(findings) {}

  void Check(const Route& route, const std::string& path) {
    if (route.resource.empty() || route.action.empty()) return;
    if (!config_.policy.has_value()) return CheckDefault(route, path);
    const auto& resources = config_.policy->resources;
    const std::string type = route.resource.substr(0, route.resource.find('/'));
    const auto resource = std::find_if(resources.begin(), resources.end(),
                                       [&](const auto& one) { return one.type == type; });
    if (resource == resources.end()) {
      if (absl::StrContains(type, '{')) return;  // said elsewhere
      return findings_.Wrong(
          path + ".resource",
          Unknown("resource", type, NamesOf(resources, &policy::Resource::type)));
    }
    if (resource->tenancy == policy::Tenancy::kRequired && !Captures(route, "tenant")) {
      findings_.Wrong(path + ".path", absl::StrCat("has no {tenant}, but a ", type,
                                                   " is of a tenant (tenant: required), so that "
                                                   "nobody would be allowed"));
    }
    const auto& actions = resource->actions;
    const auto action = std::find_if(actions.begin(), actions.end(),
                                     [&](const auto& one) { return one.name == route.action; });
    if (action == actions.end()) {
      return findings_.Wrong(path + ".action",
                             Unknown(absl::StrCat("action of a ", type), route.action,
                                     NamesOf(actions, &policy::Action::name)));
    }
    CheckWho(route, *action, path);
  }

 private:
  void CheckDefault(const Route& route, const std::string& path) {
    if (config_.issuers.size() > 1) {
      Warn(path + ".resource",
           "without a policy nothing is allowed where there are several issuers");
    } else if (!Captures(route, "owner")) {
      Warn(path + ".path",
           "has no {owner}, and without a policy only owners are allowed: nobody will be");
    }
  }

  // A proxy knows no relations, nor an owner that does not stand in the path.
  void CheckWho(const Route& route, const policy::Action& action, const std::string& path) {
    const bool has_owner = Captures(route, "owner");
    const bool somebody =
        action.is_public ||
        std::any_of(action.allow.begin(), action.allow.end(), [&](const policy::Rule& rule) {
          if (rule.who.kind == Who::Kind::kRelation) return false;
          return rule.who.kind != Who::Kind::kOwner || has_owner;
        });
    if (somebody) return;
    Warn(path + ".path", absl::StrCat("nobody will be allowed: the policy's rules for ",
                                      log::Escape(route.action, 64), " are for ",
                                      has_owner ? "relations" : "owners or relations",
                                      ", and this path says none"));
  }

  void Warn(const std::string& path, absl::string_view what) {
    config_.warnings.push_back(findings_.Sentence(path, what));
  }

  Config& config_;
  Findings& findings_;
};

// A path that the route's template matches, with a slash at its end or without where it has it
// otherwise. Empty if there is none.
std::string OtherwiseEnded(const Route& route) {
  std::vector<std::string> parts = absl::StrSplit(route.path, '/');
  // "/a/**" has "/a/", but not "/a".
  if (parts.back().empty() || absl::StrContains(parts.back(), "**")) {
    parts.pop_back();
  } else {
    parts.emplace_back();
  }
  std::string out;
  for (size_t i = 1; i < parts.size(); ++i) {
    const bool is_name = absl::StartsWith(parts[i], "{");
    absl::StrAppend(&out, "/", is_name ? std::string("x") : parts[i]);
  }
  return out;
}

std::string Escaped(absl::string_view path) {
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7F) {
      out.push_back(c);
    } else {
      absl::StrAppend(&out, "%", absl::Hex(byte, absl::kZeroPad2));
    }
  }
  return out;
}

// Where it says that proxies ask. Empty if it does not.
std::string ProxiesOf(const Config& config) {
  if (!config.forward_auth.empty()) return "listen.forward_auth";
  const auto& callers = config.callers;
  const auto one = std::find_if(callers.begin(), callers.end(), [](const Caller& caller) {
    return std::find(caller.may.begin(), caller.may.end(), Right::kCheck) != caller.may.end();
  });
  if (one == callers.end()) return "";
  return absl::StrCat("callers[", one - callers.begin(), "].may");
}

// What a request must bring: more is larger.
int Strictness(const Route& route) { return static_cast<int>(route.needs); }

// Of what a request to `path` finds under one of the hosts and methods of `route`, one that
// asks for less than that; null for none.
const Route* LooserFor(const Config& config, const Route& route, const policy::RouteTable& table,
                       const policy::Path& path) {
  const std::vector<std::string> any_host = {""};
  const std::vector<std::string> any_method = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  for (const std::string& host : route.hosts.empty() ? any_host : route.hosts) {
    for (const std::string& method : route.methods.empty() ? any_method : route.methods) {
      const auto match = table.Find(method, host, path);
      if (match.outcome != policy::RouteTable::Outcome::kFound) continue;
      const Route& taken = config.routes[match.route];
      if (Strictness(taken) < Strictness(route)) return &taken;
    }
  }
  return nullptr;
}

// The same for templates that match the same paths.
std::string ShapeOf(const Route& route) {
  std::vector<std::string> parts = absl::StrSplit(route.path, '/');
  for (std::string& part : parts) {
    if (absl::StrContains(part, "**")) {
      part = "**";
    } else if (absl::StartsWith(part, "{")) {
      part = "{}";
    }
  }
  return absl::StrJoin(parts, "/");
}

bool ShareAMethod(const Route& a, const Route& b) {
  return a.methods.empty() || b.methods.empty() ||
         std::any_of(a.methods.begin(), a.methods.end(), [&](const std::string& method) {
           return std::find(b.methods.begin(), b.methods.end(), method) != b.methods.end();
         });
}

}  // namespace

void CheckAgainstPolicy(Config& config, Findings& findings) {
  PolicyCheck check(config, findings);
  for (size_t i = 0; i < config.routes.size(); ++i) {
    check.Check(config.routes[i], absl::StrCat("routes[", i, "]"));
  }
}

void WarnOfSlashes(Config& config, const Findings& findings) {
  if (!findings.empty()) return;
  const auto table = policy::RouteTable::Compile(config.routes);
  if (!table.ok()) return;
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const std::string other = OtherwiseEnded(config.routes[i]);
    const std::string target = Escaped(other);
    policy::Path path;
    if (other.empty() || !path.Read(target).ok()) continue;
    const Route* const taken = LooserFor(config, config.routes[i], *table, path);
    if (taken == nullptr) continue;
    config.warnings.push_back(findings.Sentence(
        absl::StrCat("routes[", i, "].path"),
        absl::StrCat("\"", log::Escape(other, 128), "\" takes ", log::Escape(taken->path, 128),
                     " (", taken->place, "), which asks for less: where the service answers it ",
                     "as it does this path, add a route for it")));
  }
}

void WarnOfOtherHosts(Config& config, const Findings& findings) {
  if (!findings.empty()) return;
  std::map<std::string, std::vector<const Route*>> for_any_host;  // by shape
  for (const Route& route : config.routes) {
    if (route.hosts.empty()) for_any_host[ShapeOf(route)].push_back(&route);
  }
  for (size_t i = 0; i < config.routes.size(); ++i) {
    const Route& route = config.routes[i];
    const auto same = for_any_host.find(ShapeOf(route));
    if (route.hosts.empty() || same == for_any_host.end()) continue;
    for (const Route* const other : same->second) {
      if (Strictness(*other) >= Strictness(route) || !ShareAMethod(*other, route)) continue;
      config.warnings.push_back(findings.Sentence(
          absl::StrCat("routes[", i, "].hosts"),
          absl::StrCat("for any other host this path takes ", other->place, ", which asks for ",
                       "less: where the service answers to another name or to its address too, ",
                       "give that route hosts of its own")));
      break;
    }
  }
}

void WarnOfProxies(Config& config, const Findings& findings) {
  if (!findings.empty()) return;
  const auto warn = [&](const std::string& path, absl::string_view what) {
    config.warnings.push_back(findings.Sentence(path, what));
  };
  const bool forward_auth = !config.forward_auth.empty();
  if (const std::string asking = ProxiesOf(config); config.routes.empty() && !asking.empty()) {
    warn(asking, "without routes every request that a proxy asks about is denied: add routes");
  }
  for (size_t i = 0; forward_auth && i < config.routes.size(); ++i) {
    if (config.routes[i].peers.empty()) continue;
    warn(absl::StrCat("routes[", i, "].peers"),
         "never match behind forward-auth (listen.forward_auth), which tells of no peer: what it "
         "asks about is denied here");
  }
  if (forward_auth && config.edge.strip_token) {
    warn("edge.strip_token",
         "is for Envoy alone: behind forward-auth (listen.forward_auth) the proxy must take the "
         "token away itself");
  }
}

}  // namespace gatehouse::config
