#include "server/policy/route_table.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gatehouse::policy {
namespace {

using Outcome = RouteTable::Outcome;
using Texts = std::vector<std::string>;

Route Public(std::string path, Texts methods = {"GET"}, Texts hosts = {}) {
  return {.methods = std::move(methods),
          .hosts = std::move(hosts),
          .path = std::move(path),
          .needs = Route::Needs::kNothing};
}

Route Task(std::string path, std::string resource = "task/{id}") {
  return {.methods = {"GET"},
          .path = std::move(path),
          .resource = std::move(resource),
          .action = "read"};
}

RouteTable Compile(std::vector<Route> routes) {
  auto table = RouteTable::Compile(std::move(routes));
  EXPECT_TRUE(table.ok()) << table.status();
  return table.ok() ? *std::move(table) : RouteTable();
}

// "2", "2 (u1, 42)", "no route", "no method".
std::string Find(const RouteTable& table, absl::string_view method, absl::string_view host,
                 absl::string_view target) {
  Path path;
  EXPECT_TRUE(path.Read(target).ok()) << target;
  const RouteTable::Match match = table.Find(method, host, path);
  if (match.outcome == Outcome::kNoRoute) return "no route";
  if (match.outcome == Outcome::kNoMethod) return "no method";
  std::string out = absl::StrCat(match.route);
  const char* before = " (";
  for (const absl::string_view capture : match.captures) {
    absl::StrAppend(&out, before, capture);
    before = ", ";
  }
  return match.captures.empty() ? out : out + ")";
}

std::string Get(const RouteTable& table, absl::string_view target) {
  return Find(table, "GET", "", target);
}

// The mistakes of `routes`, whose places are "r0", "r1", ...
Texts Mistakes(std::vector<Route> routes) {
  for (size_t i = 0; i < routes.size(); ++i) routes[i].place = absl::StrCat("r", i);
  const auto table = RouteTable::Compile(std::move(routes));
  if (table.ok()) return {};
  EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
  return absl::StrSplit(table.status().message(), '\n');
}

TEST(RouteTableTest, WithoutRoutesNothingMatches) {
  EXPECT_EQ(Get(RouteTable(), "/"), "no route");
  EXPECT_EQ(Get(Compile({}), "/a/b"), "no route");
}

TEST(RouteTableTest, TextWinsOverANameAndThatOverARest) {
  const RouteTable table =
      Compile({Public("/**"), Public("/{x}"), Public("/a"), Public("/a/**"), Public("/a/{x}/c"),
               Public("/a/b/c"), Public("/a/{x}/{y=**}"), Public("/")});
  EXPECT_EQ(Get(table, "/"), "7");
  EXPECT_EQ(Get(table, "/a"), "2");
  EXPECT_EQ(Get(table, "/b"), "1 (b)");
  EXPECT_EQ(Get(table, "/a/b/c"), "5");
  EXPECT_EQ(Get(table, "/a/x/c"), "4 (x)");
  EXPECT_EQ(Get(table, "/a/b/d"), "6 (b, d)");
  EXPECT_EQ(Get(table, "/a/b/d/e/"), "6 (b, d/e/)");
  EXPECT_EQ(Get(table, "/a/b"), "3");
  EXPECT_EQ(Get(table, "/b/c"), "0");
  EXPECT_EQ(Get(table, "/b/"), "0");
}

TEST(RouteTableTest, ANameIsOneSegmentThatIsNotEmpty) {
  const RouteTable table = Compile({Public("/a/{x}")});
  EXPECT_EQ(Get(table, "/a/b"), "0 (b)");
  EXPECT_EQ(Get(table, "/a/b%20c"), "0 (b c)");
  EXPECT_EQ(Get(table, "/a/"), "no route");
  EXPECT_EQ(Get(table, "/a"), "no route");
  EXPECT_EQ(Get(table, "/a/b/"), "no route");
  EXPECT_EQ(Get(table, "/A/b"), "no route");
}

TEST(RouteTableTest, ARestMayBeEmptyBehindItsSlash) {
  const RouteTable table = Compile({Public("/a/{x=**}")});
  EXPECT_EQ(Get(table, "/a/"), "0 ()");
  EXPECT_EQ(Get(table, "/a"), "no route");
  EXPECT_EQ(Get(table, "/a/b/c/"), "0 (b/c/)");
}

TEST(RouteTableTest, TextIsMatchedDecoded) {
  const RouteTable table = Compile({Public("/b\u00fcro/a b")});
  EXPECT_EQ(Get(table, "/b%c3%bcro/%61%20b"), "0");
}

TEST(RouteTableTest, TheSearchComesBackFromTextThatLedNowhere) {
  const RouteTable table = Compile({Public("/a/b/c"), Public("/{x}/b/d"), Public("/{x}/{y}/e")});
  EXPECT_EQ(Get(table, "/a/b/c"), "0");
  EXPECT_EQ(Get(table, "/a/b/d"), "1 (a)");
  EXPECT_EQ(Get(table, "/a/b/e"), "2 (a, b)");
  EXPECT_EQ(Get(table, "/a/b/f"), "no route");
}

TEST(RouteTableTest, AMethodThatTheMostSpecificPathDoesNotListIsDenied) {
  const RouteTable table =
      Compile({Public("/a/**", {}), Public("/a/{x}", {"GET", "PUT"}), Public("/a/b", {"DELETE"})});
  EXPECT_EQ(Find(table, "DELETE", "", "/a/b"), "2");
  EXPECT_EQ(Find(table, "GET", "", "/a/b"), "no method");
  EXPECT_EQ(Find(table, "PUT", "", "/a/c"), "1 (c)");
  EXPECT_EQ(Find(table, "DELETE", "", "/a/c"), "no method");
  EXPECT_EQ(Find(table, "get", "", "/a/c"), "no method");
  EXPECT_EQ(Find(table, "PURGE", "", "/a/b/c"), "0");
}

TEST(RouteTableTest, WhereTheMethodIsMissingARouteOfThatPathIsNamed) {
  const RouteTable table = Compile({Public("/**"), Public("/a", {"PUT"})});
  Path path;
  ASSERT_TRUE(path.Read("/a").ok());
  EXPECT_EQ(table.Find("GET", "", path).route, 1u);
}

TEST(RouteTableTest, GetCoversHeadUnlessHeadIsListed) {
  const RouteTable table = Compile({Public("/a"), Public("/b"), Public("/b", {"HEAD"}),
                                    Public("/c", {"POST"}), Public("/c", {"HEAD"}, {"h"})});
  EXPECT_EQ(Find(table, "HEAD", "", "/a"), "0");
  EXPECT_EQ(Find(table, "HEAD", "", "/b"), "2");
  EXPECT_EQ(Find(table, "GET", "", "/b"), "1");
  EXPECT_EQ(Find(table, "HEAD", "", "/c"), "no method");
  EXPECT_EQ(Find(table, "HEAD", "h", "/c"), "4");
}

TEST(RouteTableTest, TheHostWinsOverTheLongestWildcardAndThatOverAny) {
  const RouteTable table =
      Compile({Public("/a"), Public("/a", {"GET"}, {"*.example.com"}),
               Public("/a", {"GET"}, {"*.api.example.com"}),
               Public("/a", {"POST"}, {"x.api.example.com", "other.example"})});
  EXPECT_EQ(Find(table, "GET", "example.com", "/a"), "0");
  EXPECT_EQ(Find(table, "GET", "", "/a"), "0");
  EXPECT_EQ(Find(table, "GET", ".example.com", "/a"), "0");
  EXPECT_EQ(Find(table, "GET", "badexample.com", "/a"), "0");
  EXPECT_EQ(Find(table, "GET", "api.example.com", "/a"), "1");
  EXPECT_EQ(Find(table, "GET", "y.api.example.com", "/a"), "2");
  EXPECT_EQ(Find(table, "GET", "z.y.api.example.com", "/a"), "2");
  EXPECT_EQ(Find(table, "POST", "x.api.example.com", "/a"), "3");
  // And does not fall through to a wider host either.
  EXPECT_EQ(Find(table, "GET", "x.api.example.com", "/a"), "no method");
  EXPECT_EQ(Find(table, "GET", "other.example", "/a"), "no method");
}

TEST(RouteTableTest, APathWithoutARouteForTheHostLeavesItToAWiderPath) {
  const RouteTable table = Compile({Public("/**"), Public("/a", {"PUT"}, {"h"})});
  EXPECT_EQ(Find(table, "GET", "other", "/a"), "0");
  EXPECT_EQ(Find(table, "GET", "h", "/a"), "no method");
}

TEST(RouteTableTest, AskPutsTheQuestionTogether) {
  const RouteTable table = Compile({Task("/api/{tenant}/{owner}/tasks/{id}"),
                                    Task("/f/{p=**}", "file/x-{p}"), Task("/r", "report/daily")});
  Path path;
  std::string text = "left over";
  ASSERT_TRUE(path.Read("/api/acme/u%C3%A9/tasks/4%202").ok());
  Question asked = table.Ask(table.Find("GET", "", path), text);
  EXPECT_EQ(asked.resource, "task/4 2");
  EXPECT_EQ(asked.owner, "u\u00e9");
  EXPECT_EQ(asked.tenant, "acme");
  EXPECT_EQ(asked.action, "read");
  EXPECT_TRUE(CheckQuestion(asked).ok());

  ASSERT_TRUE(path.Read("/f/a/b").ok());
  asked = table.Ask(table.Find("GET", "", path), text);
  EXPECT_EQ(asked.resource, "file/x-a/b");
  EXPECT_EQ(asked.owner, "");
  EXPECT_EQ(asked.tenant, "");

  ASSERT_TRUE(path.Read("/r").ok());
  EXPECT_EQ(table.Ask(table.Find("GET", "", path), text).resource, "report/daily");
}

TEST(RouteTableTest, AQuestionWithoutAnIdOrThatIsTooLongIsNone) {
  const RouteTable table = Compile({Task("/f/{p=**}", "file/{p}")});
  Path path;
  std::string text;
  ASSERT_TRUE(path.Read("/f/").ok());
  EXPECT_FALSE(CheckQuestion(table.Ask(table.Find("GET", "", path), text)).ok());
  const std::string longest = "/f/" + std::string(Path::kMaxBytes - 3, 'a');
  ASSERT_TRUE(path.Read(longest).ok());
  EXPECT_FALSE(CheckQuestion(table.Ask(table.Find("GET", "", path), text)).ok());
}

struct BadPath {
  const char* path;
  const char* what;
};

TEST(RouteTableTest, WhatIsNoTemplateIsRefused) {
  const std::vector<BadPath> bad = {
      {"", "is required, for example \"/api/{owner}/tasks/{id}\""},
      {"a", "must begin with '/'"},
      {"/a//b", "has an empty segment (\"//\"), which no path may have"},
      {"/a/**/b", "goes on behind **, which stands for all that is left: it must be at the end"},
      {"/a/{x=**}/b",
       "goes on behind **, which stands for all that is left: it must be at the end"},
      {"/{x}/{x}", "has {x} twice: give each its own name"},
      {"/{x}/{x=**}", "has {x} twice: give each its own name"},
      {"/{}",
       "\"\" is no name: it must be letters, digits and '_', 64 at most, and begin with "
       "none of the digits"},
      {"/{a-b}",
       "\"a-b\" is no name: it must be letters, digits and '_', 64 at most, and begin "
       "with none of the digits"},
      {"/{id}.json",
       "\"{id}.json\" is neither text nor a name: {name} stands for one whole "
       "segment, and ** or {name=**} for all that is left"},
      {"/*",
       "\"*\" is neither text nor a name: {name} stands for one whole segment, and ** or "
       "{name=**} for all that is left"},
      {"/a/:id", "\":id\" would be plain text: write {id} for one whole segment"},
      {"/:id(\\d+)/b", "\":id(\\\\d+)\" would be plain text: write {id} for one whole segment"},
      {"/:", "\":\" would be plain text: write {name} for one whole segment"},
      {"/<id>", "\"<id>\" would be plain text: write {id} for one whole segment"},
      {"/<int:task_id>/",
       "\"<int:task_id>\" would be plain text: write {task_id} for one whole segment"},
      {"/<>", "\"<>\" would be plain text: write {name} for one whole segment"},
      {"/a%20b", "\"a%20b\" holds a '%': write the text itself, which is matched decoded"},
      {"/a/../b", "\"..\" can never be sent: the path has a dot segment, and is refused"},
      {"/a;b", "\"a;b\" can never be sent: the path has an escaped ';' (%3b), and is refused"},
      {"/a?b", "\"a?b\" can never be sent: the path has an escaped '?' (%3f), and is refused"},
      {"/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}/{i}", "has 9 names, but may have 8"},
  };
  for (const BadPath& one : bad) {
    EXPECT_EQ(Mistakes({Public(one.path)}), Texts({absl::StrCat("r0.path: ", one.what)}));
  }
  EXPECT_EQ(Mistakes({Public("/a:b/<c/d>/e<f>")}), Texts());
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "/a";
  EXPECT_EQ(Mistakes({Public(deep)}), Texts({"r0.path: has 65 segments, but a path may have 64"}));
}

TEST(RouteTableTest, AResourceIsATypeInPlainTextAndAnIdOfNamesOfThePath) {
  const std::vector<BadPath> bad = {
      {"", "must be a type, '/' and an id, as in \"task/{id}\""},
      {"task", "must be a type, '/' and an id, as in \"task/{id}\""},
      {"task/", "must be a type, '/' and an id, as in \"task/{id}\""},
      {"/{id}", "must be a type, '/' and an id, as in \"task/{id}\""},
      {"{id}/x",
       "must begin with its type in plain text, as in \"task/{id}\": a type that is "
       "taken from the path lets whoever asks choose the rules"},
      {"t{id}/x",
       "must begin with its type in plain text, as in \"task/{id}\": a type that is "
       "taken from the path lets whoever asks choose the rules"},
      {"task/{other}", "uses {other}, which the route's path does not have"},
      {"task/{id", "has a brace without its other half"},
      {"task/id}", "has a brace without its other half"},
      {"task/{id}{x}",
       "has two names with nothing between them: different paths would be one resource"},
  };
  for (const BadPath& one : bad) {
    EXPECT_EQ(Mistakes({Task("/{id}/{x}", one.path)}),
              Texts({absl::StrCat("r0.resource: ", one.what)}));
  }
}

TEST(RouteTableTest, AnOwnerOrTenantThatNothingLooksAtIsRefused) {
  for (const char* name : {"owner", "tenant"}) {
    const std::string what =
        absl::StrCat("r0.path: has {", name, "}, but nothing compares it with the token without ",
                     "resource and action: give these, or use another name");
    Route route = Public(absl::StrCat("/{", name, "}"));
    EXPECT_EQ(Mistakes({route}), Texts({what}));
    route.needs = Route::Needs::kToken;
    EXPECT_EQ(Mistakes({route}), Texts({what}));
    EXPECT_EQ(Mistakes({Task(absl::StrCat("/{", name, "}"), "task/1")}), Texts());
    EXPECT_EQ(
        Mistakes({Task(absl::StrCat("/{", name, "=**}"), "task/1")}),
        Texts({absl::StrCat("r0.path: {", name, "=**} may be empty or hold '/': a resource's ",
                            name, " is one segment, {", name, "}")}));
  }
}

TEST(RouteTableTest, MethodsAndHostsMustBeWrittenAsTheyAreCompared) {
  const std::vector<std::pair<Route, std::string>> bad = {
      {Public("/", {"get"}), "methods[0]: \"get\" is no method: write it in upper case, as in GET"},
      {Public("/", {"GET", "G T"}),
       "methods[1]: \"G T\" is no method: write it in upper case, as in GET"},
      {Public("/", {"GET", "GET"}), "methods[1]: GET is listed twice"},
      {Public("/", {"GET"}, {"*"}), "hosts[0]: \"*\" is no host: leave hosts out for any"},
      {Public("/", {"GET"}, {"a", "a"}), "hosts[1]: a is listed twice"},
      {Public("/", {"GET"}, {"Api.example"}), "hosts[0]: \"Api.example\" must be in lower case"},
      {Public("/", {"GET"}, {"api.example:80"}),
       "hosts[0]: \"api.example:80\" must stand without a port or a scheme"},
      {Public("/", {"GET"}, {"a.*.example"}),
       "hosts[0]: \"a.*.example\" has a '*' that is not \"*.\" at the beginning"},
  };
  for (const auto& [route, what] : bad) {
    EXPECT_EQ(Mistakes({route}), Texts({"r0." + what}));
  }
  for (const char* host : {"", "a..b", ".a", "a.", "*.", "-a", "a b", "a/b", "b\u00fcro"}) {
    EXPECT_EQ(Mistakes({Public("/", {"GET"}, {host})}).size(), 1u) << host;
  }
  EXPECT_EQ(Mistakes({Public("/", {}, {"a", "*.a", "127.0.0.1", "[::1]", "a_b-c.d"})}), Texts());
}

TEST(RouteTableTest, TwoRoutesForTheSameRequestsAreRefusedWithBothPlaces) {
  const auto same = [](const std::string& methods) {
    return Texts({absl::StrCat("r1: is the same as (r0) for ", methods,
                               ": a request would take either. Leave one out, or list the other "
                               "methods in one of them")});
  };
  EXPECT_EQ(Mistakes({Public("/{x}"), Public("/{y}", {"PUT", "GET"})}), same("GET"));
  EXPECT_EQ(Mistakes({Public("/a", {}), Public("/a", {"PUT", "GET"})}), same("PUT, GET"));
  EXPECT_EQ(Mistakes({Public("/a", {"PUT"}), Public("/a", {})}), same("PUT"));
  EXPECT_EQ(Mistakes({Public("/a", {}), Public("/a", {})}), same("any method"));
  EXPECT_EQ(Mistakes({Public("/a", {"GET"}, {"h", "i"}), Public("/a", {"GET"}, {"i"})}).size(), 1u);
  EXPECT_EQ(Mistakes({Public("/a", {"GET"}, {"h"}), Public("/a", {"GET"}, {"i"}), Public("/a"),
                      Public("/a", {"GET"}, {"*.h"}), Public("/a", {"HEAD"}), Public("/a/"),
                      Public("/a", {"PUT"}, {"h"})}),
            Texts());
}

TEST(RouteTableTest, TwoPathsOfWhichNeitherIsTheMoreSpecificAreRefusedWithBothPlaces) {
  EXPECT_EQ(Mistakes({Public("/a/{x}"), Public("/{y}/b", {"PUT"})}),
            Texts({"r1.path: matches \"/a/b\", as does \"/a/{x}\" of (r0), and neither is the more "
                   "specific one: change one of them, or keep their hosts apart"}));
  EXPECT_EQ(Mistakes({Public("/{x}/b/**"), Public("/a/**")}).size(), 1u);
  EXPECT_EQ(Mistakes({Public("/{x}/b"), Public("/a/**")}).size(), 1u);
  EXPECT_EQ(Mistakes({Public("/{x}/"), Public("/a/{y}"), Public("/{x}/{y}/c"), Public("/a/b/**")}),
            Texts({"r3.path: matches \"/a/b/c\", as does \"/{x}/{y}/c\" of (r2), and neither is "
                   "the more specific one: change one of them, or keep their hosts apart"}));
}

TEST(RouteTableTest, PathsOnHostsApartMayOverlap) {
  const auto overlap = [](Texts hosts, Texts others) {
    return Mistakes({Public("/a/{x}", {"GET"}, std::move(hosts)),
                     Public("/{y}/b", {"GET"}, std::move(others))})
        .size();
  };
  EXPECT_EQ(overlap({"h"}, {"i"}), 0u);
  EXPECT_EQ(overlap({"h", "j"}, {"i", "k"}), 0u);
  EXPECT_EQ(overlap({"h"}, {"*.h"}), 0u);
  EXPECT_EQ(overlap({"*.a.h"}, {"*.b.h"}), 0u);
  EXPECT_EQ(overlap({"h", "j"}, {"i", "j"}), 1u);
  EXPECT_EQ(overlap({"h"}, {}), 1u);
  EXPECT_EQ(overlap({"a.h"}, {"*.h"}), 1u);
  EXPECT_EQ(overlap({"*.h"}, {"*.a.h"}), 1u);
}

TEST(RouteTableTest, AllMistakesAreNamed) {
  EXPECT_EQ(
      Mistakes({Public("a", {"get"}), Public("/a"), Public("/b", {"GET"}, {"H"}), Public("/a")})
          .size(),
      4u);
}

TEST(RouteTableTest, ThereMayBeFourThousandNinetySixRoutes) {
  std::vector<Route> routes;
  routes.reserve(RouteTable::kMaxRoutes + 1);
  for (size_t i = 0; i < RouteTable::kMaxRoutes; ++i) {
    routes.push_back(Public(absl::StrCat("/api/r", i, "/{x}")));
  }
  const RouteTable table = Compile(routes);
  EXPECT_EQ(Get(table, "/api/r4095/a"), "4095 (a)");
  routes.push_back(Public("/b"));
  EXPECT_EQ(Mistakes(routes), Texts({"r4096: is one too many: there may be 4096 routes, but there "
                                     "are 4097"}));
}

}  // namespace
}  // namespace gatehouse::policy
