#include "server/revocation/random_id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

namespace gatehouse::revocation {
namespace {

constexpr int64_t kNow = 1'700'000'000'000'000;

std::vector<std::string> At(int64_t micros, size_t count = 1) {
  return IdsAt(micros, count).value();
}

TEST(RandomId, IsDifferentEachTimeAndAnId) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string id = RandomId().value();
    EXPECT_TRUE(IsId(id)) << id;
    EXPECT_TRUE(seen.insert(id).second) << id;
  }
}

TEST(IdsAt, AreAsManyAsWereAskedForAndAllDifferent) {
  const std::vector<std::string> ids = At(kNow, 1000);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), 1000);
  EXPECT_TRUE(std::all_of(ids.begin(), ids.end(), [](const auto& id) { return IsId(id); }));
  EXPECT_TRUE(At(kNow, 0).empty());
}

// In an index they lie behind one another, so that those of one commit share its pages.
TEST(IdsAt, OfALaterMicrosecondSortBehindAllOfAnEarlierOne) {
  for (int i = 0; i < 100; ++i) EXPECT_LT(At(kNow + i)[0], At(kNow + i + 1)[0]);
  EXPECT_LT(At(0xffff)[0], At(0x10000)[0]);
}

TEST(IdsAt, NobodyCanGuessOneFromTheOthersOfItsMoment) {
  std::set<std::string> random;
  for (const std::string& id : At(kNow, 100)) random.insert(id.substr(16));
  for (const std::string& id : At(kNow, 100)) random.insert(id.substr(16));
  EXPECT_EQ(random.size(), 200);
}

TEST(IdsAt, AClockThatIsFarOffMakesIdsTheSame) {
  for (const int64_t micros : {std::numeric_limits<int64_t>::min(), int64_t{-1}, int64_t{0},
                               std::numeric_limits<int64_t>::max()}) {
    EXPECT_TRUE(IsId(At(micros)[0])) << micros;
  }
}

TEST(IsId, IsThirtyTwoLowerCaseHexadecimalDigits) {
  EXPECT_TRUE(IsId(std::string(32, 'f')));
  EXPECT_FALSE(IsId(std::string(31, 'f')));
  EXPECT_FALSE(IsId(std::string(33, 'f')));
  EXPECT_FALSE(IsId(std::string(32, 'F')));
  EXPECT_FALSE(IsId(std::string(32, 'g')));
  EXPECT_FALSE(IsId(""));
}

}  // namespace
}  // namespace gatehouse::revocation
