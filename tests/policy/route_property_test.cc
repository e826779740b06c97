#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/policy/route_table.h"

namespace gatehouse::policy {
namespace {

using Outcome = RouteTable::Outcome;
using Texts = std::vector<std::string>;

// ---- A naive reading of the page: all routes that match, sorted. ----

struct Found {
  Outcome outcome = Outcome::kNoRoute;
  size_t route = 0;
  Texts captures = {};

  bool operator==(const Found& other) const {
    return outcome == other.outcome &&
           (outcome != Outcome::kFound || (route == other.route && captures == other.captures));
  }
};

Texts SegmentsOf(const std::string& path) { return absl::StrSplit(path.substr(1), '/'); }

bool IsRest(const std::string& part) { return part == "**" || absl::EndsWith(part, "=**}"); }
bool IsName(const std::string& part) { return part[0] == '{' && !IsRest(part); }

// What the template captures; nullopt if it does not match.
std::optional<Texts> Captures(const std::string& path, const Texts& segments) {
  const Texts parts = SegmentsOf(path);
  Texts out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i >= segments.size()) return std::nullopt;
    if (IsRest(parts[i])) {
      if (parts[i] != "**") {
        out.push_back(
            absl::StrJoin(segments.begin() + static_cast<ptrdiff_t>(i), segments.end(), "/"));
      }
      return out;
    }
    if (parts[i].empty() || !IsName(parts[i])) {
      if (parts[i] != segments[i]) return std::nullopt;
    } else if (segments[i].empty()) {
      return std::nullopt;
    } else {
      out.push_back(segments[i]);
    }
  }
  return parts.size() == segments.size() ? std::optional(out) : std::nullopt;
}

// "0" for text, "1" for a name, "2" for a rest: the least is the most specific.
std::string Rank(const std::string& path) {
  std::string rank;
  for (const std::string& part : SegmentsOf(path)) {
    rank += part.empty() || part[0] != '{' ? (part == "**" ? '2' : '0') : IsRest(part) ? '2' : '1';
  }
  return rank;
}

// How well the route's best host fits: 0 not at all, 1 any, more the closer.
size_t Fit(const Route& route, const std::string& host) {
  size_t best = route.hosts.empty() ? 1 : 0;
  for (const std::string& one : route.hosts) {
    if (one == host) best = 1000;
    const std::string suffix = one.substr(1);
    const bool below = one[0] == '*' && absl::EndsWith(host, suffix) && host != suffix;
    if (below) best = std::max(best, one.size());
  }
  return best;
}

bool Lists(const Route& route, const std::string& method) {
  return route.methods.empty() ||
         std::find(route.methods.begin(), route.methods.end(), method) != route.methods.end();
}

// In what a table may be wrong.
enum class Flaw { kNone, kMethodFallsThrough, kHostFallsThrough, kNameBeforeText, kNoHead };

Found NaiveFind(const std::vector<Route>& routes, Flaw flaw, const std::string& method,
                const std::string& host, const Texts& segments) {
  struct Candidate {
    std::string rank;
    size_t fit;
    size_t route;
    Texts captures;
  };
  std::vector<Candidate> all;
  for (size_t i = 0; i < routes.size(); ++i) {
    const auto captures = Captures(routes[i].path, segments);
    const size_t fit = Fit(routes[i], host);
    if (!captures.has_value() || fit == 0) continue;
    if (flaw == Flaw::kMethodFallsThrough && !Lists(routes[i], method)) continue;
    all.push_back({Rank(routes[i].path), fit, i, *captures});
  }
  if (all.empty()) return {};
  std::sort(all.begin(), all.end(), [flaw](const Candidate& a, const Candidate& b) {
    if (a.rank != b.rank) return (a.rank < b.rank) != (flaw == Flaw::kNameBeforeText);
    return a.fit > b.fit;
  });
  const Candidate& best = all[0];
  Texts methods = {method};
  if (method == "HEAD" && flaw != Flaw::kNoHead) methods.emplace_back("GET");
  for (const std::string& one : methods) {
    for (const Candidate& candidate : all) {
      if (candidate.rank != best.rank) break;
      if (candidate.fit != best.fit && flaw != Flaw::kHostFallsThrough) break;
      if (!Lists(routes[candidate.route], one)) continue;
      return {Outcome::kFound, candidate.route, candidate.captures};
    }
  }
  return {Outcome::kNoMethod, best.route, {}};
}

// ---- Small tables in which routes collide often. ----

class RandomRoutes {
 public:
  explicit RandomRoutes(uint32_t seed) : random_(seed) {}

  std::vector<Route> NextRoutes() {
    std::vector<Route> routes(2 + Below(10));
    for (Route& route : routes) {
      route.needs = Route::Needs::kNothing;
      route.path = NextTemplate();
      for (const char* host : {"h", "a.h", "*.h", "*.a.h"}) {
        if (Below(8) == 0) route.hosts.emplace_back(host);
      }
      for (const char* method : {"GET", "HEAD", "PUT"}) {
        if (Below(2) == 0) route.methods.emplace_back(method);
      }
    }
    return routes;
  }

  std::string NextTarget() {
    std::string path;
    for (size_t left = 1 + Below(4); left > 0; --left) {
      absl::StrAppend(&path, "/", OneOf({"a", "b", "c", "%61"}));
    }
    return Below(4) == 0 ? path + "/" : path;
  }
  std::string NextHost() { return OneOf({"h", "a.h", "b.h", "b.a.h", "other", ""}); }
  std::string NextMethod() { return OneOf({"GET", "HEAD", "PUT", "DELETE"}); }

 private:
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  std::string OneOf(const Texts& list) { return list[Below(list.size())]; }

  std::string NextTemplate() {
    std::string path;
    const size_t count = 1 + Below(3);
    for (size_t i = 0; i < count; ++i) {
      path += Below(2) == 0 ? absl::StrCat("/{n", i, "}") : "/" + OneOf({"a", "b"});
    }
    return path + OneOf({"", "", "", "/", "/**", "/{r=**}"});
  }

  std::mt19937 random_;
};

struct Overlap {
  bool both = false;  // some path matches both
  bool a_has_more = false;
  bool b_has_more = false;
};

// By trying all paths.
Overlap TryAll(const std::string& a, const std::string& b) {
  static const auto* const paths = [] {
    auto* const all = new std::vector<Texts>();
    std::function<void(const Texts&)> grow = [&](const Texts& path) {
      if (!path.empty()) all->push_back(path);
      if (path.size() == 5 || (!path.empty() && path.back().empty())) return;
      for (const char* segment : {"a", "b", "c", ""}) {
        Texts next = path;
        next.emplace_back(segment);
        grow(next);
      }
    };
    grow({});
    return all;
  }();
  Overlap out;
  for (const Texts& path : *paths) {
    const bool in_a = Captures(a, path).has_value();
    const bool in_b = Captures(b, path).has_value();
    out.both = out.both || (in_a && in_b);
    out.a_has_more = out.a_has_more || (in_a && !in_b);
    out.b_has_more = out.b_has_more || (in_b && !in_a);
  }
  return out;
}

const Overlap& OverlapOf(const std::string& a, const std::string& b) {
  static auto* const known = new std::map<std::pair<std::string, std::string>, Overlap>();
  const auto [at, is_new] = known->try_emplace({a, b});
  if (is_new) at->second = TryAll(a, b);
  return at->second;
}

bool CanShareAHost(const Route& a, const Route& b) {
  for (const char* host : {"h", "a.h", "b.h", "b.a.h", "other"}) {
    if (Fit(a, host) > 0 && Fit(b, host) > 0) return true;
  }
  return false;
}

bool AreAtOdds(const Route& a, const Route& b) {
  const Overlap& overlap = OverlapOf(a.path, b.path);
  if (!overlap.both) return false;
  if (overlap.a_has_more && overlap.b_has_more) return CanShareAHost(a, b);
  if (overlap.a_has_more || overlap.b_has_more) return false;
  const bool any = a.hosts.empty() && b.hosts.empty();
  const auto shared =
      std::find_first_of(a.hosts.begin(), a.hosts.end(), b.hosts.begin(), b.hosts.end());
  if (!any && shared == a.hosts.end()) return false;
  for (const char* method : {"GET", "HEAD", "PUT"}) {
    if (Lists(a, method) && Lists(b, method)) return true;
  }
  return false;
}

bool AreAtOdds(const std::vector<Route>& routes) {
  for (size_t i = 0; i < routes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (AreAtOdds(routes[j], routes[i])) return true;
    }
  }
  return false;
}

// The routes of a random list that go together.
std::vector<Route> Reconciled(const std::vector<Route>& routes) {
  std::vector<Route> kept;
  for (const Route& route : routes) {
    kept.push_back(route);
    if (AreAtOdds(kept)) kept.pop_back();
  }
  return kept;
}

Found ToFound(const RouteTable::Match& match) {
  return {match.outcome, match.route, {match.captures.begin(), match.captures.end()}};
}

struct Counts {
  std::map<Outcome, int> outcomes;
  int tables = 0;
  int lookups = 0;
  int wrong = 0;
};

// How a table agrees with one that has `flaw`.
Counts Compare(Flaw flaw, int tables) {
  RandomRoutes random(11);
  Counts counts;
  for (int round = 0; round < tables; ++round) {
    const std::vector<Route> routes = Reconciled(random.NextRoutes());
    const auto table = RouteTable::Compile(routes);
    EXPECT_TRUE(table.ok()) << table.status();
    if (!table.ok()) return counts;
    ++counts.tables;
    for (int i = 0; i < 200; ++i) {
      const std::string target = random.NextTarget();
      const std::string host = random.NextHost();
      const std::string method = random.NextMethod();
      Path path;
      EXPECT_TRUE(path.Read(target).ok());
      const Texts segments(path.segments().begin(), path.segments().end());
      const Found found = ToFound(table->Find(method, host, path));
      const Found expected = NaiveFind(routes, flaw, method, host, segments);
      ++counts.lookups;
      ++counts.outcomes[found.outcome];
      if (found == expected) continue;
      ++counts.wrong;
      if (flaw == Flaw::kNone) {
        ADD_FAILURE() << method << " " << host << " " << target << ": " << found.route
                      << ", but naively " << expected.route;
      }
    }
  }
  return counts;
}

TEST(RoutePropertyTest, ATableFindsWhatSortingAllMatchesFinds) {
  Counts counts = Compare(Flaw::kNone, 1000);
  std::printf("%d tables, %d look-ups: %d found, %d without a method, %d without a route\n",
              counts.tables, counts.lookups, counts.outcomes[Outcome::kFound],
              counts.outcomes[Outcome::kNoMethod], counts.outcomes[Outcome::kNoRoute]);
  EXPECT_EQ(counts.wrong, 0);
  for (const Outcome outcome : {Outcome::kFound, Outcome::kNoMethod, Outcome::kNoRoute}) {
    EXPECT_GT(counts.outcomes[outcome], counts.lookups / 20);
  }
}

TEST(RoutePropertyTest, AFlawedTableIsFoundOut) {
  const std::vector<std::pair<Flaw, const char*>> flaws = {
      {Flaw::kMethodFallsThrough, "methods fall through to a wider path"},
      {Flaw::kHostFallsThrough, "methods fall through to a wider host"},
      {Flaw::kNameBeforeText, "names win over text"},
      {Flaw::kNoHead, "GET does not cover HEAD"},
  };
  for (const auto& [flaw, name] : flaws) {
    const Counts counts = Compare(flaw, 100);
    std::printf("%s: %d of %d look-ups are different\n", name, counts.wrong, counts.lookups);
    EXPECT_GT(counts.wrong, 20) << name;
  }
}

TEST(RoutePropertyTest, TablesAreRefusedExactlyWhereTwoRoutesAreAtOdds) {
  RandomRoutes random(13);
  int refused = 0;
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::vector<Route> routes = random.NextRoutes();
    routes.resize(std::min(routes.size(), 2 + static_cast<size_t>(round) % 2));
    const bool odds = AreAtOdds(routes);
    const auto table = RouteTable::Compile(routes);
    ASSERT_EQ(table.ok(), !odds) << table.status() << routes[0].path << " " << routes[1].path;
    ++(odds ? refused : accepted);
  }
  std::printf("%d tables refused, %d accepted\n", refused, accepted);
  EXPECT_GT(refused, 500);
  EXPECT_GT(accepted, 500);
}

}  // namespace
}  // namespace gatehouse::policy
