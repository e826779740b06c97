#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "server/config/config.h"
#include "server/edge/syntax.h"
#include "server/policy/route_table.h"

namespace gatehouse::cli {
namespace {

using policy::Route;
using policy::RouteTable;

struct Arguments {
  std::string config = "gatehouse.yaml";
  std::string method;
  std::string url;
};

int Deny(absl::string_view status, absl::string_view why) {
  std::cout << Coloured(Colour::kRed, status) << ": " << Printable(why) << "\n";
  return kNo;
}

// "https://api.example.com/a?b" is sent as "/a?b"; "/a?b" itself too, to no host. Whether `url`
// has an authority, which may be empty.
bool Split(absl::string_view url, std::string& authority, std::string& target) {
  const size_t mark = url.find("://");
  if (absl::StartsWith(url, "/") || mark == absl::string_view::npos) {
    target = std::string(url);
    return false;
  }
  const absl::string_view rest = url.substr(mark + 3);
  const size_t end = rest.find_first_of("/?#");
  authority = std::string(rest.substr(0, end));
  target = end == absl::string_view::npos ? "/" : std::string(rest.substr(end));
  return true;
}

std::string NeedOf(const Route& route) {
  switch (route.needs) {
    case Route::Needs::kNothing:
      return "nothing: it is public";
    case Route::Needs::kToken:
      return "a good token";
    case Route::Needs::kDecision:
      break;
  }
  return "a good token that the policy allows this";
}

std::string Captured(const RouteTable::Match& match, const Route& route) {
  if (match.captures.empty()) return "";
  return absl::StrCat(absl::StrJoin(match.captures, ", "), " by ", route.path);
}

// The methods that a CORS preflight may ask for here, with the places of their routes.
std::string PreflightsFor(const RouteTable& table, absl::string_view host,
                          const policy::Path& path) {
  const std::vector<Route>& routes = table.routes();
  std::map<std::string, std::string> places;  // by method
  const auto ask = [&](const std::string& method) {
    const RouteTable::Match match = table.Find(method, host, path);
    const Route& route = routes[match.route];
    if (match.outcome != RouteTable::Outcome::kFound || !route.preflight) return;
    places[route.methods.empty() ? "any method" : method] = route.place;
  };
  ask("OPTIONS");
  for (const Route& route : routes) {
    for (const std::string& method : route.methods) ask(method);
  }
  if (places.empty()) return "";
  return absl::StrCat("passes without a token for ",
                      absl::StrJoin(places, ", ", [](std::string* out, const auto& one) {
                        absl::StrAppend(out, one.first, " (", one.second, ")");
                      }));
}

void Show(const RouteTable& table, const RouteTable::Match& match, std::string preflight) {
  const Route& route = table.routes()[match.route];
  Rows rows = {{"route", route.place},
               {"path", route.path},
               {"captures", Captured(match, route)},
               {"needs", NeedOf(route)},
               {"audiences", absl::StrJoin(route.audiences, ", ")},
               {"peers", absl::StrJoin(route.peers, ", ")},
               {"preflight", std::move(preflight)}};
  if (route.needs == Route::Needs::kDecision) {
    std::string text;
    const policy::Question question = table.Ask(match, text);
    rows.emplace_back("action", std::string(question.action));
    rows.emplace_back("resource", std::string(question.resource));
    rows.emplace_back("owner", std::string(question.owner));
    rows.emplace_back("tenant", std::string(question.tenant));
  }
  PrintRows(rows);
}

int Find(const Arguments& arguments, const RouteTable& table) {
  std::string authority;
  std::string target;
  std::string host;
  const bool has_authority = Split(arguments.url, authority, target);
  if (!edge::IsMethod(arguments.method)) return Deny("400", "the method is not in upper case");
  if (has_authority && !edge::ReadHost(authority, host)) {
    return Deny("400", "the host is none");
  }
  policy::Path path;
  if (const absl::Status read = path.Read(target); !read.ok()) return Deny("400", read.message());
  const RouteTable::Match match = table.Find(arguments.method, host, path);
  if (match.outcome == RouteTable::Outcome::kNoRoute) {
    return Deny("403", "no route has this path for this host");
  }
  const Route& route = table.routes()[match.route];
  std::string preflight;
  if (arguments.method == "OPTIONS") preflight = PreflightsFor(table, host, path);
  if (match.outcome == RouteTable::Outcome::kNoMethod && !preflight.empty()) {
    PrintRows({{"path", route.path}, {"preflight", preflight}, {"any other", "403"}});
    return kYes;
  }
  if (match.outcome == RouteTable::Outcome::kNoMethod) {
    return Deny("403", absl::StrCat(route.path, " decides alone (", route.place,
                                    "), and does not list this method"));
  }
  std::string text;
  if (route.needs == Route::Needs::kDecision && !CheckQuestion(table.Ask(match, text)).ok()) {
    return Deny("403", absl::StrCat(route.place, ": what it captures names no resource"));
  }
  Show(table, match, std::move(preflight));
  return kYes;
}

int Run(const Arguments& arguments, const Options& options) {
  if (options.output == Output::kJson) return Fail("route has no --output json");
  auto config = config::LoadConfig(arguments.config);
  if (!config.ok()) return Fail(PrintableLines(config.status().message()));
  const auto table = RouteTable::Compile(std::move(config->routes));
  if (!table.ok()) return Fail(PrintableLines(table.status().message()));
  return Find(arguments, *table);
}

}  // namespace

void AddRoute(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      app.add_subcommand("route", "Show which route of a configuration a request takes");
  command->add_option("--config", arguments->config, "The server's configuration file")
      ->capture_default_str()
      ->type_name("FILE");
  command->add_option("method", arguments->method, "The request's method, as in GET")->required();
  command->add_option("url", arguments->url, "Its URL, or its path for no host")->required();
  AddExamples(*command,
              "  gatehouse route GET https://api.example.com/api/ada/tasks/7\n"
              "  gatehouse route --config gatehouse.yaml DELETE /api/ada/tasks/7\n",
              "0 there is a route, 1 it is refused whoever asks, 2 failed or wrong usage");
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Run(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
