#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/cli/child.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kConfig[] = R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations: {sqlite: {path: a.db}}
routes:
  - {methods: any, path: /healthz, public: true}
  - {methods: GET, hosts: api.example.com, path: "/api/{owner}/tasks/{id}", resource: "task/{id}", action: read}
  - {methods: [PUT, DELETE], path: /cors, authenticated: true, preflight: true}
  - {methods: OPTIONS, path: /cors, public: true}
  - {methods: [PUT, POST], path: /no-options, authenticated: true, preflight: true}
  - {methods: any, path: /any, authenticated: true, preflight: true}
)";

class RouteTest : public ::testing::Test {
 protected:
  RouteTest() {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "g.yaml") << kConfig;
  }
  ~RouteTest() override { std::filesystem::remove_all(folder_); }

  Result Ask(const std::string& method, const std::string& url) {
    return RunChild({.arguments = {"route", "--config", folder_ / "g.yaml", method, url}});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(RouteTest, ARouteIsShownWithWhatItAsks) {
  const Result result = Ask("HEAD", "https://API.example.com:443/api/ada/tasks/7%208?q");
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("routes[1]"), HasSubstr("ada, 7 8 by /api/{owner}/"),
                                HasSubstr("task/7 8"), HasSubstr("the policy allows this")));
  EXPECT_THAT(Ask("PUT", "/healthz").out, HasSubstr("nothing: it is public"));
}

TEST_F(RouteTest, WhatIsRefusedWhoeverAsksIsOneAndSaysWhy) {
  Result result = Ask("PUT", "https://api.example.com/api/ada/tasks/7");
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("403: /api/{owner}/tasks/{id} decides alone"),
                                HasSubstr("does not list this method")));
  result = Ask("GET", "/api/ada/tasks/7");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "403: no route has this path for this host\n");
  result = Ask("GET", "/a/%2e%2e/healthz");
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "400: the path has a dot segment\n");
  EXPECT_EQ(Ask("get", "/healthz").out, "400: the method is not in upper case\n");
  EXPECT_EQ(Ask("GET", "healthz").out, "400: the path does not begin with '/'\n");
}

TEST_F(RouteTest, APreflightIsShownWithTheMethodsThatItMayAskFor) {
  Result result = Ask("OPTIONS", "/no-options");
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, AllOf(HasSubstr("preflight  passes without a token for POST ("),
                                HasSubstr("routes[4]), PUT ("), HasSubstr("any other  403\n")));
  result = Ask("OPTIONS", "/cors");
  EXPECT_THAT(result.out, AllOf(HasSubstr("nothing: it is public"), HasSubstr("for DELETE ("),
                                HasSubstr("routes[2]), PUT ("), HasSubstr("routes[2])\n")));
  EXPECT_THAT(Ask("OPTIONS", "/any").out,
              AllOf(HasSubstr("a good token\n"), HasSubstr("for any method (")));
  EXPECT_EQ(Ask("OPTIONS", "/healthz").out.find("preflight"), std::string::npos);
  EXPECT_EQ(Ask("GET", "/any").out.find("preflight"), std::string::npos);
  EXPECT_EQ(Ask("OPTIONS", "https://api.example.com/api/ada/tasks/7").code, 1);
}

TEST_F(RouteTest, AUrlWithoutItsHostIsRefused) {
  for (const char* const url : {"https:///healthz", "https://", "https://:443/healthz"}) {
    const Result result = Ask("GET", url);
    EXPECT_EQ(result.code, 1) << url;
    EXPECT_EQ(result.out, "400: the host is none\n") << url;
  }
  EXPECT_EQ(Ask("GET", "/healthz").code, 0);
}

TEST_F(RouteTest, AConfigurationThatCannotBeReadIsTwo) {
  std::ofstream(folder_ / "g.yaml") << "routes: 1\n";
  const Result result = Ask("GET", "/healthz");
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
}

}  // namespace
}  // namespace gatehouse::cli
