#include "server/config/routes.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/config/issuer.h"
#include "server/config/route_peers.h"
#include "server/config/route_warnings.h"
#include "server/policy/check_routes.h"

namespace gatehouse::config {
namespace {

using policy::Route;

constexpr absl::string_view kNeeds =
    "needs exactly one of public: true, authenticated: true, and resource with action";

std::string PathOf(size_t route) { return absl::StrCat("routes[", route, "]"); }

class RoutesReader {
 public:
  RoutesReader(const v1::Config& in, Audiences& audiences, Findings& findings)
      : in_(in), audiences_(audiences), findings_(findings) {}

  std::vector<Route> Read() {
    if (in_.routes().empty() && findings_.Given("routes")) {
      findings_.Wrong("routes", "is empty: leave it out where no proxy asks");
    }
    std::vector<Route> out;
    out.reserve(static_cast<size_t>(in_.routes_size()));
    for (int i = 0; i < in_.routes_size(); ++i) {
      out.push_back(ReadOne(in_.routes(i), PathOf(out.size())));
    }
    Compare(out);
    return out;
  }

 private:
  Route ReadOne(const v1::Route& in, const std::string& path) {
    Route out{.methods = ReadMethods(in, path + ".methods"),
              .hosts = {in.hosts().begin(), in.hosts().end()},
              .path = in.path(),
              .resource = in.resource(),
              .action = in.action(),
              .audiences = audiences_.Read(in.audiences(), path, "route"),
              .peers = ReadPeers(in.peers(), path + ".peers", findings_),
              .preflight = in.preflight(),
              .place = findings_.PlaceOf(path)};
    if (in.hosts().empty() && findings_.Given(path + ".hosts")) {
      findings_.Wrong(path + ".hosts", "is empty; leave it out for any host");
    }
    const bool asks = findings_.Given(path + ".resource") || findings_.Given(path + ".action");
    if (int{in.public_()} + int{in.authenticated()} + int{asks} != 1) {
      findings_.Wrong(path, kNeeds);
      unclear_.insert(path);
    } else if (asks) {
      RequireText(in.action(), path + ".action", findings_);
      if (!RequireText(in.resource(), path + ".resource", findings_)) unclear_.insert(path);
    } else {
      out.needs = in.public_() ? Route::Needs::kNothing : Route::Needs::kToken;
    }
    if (in.public_() && !in.audiences().empty()) {
      findings_.Wrong(path + ".audiences",
                      "asks for a token's audience on a public route, which "
                      "asks for no token");
    }
    return out;
  }

  // None for any.
  std::vector<std::string> ReadMethods(const v1::Route& in, const std::string& path) {
    const auto& given = in.methods();
    if (given.empty()) {
      findings_.Wrong(path, "is required: a list such as [GET, POST], or any");
    }
    if (given.size() == 1 && given[0] == "any") return {};
    for (int i = 0; i < given.size(); ++i) {
      if (absl::EqualsIgnoreCase(given[i], "any")) {
        findings_.Wrong(absl::StrCat(path, "[", i, "]"),
                        "any method is said by `any` in lower case, and alone");
        return {};
      }
    }
    return {given.begin(), given.end()};
  }

  // What is wrong with their texts, and between them.
  void Compare(const std::vector<Route>& routes) {
    std::vector<Route> clear = routes;
    for (size_t i = 0; i < clear.size(); ++i) {
      if (unclear_.count(PathOf(i)) == 0) continue;
      // Of which nothing more is found wrong.
      clear[i].needs = Route::Needs::kDecision;
      clear[i].resource = "unknown/unknown";
    }
    for (const policy::RouteMistake& mistake : policy::CheckRoutes(clear)) {
      const std::string path = PathOf(mistake.route);
      findings_.Wrong(mistake.field.empty() ? path : absl::StrCat(path, ".", mistake.field),
                      mistake.what);
    }
  }

  const v1::Config& in_;
  Audiences& audiences_;
  Findings& findings_;
  std::set<std::string> unclear_;
};

}  // namespace

void ReadRoutes(const v1::Config& in, Audiences& audiences, Findings& findings, Config& config) {
  config.routes = RoutesReader(in, audiences, findings).Read();
  CheckAgainstPolicy(config, findings);
  WarnOfSlashes(config, findings);
  WarnOfOtherHosts(config, findings);
}

}  // namespace gatehouse::config
