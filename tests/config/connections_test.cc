#include "server/config/connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace gatehouse::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr char kRest[] = R"(
issuers:
  - issuer: i
    audiences: [todo]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
)";

absl::StatusOr<Config> Read(const std::string& listen) {
  return ParseConfig(absl::StrCat("listen: {", listen, "}", kRest), "g.yaml");
}

std::vector<std::string> Mistakes(const std::string& listen) {
  const auto config = Read(listen);
  if (config.ok()) return {};
  return absl::StrSplit(config.status().message(), '\n');
}

std::string Of(const std::string& connections) { return "connections: {" + connections + "}"; }

TEST(ConnectionLimits, HaveDefaults) {
  for (const char* const listen : {"", "connections: {}"}) {
    const auto config = Read(listen);
    ASSERT_TRUE(config.ok()) << config.status();
    EXPECT_EQ(config->connections, (Connections{.max_age = absl::Minutes(10),
                                                .max_age_grace = absl::Seconds(30),
                                                .max_streams = 256}));
    EXPECT_EQ(config->drain, absl::Seconds(10));
  }
}

TEST(ConnectionLimits, NoEndIsWarnedOfWhereCertificatesAreAskedFor) {
  const std::string tls = ", tls: {cert_file: c, key_file: k, client_ca_file: a}";
  const auto warnings = [](const std::string& listen) {
    const auto config = Read(listen);
    EXPECT_TRUE(config.ok()) << config.status();
    return config.ok() ? config->warnings : std::vector<std::string>();
  };
  EXPECT_THAT(
      warnings(Of("max_age: 0s") + tls),
      ElementsAre("g.yaml:1: listen.connections.max_age: with listen.tls.client_ca_file lets a "
                  "connection outlive the certificate and the root that it began with, for ever: "
                  "give it an end"));
  EXPECT_THAT(warnings(Of("max_age: 24h") + tls), IsEmpty());
  EXPECT_THAT(warnings(Of("") + tls), IsEmpty());
  EXPECT_THAT(warnings(Of("max_age: 0s") + ", tls: {cert_file: c, key_file: k}"), IsEmpty());
}

TEST(ConnectionLimits, AreTakenOver) {
  const auto config =
      Read("drain: 1500ms, " + Of("max_age: 1h, max_age_grace: 90s, max_streams: 3"));
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->connections,
            (Connections{
                .max_age = absl::Hours(1), .max_age_grace = absl::Seconds(90), .max_streams = 3}));
  EXPECT_EQ(config->drain, absl::Milliseconds(1500));
}

TEST(ConnectionLimits, AgeIsFrom1sTo24hOrZeroForNoEnd) {
  for (const char* const good : {"1s", "24h", "0s"}) {
    EXPECT_THAT(Mistakes(Of(absl::StrCat("max_age: ", good))), IsEmpty()) << good;
  }
  EXPECT_EQ(Read(Of("max_age: 0s"))->connections.max_age, absl::ZeroDuration());
  for (const char* const bad : {"999ms", "24h1s", "-1s", "1ns"}) {
    EXPECT_THAT(Mistakes(Of(absl::StrCat("max_age: ", bad))),
                ElementsAre(AllOf(StartsWith("g.yaml:1: listen.connections.max_age: "))))
        << bad;
  }
  EXPECT_THAT(Mistakes(Of("max_age: 999ms")),
              ElementsAre(HasSubstr("must be from 1s to 24h, or 0s for no end, but is 999ms")));
}

TEST(ConnectionLimits, GraceIsFrom1sTo1h) {
  for (const char* const good : {"1s", "1h"}) {
    EXPECT_THAT(Mistakes(Of(absl::StrCat("max_age_grace: ", good))), IsEmpty()) << good;
  }
  for (const char* const bad : {"0s", "999ms", "3601s"}) {
    EXPECT_THAT(Mistakes(Of(absl::StrCat("max_age_grace: ", bad))),
                ElementsAre(AllOf(StartsWith("g.yaml:1: listen.connections.max_age_grace: "),
                                  HasSubstr("must be from 1s to 1h, but is "))))
        << bad;
  }
}

TEST(ConnectionLimits, StreamsAreFrom1To10000) {
  for (const char* const good : {"1", "10000"}) {
    EXPECT_THAT(Mistakes(Of(absl::StrCat("max_streams: ", good))), IsEmpty()) << good;
  }
  for (const char* const bad : {"0", "10001", "4294967295"}) {
    EXPECT_THAT(Mistakes(Of(absl::StrCat("max_streams: ", bad))),
                ElementsAre(AllOf(StartsWith("g.yaml:1: listen.connections.max_streams: "),
                                  HasSubstr(absl::StrCat("from 1 to 10000, but is ", bad)))))
        << bad;
  }
}

TEST(ConnectionLimits, DrainIsUpTo10m) {
  for (const char* const good : {"0s", "10m"}) {
    EXPECT_THAT(Mistakes(absl::StrCat("drain: ", good)), IsEmpty()) << good;
  }
  for (const char* const bad : {"601s", "600001ms"}) {
    EXPECT_THAT(Mistakes(absl::StrCat("drain: ", bad)),
                ElementsAre(AllOf(StartsWith("g.yaml:1: listen.drain: "),
                                  HasSubstr("must be from 0s to 10m, but is "))))
        << bad;
  }
}

}  // namespace
}  // namespace gatehouse::config
