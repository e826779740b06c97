#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>
#include <thread>
#include <vector>

#include "tests/keys/source_fixture.h"

namespace gatehouse::keys {
namespace {

using ::testing::HasSubstr;
using Fetched = KeySource::Fetched;

class FaultsTest : public SourceTest {
 protected:
  // The issuer answers with `fault` for an hour, and then well again.
  void Outage(const Reply& fault, const std::string& error,
              absl::Duration timeout = absl::Seconds(60), int steps = 240) {
    JwksServer server({.body = a_.Jwks()});
    JwksUrlOptions options = OptionsFor(server);
    options.timeout = timeout;
    const auto source = Started(options);
    const auto key = KeyOf(*source, a_);
    ASSERT_NE(key, nullptr);
    server.SetReply(fault);
    Pass(absl::Minutes(5));
    for (int i = 0; i < steps; ++i) {
      Pass(absl::Hours(1) / steps);
      ASSERT_EQ(KeyOf(*source, a_), key) << error;
      ASSERT_FALSE(key->retired()) << error;
    }
    EXPECT_THAT(source->State().last_error, HasSubstr(error));
    EXPECT_TRUE(source->State().has_keys);
    EXPECT_FALSE(Refetch(*source));  // an unknown kid proves nothing
    EXPECT_GT(source->State().failed_fetches, steps / 2);
    EXPECT_LE(source->State().failed_fetches, 400);

    server.Release();
    server.SetReply({.body = TokenMaker::JwksOf({&a_, &b_})});
    Pass(absl::Seconds(15));
    EXPECT_EQ(KeyOf(*source, a_), key);
    EXPECT_NE(KeyOf(*source, b_), nullptr);
    EXPECT_EQ(source->State().last_error, "");
  }
};

TEST_F(FaultsTest, AnHourOf500) { Outage({.status = 500, .body = b_.Jwks()}, "answered HTTP 500"); }

TEST_F(FaultsTest, AnHourOfRedirects) {
  const JwksServer elsewhere({.body = b_.Jwks()});
  Outage({.status = 302, .headers = "Location: " + elsewhere.Url() + "\r\n"}, "a redirect");
  EXPECT_EQ(elsewhere.Requests(), 0);
}

TEST_F(FaultsTest, AnHourOfHtml) {
  Outage({.body = "<!DOCTYPE html><title>Sign in</title>"}, "is of no use: not a JWK Set");
}

TEST_F(FaultsTest, AnHourOfAnswersThatAreCutOff) {
  Outage({.body = b_.Jwks(), .cut_after = 20}, "partial file");
  Outage({.body = b_.Jwks().substr(0, 20), .without_length = true}, "not a JWK Set", absl::Hours(1),
         24);
}

TEST_F(FaultsTest, AnHourOfAnswersThatAreTooLarge) {
  Outage({.body = b_.Jwks() + std::string(256 * 1024, ' ')}, "larger than 262144 bytes");
}

TEST_F(FaultsTest, AnHourOfSilence) {
  Outage({.body = b_.Jwks(), .hold = true}, "Timeout was reached", absl::Milliseconds(20), 12);
}

TEST_F(FaultsTest, AnHourOf304ForWhatNobodyAskedAbout) {
  Outage({.status = 304}, "answered HTTP 304");
}

TEST_F(FaultsTest, AStormOf304KeepsTheKeysForAsLongAsItLasts) {
  const JwksServer server({.body = a_.Jwks(), .etag = "\"v1\""});
  const auto source = Started(OptionsFor(server));
  const auto key = KeyOf(*source, a_);
  ASSERT_NE(key, nullptr);
  for (int i = 0; i < 12 * 48; ++i) Pass(absl::Minutes(5));  // two days
  EXPECT_EQ(KeyOf(*source, a_), key);
  EXPECT_FALSE(key->retired());
  EXPECT_EQ(source->State().not_modified_fetches, server.Requests() - 1);
  EXPECT_EQ(server.NotModified(), server.Requests() - 1);
  EXPECT_GE(server.Requests(), 12 * 48);
  EXPECT_EQ(source->State().failed_fetches, 0);
}

TEST_F(FaultsTest, WhatCameWithTheSameTagAsGarbageIsAskedForWhole) {
  JwksServer server({.body = "<html>", .etag = "\"v1\""});
  const auto source = Started(OptionsFor(server));
  EXPECT_EQ(source->Current(), nullptr);
  server.SetReply({.body = a_.Jwks(), .etag = "\"v1\""});
  Pass(absl::Seconds(15));
  EXPECT_NE(KeyOf(*source, a_), nullptr);
}

TEST_F(FaultsTest, KeysCountForMaxAgeAfterTheLastGoodAnswerAndNoLonger) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = Started(OptionsFor(server));
  const auto key = KeyOf(*source, a_);
  ASSERT_NE(key, nullptr);
  server.SetReply({.status = 500});
  Pass(absl::Hours(24) - absl::Nanoseconds(1));
  EXPECT_EQ(KeyOf(*source, a_), key);
  EXPECT_FALSE(key->retired());
  EXPECT_EQ(source->State().age, absl::Hours(24) - absl::Nanoseconds(1));
  ::testing::internal::CaptureStderr();
  Pass(absl::Nanoseconds(1));
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("too old to count"));
  EXPECT_EQ(source->Current(), nullptr);
  EXPECT_TRUE(key->retired());
  EXPECT_FALSE(source->State().has_keys);
  EXPECT_FALSE(Refetch(*source));

  server.SetReply({.body = a_.Jwks()});
  Pass(absl::Seconds(15));
  ASSERT_NE(KeyOf(*source, a_), nullptr);
  EXPECT_FALSE(KeyOf(*source, a_)->retired());
}

TEST_F(FaultsTest, AJumpOfTheWallClockMovesNoTimerAndNoKey) {
  JwksServer server({.body = TokenMaker::JwksOf({&a_, &b_})});
  const auto source = Started(OptionsFor(server));
  const auto key = KeyOf(*source, a_);
  server.SetReply({.body = a_.Jwks()});
  ASSERT_TRUE(Refetch(*source));  // b is leaving
  const int requests = server.Requests();
  const absl::Time now = clock_.Now();
  for (const absl::Duration jump :
       {absl::Hours(24 * 365), -absl::Hours(1), absl::Hours(24 * 3650)}) {
    clock_.SetWall(now + jump);
    Pass(absl::Seconds(10));
    EXPECT_EQ(server.Requests(), requests);
    EXPECT_EQ(KeyOf(*source, a_), key);
    EXPECT_NE(KeyOf(*source, b_), nullptr);
  }
  clock_.SetWall(now - absl::Hours(24 * 365));
  Pass(absl::Seconds(30));
  EXPECT_EQ(KeyOf(*source, b_), nullptr) << "its minute is over";
  Pass(absl::Minutes(5));
  EXPECT_EQ(server.Requests(), requests + 1);
  EXPECT_EQ(KeyOf(*source, a_), key);
  EXPECT_FALSE(key->retired());
}

class FloodTest : public FaultsTest {
 protected:
  // Ten thousand unknown kids, of which `burst` come every 100 ms; the issuer's new key
  // appears in the middle. Returns how many fetches they caused.
  int Flood(int burst) {
    constexpr int kFlood = 10'000;
    JwksServer server({.body = a_.Jwks()});
    const auto source = Started(OptionsFor(server));
    const int64_t start = clock_.SteadyNanos();
    Answers flood;
    Answers good;
    std::atomic<bool> found = false;
    for (int i = 1; i <= kFlood; ++i) {
      source->AwaitFetch(flood.Waiter());
      if (i % burst == 0) Pass(absl::Milliseconds(100));
      if (i != kFlood / 2) continue;
      server.SetReply({.body = TokenMaker::JwksOf({&a_, &b_})});
      source->AwaitFetch([&, count = good.Waiter()](Fetched fetched) {
        found = KeyOf(*source, b_) != nullptr;
        count(fetched);
      });
    }
    const absl::Duration took = absl::Nanoseconds(clock_.SteadyNanos() - start);
    clock_.Advance(absl::Seconds(2));
    good.WaitFor(1);
    flood.WaitFor(kFlood);
    EXPECT_EQ(good.failed(), 0);
    EXPECT_TRUE(found);
    std::printf("%d unknown kids in %s: %d fetches beside the first, %d turned away\n", kFlood,
                absl::FormatDuration(took).c_str(), server.Requests() - 1, flood.failed());
    return server.Requests() - 1;
  }
};

TEST_F(FloodTest, ManyUnknownKidsCauseOneFetchEachCooldownAndTheNewKeyIsFoundByItsOwnWaiter) {
  EXPECT_LE(Flood(250), 4);  // at 0, 2, 4 s, and once more for the last
  EXPECT_LE(Flood(50), 12);  // 20 s
}

TEST_F(FloodTest, MoreThanThereArePlacesForAtOnceCauseTwoAndTheNewKeyIsFoundAllTheSame) {
  EXPECT_LE(Flood(10'000), 2);
}

}  // namespace
}  // namespace gatehouse::keys
