#include "server/policy/route_table.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/policy/check_routes.h"
#include "server/policy/route_template.h"

namespace gatehouse::policy {
namespace {

using Captures = decltype(RouteTable::Match::captures);

// The routes of one path and one host.
class Methods {
 public:
  void Add(const Route& route, size_t number) {
    first_ = std::min(first_.value_or(number), number);
    if (route.methods.empty()) any_ = number;
    for (const std::string& method : route.methods) listed_.emplace_back(method, number);
  }

  size_t first() const { return *first_; }

  std::optional<size_t> Find(absl::string_view method) const {
    auto found = Listed(method);
    if (!found.has_value() && method == "HEAD") found = Listed("GET");
    return found.has_value() ? found : any_;
  }

 private:
  std::optional<size_t> Listed(absl::string_view method) const {
    for (const auto& [name, number] : listed_) {
      if (name == method) return number;
    }
    return std::nullopt;
  }

  std::vector<std::pair<std::string, size_t>> listed_;
  std::optional<size_t> any_;
  std::optional<size_t> first_;
};

// The routes of one path.
class Terminal {
 public:
  void Add(const Route& route, size_t number) {
    if (route.hosts.empty()) {
      if (!any_.has_value()) any_.emplace();
      any_->Add(route, number);
    }
    for (const std::string& host : route.hosts) MethodsOf(host).Add(route, number);
  }

  // Null if there is none for this host.
  const Methods* Find(absl::string_view host) const {
    if (const auto found = exact_.find(host); found != exact_.end()) return &found->second;
    for (const auto& [suffix, methods] : below_) {
      if (host.size() > suffix.size() && absl::EndsWith(host, suffix)) return &methods;
    }
    return any_.has_value() ? &*any_ : nullptr;
  }

 private:
  Methods& MethodsOf(absl::string_view host) {
    if (!absl::StartsWith(host, "*.")) return exact_[std::string(host)];
    const std::string suffix(host.substr(1));
    auto at = below_.begin();
    while (at != below_.end() && at->first.size() >= suffix.size()) {
      if (at->first == suffix) return at->second;
      ++at;
    }
    return below_.emplace(at, suffix, Methods())->second;
  }

  absl::flat_hash_map<std::string, Methods> exact_;
  std::vector<std::pair<std::string, Methods>> below_;  // ".example.com", the longest first
  std::optional<Methods> any_;
};

struct Node {
  absl::flat_hash_map<std::string, std::unique_ptr<Node>> texts = {};
  std::unique_ptr<Node> name = {};
  std::unique_ptr<Terminal> end = {};
  std::unique_ptr<Terminal> rest = {};
};

Node& ChildOf(Node& node, const TemplatePart& part) {
  std::unique_ptr<Node>& child =
      part.kind == TemplatePart::Kind::kName ? node.name : node.texts[part.text];
  if (child == nullptr) child = std::make_unique<Node>();
  return *child;
}

Terminal& TerminalOf(Node& root, const Template& path) {
  Node* node = &root;
  for (const TemplatePart& part : path.parts) {
    if (part.kind == TemplatePart::Kind::kRest) {
      if (node->rest == nullptr) node->rest = std::make_unique<Terminal>();
      return *node->rest;
    }
    node = &ChildOf(*node, part);
  }
  if (node->end == nullptr) node->end = std::make_unique<Terminal>();
  return *node->end;
}

// A node has one depth, and so is come to by one path: each is visited once at most.
class Search {
 public:
  Search(const Path& path, absl::string_view host, Captures& captures)
      : path_(path), host_(host), captures_(captures) {}

  const Methods* From(const Node& node, size_t depth) {
    const Path::Segments& segments = path_.segments();
    if (depth == segments.size()) return Of(node.end);
    const absl::string_view segment = segments[depth];
    if (const auto text = node.texts.find(segment); text != node.texts.end()) {
      const Methods* const found = From(*text->second, depth + 1);
      if (found != nullptr) return found;
    }
    if (node.name != nullptr && !segment.empty()) {
      captures_.push_back(segment);
      const Methods* const found = From(*node.name, depth + 1);
      if (found != nullptr) return found;
      captures_.pop_back();
    }
    const Methods* const found = Of(node.rest);
    if (found != nullptr) rest_ = depth;
    return found;
  }

  // Where the rest begins, if that is what matched.
  std::optional<size_t> rest() const { return rest_; }

 private:
  const Methods* Of(const std::unique_ptr<Terminal>& terminal) const {
    return terminal == nullptr ? nullptr : terminal->Find(host_);
  }

  const Path& path_;
  const absl::string_view host_;
  Captures& captures_;
  std::optional<size_t> rest_;
};

struct Asking {
  bool names_rest = false;
  std::vector<ResourcePiece> resource = {};
  std::optional<size_t> owner = {};
  std::optional<size_t> tenant = {};
};

absl::Status ToStatus(const std::vector<Route>& routes, const std::vector<RouteMistake>& mistakes) {
  return absl::InvalidArgumentError(
      absl::StrJoin(mistakes, "\n", [&](std::string* out, const RouteMistake& mistake) {
        const std::string& place = routes[mistake.route].place;
        absl::StrAppend(out, place.empty() ? absl::StrCat("routes[", mistake.route, "]") : place,
                        mistake.field.empty() ? "" : ".", mistake.field, ": ", mistake.what);
      }));
}

}  // namespace

struct RouteTable::Compiled {
  std::vector<Route> routes = {};
  std::vector<Asking> asking = {};  // of each route
  Node root = {};
};

RouteTable::RouteTable() : compiled_(std::make_unique<const Compiled>()) {}
RouteTable::~RouteTable() = default;
RouteTable::RouteTable(RouteTable&&) noexcept = default;
RouteTable& RouteTable::operator=(RouteTable&&) noexcept = default;

absl::StatusOr<RouteTable> RouteTable::Compile(std::vector<Route> routes) {
  const std::vector<RouteMistake> mistakes = CheckRoutes(routes);
  if (!mistakes.empty()) return ToStatus(routes, mistakes);
  auto compiled = std::make_unique<Compiled>();
  compiled->routes = std::move(routes);
  compiled->asking.reserve(compiled->routes.size());
  for (size_t i = 0; i < compiled->routes.size(); ++i) {
    const Route& route = compiled->routes[i];
    GH_ASSIGN_OR_RETURN(const Template path, ParseTemplate(route.path));
    TerminalOf(compiled->root, path).Add(route, i);
    Asking asking{.owner = path.NameAt("owner"), .tenant = path.NameAt("tenant")};
    const TemplatePart& last = path.parts.back();
    asking.names_rest = last.kind == TemplatePart::Kind::kRest && !last.text.empty();
    if (route.needs == Route::Needs::kDecision) {
      GH_ASSIGN_OR_RETURN(asking.resource, ParseResource(route.resource, path));
    }
    compiled->asking.push_back(std::move(asking));
  }
  RouteTable table;
  table.compiled_ = std::move(compiled);
  return table;
}

RouteTable::Match RouteTable::Find(absl::string_view method, absl::string_view host,
                                   const Path& path) const {
  Match match;
  if (path.segments().empty()) return match;
  Search search(path, host, match.captures);
  const Methods* const methods = search.From(compiled_->root, 0);
  if (methods == nullptr) return match;
  const auto found = methods->Find(method);
  match.outcome = found.has_value() ? Outcome::kFound : Outcome::kNoMethod;
  match.route = found.value_or(methods->first());
  if (search.rest().has_value() && compiled_->asking[match.route].names_rest) {
    match.captures.push_back(path.Rest(*search.rest()));
  }
  return match;
}

Question RouteTable::Ask(const Match& match, std::string& text) const {
  const Asking& asking = compiled_->asking[match.route];
  text.clear();
  for (const ResourcePiece& piece : asking.resource) {
    absl::StrAppend(&text, piece.name.has_value() ? match.captures[*piece.name]
                                                  : absl::string_view(piece.text));
  }
  const auto captured = [&](const std::optional<size_t>& name) {
    return name.has_value() ? match.captures[*name] : absl::string_view();
  };
  return Question{.resource = text,
                  .owner = captured(asking.owner),
                  .action = compiled_->routes[match.route].action,
                  .tenant = captured(asking.tenant)};
}

const std::vector<Route>& RouteTable::routes() const { return compiled_->routes; }

}  // namespace gatehouse::policy
