#include "server/keys/cache_headers.h"

#include <gtest/gtest.h>

#include <initializer_list>

namespace gatehouse::keys {
namespace {

CacheHeaders Of(std::initializer_list<absl::string_view> lines) {
  CacheHeaders headers;
  for (const absl::string_view line : lines) headers.Add(line);
  return headers;
}

std::optional<absl::Duration> Lifetime(std::initializer_list<absl::string_view> lines) {
  return Of(lines).Lifetime();
}

TEST(CacheHeaders, TheLifetimeIsMaxAgeLessAge) {
  EXPECT_EQ(Lifetime({"Cache-Control: max-age=60\r\n"}), absl::Seconds(60));
  EXPECT_EQ(Lifetime({"cache-control:public,MAX-AGE=60 , x"}), absl::Seconds(60));
  EXPECT_EQ(Lifetime({"Cache-Control: max-age=\"60\""}), absl::Seconds(60));
  EXPECT_EQ(Lifetime({"Age: 20", "Cache-Control: max-age=60"}), absl::Seconds(40));
  EXPECT_EQ(Lifetime({"Age: 61", "Cache-Control: max-age=60"}), absl::ZeroDuration());
}

TEST(CacheHeaders, OfTwoTheFirstCountsAndNoCacheWins) {
  EXPECT_EQ(Lifetime({"Cache-Control: max-age=60, max-age=90"}), absl::Seconds(60));
  EXPECT_EQ(Lifetime({"Cache-Control: max-age=60", "Cache-Control: no-cache"}),
            absl::ZeroDuration());
  EXPECT_EQ(Lifetime({"Cache-Control: No-Store"}), absl::ZeroDuration());
}

TEST(CacheHeaders, NonsenseSaysNothing) {
  for (const absl::string_view line :
       {"Cache-Control: max-age=-1", "Cache-Control: max-age=", "Cache-Control: max-age=1.5",
        "Cache-Control: max-age=1h", "Cache-Control", "X-Cache-Control: max-age=60", "", "\r\n",
        "Cache-Control: s-maxage=60", "Expires: Sat, 21 Nov 2026 12:00:00 GMT"}) {
    EXPECT_EQ(Lifetime({line}), std::nullopt) << std::string(line);
  }
  EXPECT_EQ(Lifetime({"Age: x", "Cache-Control: max-age=60"}), absl::Seconds(60));
}

TEST(CacheHeaders, ANumberThatNoIntegerHoldsIsVeryLong) {
  EXPECT_GT(Lifetime({"Cache-Control: max-age=99999999999999999999"}), absl::Hours(24 * 365));
}

TEST(CacheHeaders, ValidatorsAreKeptAsTheyStand) {
  const CacheHeaders headers =
      Of({"ETAG: W/\"a b\"\r\n", "Last-Modified: Sat, 21 Nov 2026 12:00:00 GMT\r\n"});
  EXPECT_EQ(headers.validators().etag, "W/\"a b\"");
  EXPECT_EQ(headers.validators().last_modified, "Sat, 21 Nov 2026 12:00:00 GMT");
}

TEST(CacheHeaders, AValidatorThatCannotBeSentBackIsDropped) {
  EXPECT_TRUE(Of({"ETag: \"a\x01\""}).validators().empty());
  EXPECT_TRUE(Of({"ETag: \"\xC3\xA9\""}).validators().empty());
  EXPECT_TRUE(Of({std::string("ETag: ") + std::string(513, 'x')}).validators().empty());
}

TEST(CacheHeaders, TheLastAnswerOnTheWayCounts) {
  const CacheHeaders headers =
      Of({"HTTP/1.1 200 Connection established", "ETag: \"proxy\"", "Cache-Control: max-age=1",
          "HTTP/1.1 200 OK", "Cache-Control: max-age=60"});
  EXPECT_TRUE(headers.validators().empty());
  EXPECT_EQ(headers.Lifetime(), absl::Seconds(60));
}

}  // namespace
}  // namespace gatehouse::keys
