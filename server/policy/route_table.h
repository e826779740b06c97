#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/policy/path.h"
#include "server/policy/question.h"
#include "server/policy/route.h"

namespace gatehouse::policy {

// Which route a request takes (docs/proxies.md). Immutable; thread-safe. A look-up allocates
// nothing.
//
// The path decides first, its most specific template among those that have a route for the host;
// then the host, itself over the longest "*." over any; then the method. What was decided is not
// taken back: a method that is not listed there is listed nowhere.
class RouteTable {
 public:
  static constexpr size_t kMaxRoutes = 4096;

  // No routes: nothing matches.
  RouteTable();

  // INVALID_ARGUMENT with all mistakes, one a line, each beginning with its route's place: a
  // path that is no template, a name in `resource` that is not in `path`, two routes of which
  // neither is the more specific one, ... Says what would be right.
  static absl::StatusOr<RouteTable> Compile(std::vector<Route> routes);

  ~RouteTable();
  RouteTable(RouteTable&&) noexcept;
  RouteTable& operator=(RouteTable&&) noexcept;

  enum class Outcome {
    kFound,
    kNoRoute,   // no path for this host
    kNoMethod,  // the path is there, for other methods
  };
  struct Match {
    Outcome outcome = Outcome::kNoRoute;
    // The route that was found, by its place in routes(). For kNoMethod one of that path.
    size_t route = 0;
    // What its names stand for, in the order of the template. Views into the path.
    absl::InlinedVector<absl::string_view, 8> captures = {};
  };

  // `method` in upper case; `host` in lower case, without port. `path` outlives the match.
  Match Find(absl::string_view method, absl::string_view host, const Path& path) const;

  // What a found route that needs a decision asks: resource, owner, tenant, action. `text`
  // holds what is put together, and outlives the question as `match` does.
  // It is always UTF-8 without control characters, of a type that the route says. All that
  // CheckQuestion can have against it is that a capture is too long, or that {name=**} was
  // empty and so is the id: the request names no resource, and is to be denied.
  Question Ask(const Match& match, std::string& text) const;

  const std::vector<Route>& routes() const;

 private:
  struct Compiled;
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace gatehouse::policy
