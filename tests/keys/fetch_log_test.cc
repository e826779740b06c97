#include "server/keys/fetch_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_split.h"

namespace gatehouse::keys {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000'000;

std::vector<std::string> LinesOf(const std::function<void()>& act) {
  ::testing::internal::CaptureStderr();
  act();
  return absl::StrSplit(::testing::internal::GetCapturedStderr(), '\n', absl::SkipEmpty());
}

TEST(FetchLog, TheFirstFailureIsLoggedWithIssuerUrlAndReason) {
  FetchLog log("me", "https://a.example/jwks");
  EXPECT_THAT(
      LinesOf([&] { log.Failed(0, "no route", "none"); }),
      ElementsAre(AllOf(HasSubstr("issuer=\"me\""), HasSubstr("from=\"https://a.example/jwks\""),
                        HasSubstr("reason=\"no route\""), HasSubstr("in_force=\"none\""))));
}

TEST(FetchLog, FurtherFailuresAreLoggedOnceAMinute) {
  FetchLog log("me", "u");
  const auto lines = LinesOf([&] {
    for (int second = 0; second <= 120; ++second) log.Failed(second * kSecond, "down", "none");
  });
  EXPECT_THAT(lines, ElementsAre(HasSubstr("failures=\"1\""), HasSubstr("failures=\"61\""),
                                 HasSubstr("failures=\"121\"")));
}

TEST(FetchLog, RecoveryIsLoggedOnce) {
  FetchLog log("me", "u");
  LinesOf([&] {
    log.Succeeded(1, {});
    log.Failed(0, "down", "none");
  });
  EXPECT_THAT(LinesOf([&] {
                log.Succeeded(2, {});
                log.Succeeded(2, {});
              }),
              ElementsAre(AllOf(HasSubstr("keys fetched again"), HasSubstr("keys=\"2\""))));
}

TEST(FetchLog, AFailureAfterRecoveryIsLoggedAtOnce) {
  FetchLog log("me", "u");
  const auto lines = LinesOf([&] {
    log.Failed(0, "down", "none");
    log.Succeeded(1, {});
    log.Failed(kSecond, "down", "the copy on disk");
  });
  EXPECT_THAT(lines, ElementsAre(HasSubstr("cannot be fetched"), HasSubstr("keys fetched"),
                                 AllOf(HasSubstr("cannot be fetched"),
                                       HasSubstr("in_force=\"the copy on disk\""))));
}

TEST(FetchLog, KeysLeftOutAreLoggedWhenTheyChange) {
  FetchLog log("me", "u");
  const std::vector<jose::RefusedKey> one = {{"a", "too short"}};
  const std::vector<jose::RefusedKey> two = {{"a", "too short"}, {"b", "odd"}};
  LinesOf([&] { log.Succeeded(1, {}); });
  EXPECT_THAT(LinesOf([&] { log.Succeeded(1, one); }),
              ElementsAre(AllOf(HasSubstr("kid=\"a\""), HasSubstr("reason=\"too short\""))));
  EXPECT_THAT(LinesOf([&] { log.Succeeded(1, one); }), IsEmpty());
  EXPECT_EQ(LinesOf([&] { log.Succeeded(1, two); }).size(), 2U);
  EXPECT_THAT(LinesOf([&] { log.Succeeded(1, {}); }), IsEmpty());
}

}  // namespace
}  // namespace gatehouse::keys
