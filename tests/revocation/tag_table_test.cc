#include "server/revocation/tag_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gatehouse::revocation {
namespace {

Tag TagOf(uint64_t number) {
  return MakeTag(TagKind::kSubject, "https://issuer.example", absl::StrCat(number));
}

// A tag with these two words, the highest byte first, to put tags where a test wants them.
Tag TagOfWords(uint64_t first, uint64_t second) {
  Tag tag;
  for (size_t i = 0; i < 8; ++i) {
    tag.bytes[i] = static_cast<uint8_t>(first >> (56 - 8 * i));
    tag.bytes[8 + i] = static_cast<uint8_t>(second >> (56 - 8 * i));
  }
  return tag;
}

TEST(MarksTest, ATokenIssuedInTheLastCoveredSecondIsRefusedAndOneOfTheNextIsNot) {
  const Marks marks{.issued_until = 1000, .suspended_until = Marks::kNothing};
  EXPECT_TRUE(marks.Refuse(999, 5000));
  EXPECT_TRUE(marks.Refuse(1000, 5000));
  EXPECT_FALSE(marks.Refuse(1001, 5000));
  EXPECT_TRUE(marks.Refuse(INT64_MIN, 5000));
}

TEST(MarksTest, ASuspensionRefusesEveryTokenUntilItsEndAndNoneFromThenOn) {
  const Marks marks{.issued_until = Marks::kNothing, .suspended_until = 5000};
  EXPECT_TRUE(marks.Refuse(9999, 4999));
  EXPECT_FALSE(marks.Refuse(0, 5000));
  EXPECT_FALSE(marks.Refuse(INT64_MIN, 5000));
}

TEST(MarksTest, EverythingIsRefusedWhateverIatAndClock) {
  const Marks marks{.issued_until = Marks::kEverything, .suspended_until = Marks::kNothing};
  for (const int64_t issued_at : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    EXPECT_TRUE(marks.Refuse(issued_at, INT64_MAX)) << issued_at;
  }
}

TEST(MarksTest, NothingRefusesNothing) {
  EXPECT_TRUE(Marks().empty());
  EXPECT_FALSE(Marks().Refuse(INT64_MIN, 0));
}

TEST(MarksTest, ALastingRevocationAndASuspensionStandSideBySide) {
  const Marks both = Marks{.issued_until = 1000, .suspended_until = 0} |
                     Marks{.issued_until = 0, .suspended_until = 5000} |
                     Marks{.issued_until = 900, .suspended_until = 4000};
  EXPECT_EQ(both, (Marks{.issued_until = 1000, .suspended_until = 5000}));
}

TEST(TagTable, FindsWhatWasSetLastAndNothingElse) {
  TagTable table;
  EXPECT_TRUE(table.Find(TagOf(1)).empty());
  table.Set(TagOf(1), {.issued_until = 10, .suspended_until = 20});
  EXPECT_EQ(table.Find(TagOf(1)), (Marks{.issued_until = 10, .suspended_until = 20}));
  EXPECT_TRUE(table.Find(TagOf(2)).empty());
  table.Set(TagOf(1), {.issued_until = 5, .suspended_until = 0});
  EXPECT_EQ(table.Find(TagOf(1)), (Marks{.issued_until = 5, .suspended_until = 0}));
  EXPECT_EQ(table.size(), 1);
  table.Set(TagOf(1), {});
  EXPECT_TRUE(table.Find(TagOf(1)).empty());
  EXPECT_EQ(table.size(), 0);
  table.Set(TagOf(1), {});
  EXPECT_EQ(table.size(), 0);
}

// Tags of every kind of first word, the reserved ones too, that all want one place.
TEST(TagTable, TagsThatWantTheSamePlaceAreToldApartAlsoWhenSomeAreTakenOut) {
  for (const uint64_t first : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 63, ~uint64_t{0}}) {
    TagTable table;
    const auto tag = [&](uint64_t i) { return TagOfWords(first, i); };
    for (uint64_t i = 0; i < 100; ++i) {
      table.Set(tag(i), {.issued_until = static_cast<uint32_t>(i + 1), .suspended_until = 0});
    }
    for (uint64_t i = 0; i < 100; i += 3) table.Set(tag(i), {});
    for (uint64_t i = 0; i < 100; ++i) {
      EXPECT_EQ(table.Find(tag(i)).issued_until, i % 3 == 0 ? 0 : i + 1) << first << " " << i;
    }
    table.Set(tag(3), {.issued_until = 77, .suspended_until = 0});
    EXPECT_EQ(table.Find(tag(3)).issued_until, 77);
    EXPECT_EQ(table.Find(tag(4)).issued_until, 5);
  }
}

TEST(TagTable, AgreesWithAMapOverAMillionRandomSteps) {
  std::mt19937_64 random(20261121);
  TagTable table;
  std::unordered_map<uint64_t, Marks> model;
  std::vector<Tag> tags;
  for (uint64_t i = 0; i < 20'000; ++i) tags.push_back(TagOf(i));
  for (int step = 0; step < 1'000'000; ++step) {
    // First mostly added, then mostly taken out, so that it grows and shrinks.
    const bool add = random() % 10 < (step < 500'000 ? 7 : 2);
    const uint64_t which = random() % tags.size();
    const Marks marks = add ? Marks{.issued_until = static_cast<uint32_t>(random() % 9 + 1),
                                    .suspended_until = static_cast<uint32_t>(random() % 3)}
                            : Marks();
    table.Set(tags[which], marks);
    if (add) {
      model[which] = marks;
    } else {
      model.erase(which);
    }
    const uint64_t asked = random() % tags.size();
    const auto known = model.find(asked);
    ASSERT_EQ(table.Find(tags[asked]), known == model.end() ? Marks() : known->second) << step;
    ASSERT_EQ(table.size(), model.size());
  }
}

TEST(TagTable, AtOneMillionTagsASlotCostsAtMost64Bytes) {
  TagTable table;
  size_t most = 0;
  for (uint64_t i = 0; i < 1'000'000; ++i) {
    table.Set(TagOf(i), {.issued_until = 1, .suspended_until = 0});
    if (i >= 10'000) most = std::max(most, table.bytes() / table.size());
  }
  std::printf("%zu bytes for %zu tags, %zu a tag; at most %zu on the way from 10,000\n",
              table.bytes(), table.size(), table.bytes() / table.size(), most);
  EXPECT_LE(table.bytes() / table.size(), 64);
  EXPECT_LE(most, 64);
}

TEST(TagTable, GivesItsMemoryBackWhenMostTagsHaveGone) {
  TagTable table;
  const size_t empty = table.bytes();
  for (uint64_t i = 0; i < 100'000; ++i) {
    table.Set(TagOf(i), {.issued_until = 1, .suspended_until = 0});
  }
  const size_t full = table.bytes();
  for (uint64_t i = 0; i < 100'000; ++i) table.Set(TagOf(i), {});
  EXPECT_LT(table.bytes(), full / 16);
  EXPECT_LE(table.bytes(), 2 * empty);
}

TEST(TagTable, WithRoomReservedItDoesNotGrowOnTheWay) {
  TagTable table;
  table.Reserve(50'000);
  const size_t bytes = table.bytes();
  for (uint64_t i = 0; i < 50'000; ++i) {
    table.Set(TagOf(i), {.issued_until = 1, .suspended_until = 0});
  }
  EXPECT_EQ(table.bytes(), bytes);
}

// Readers never miss a tag that stays, see one that was set before they were told, and see
// none that was never there, while the table grows, shrinks and fills with other tags.
TEST(TagTable, ReadersSeeWhatWasSetBeforeWhileItGrowsAndShrinks) {
  constexpr uint64_t kTags = 60'000;
  TagTable table;
  std::vector<Tag> tags;
  for (uint64_t i = 0; i < 2 * kTags; ++i) tags.push_back(TagOf(i));
  // Those of every hundredth stay.
  const auto stays = [](uint64_t i) { return i % 100 == 0; };
  std::atomic<uint64_t> set_up_to = 0;
  std::atomic<bool> stop = false;
  std::atomic<int64_t> faults = 0;
  std::atomic<int64_t> reads = 0;
  std::vector<std::thread> readers;
  readers.reserve(3);
  for (uint64_t r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      std::mt19937_64 random(r);
      while (!stop.load(std::memory_order_relaxed)) {
        const uint64_t known = set_up_to.load(std::memory_order_acquire) / 100 * 100;
        if (known == 0) continue;
        const uint64_t i = random() % known / 100 * 100;
        if (table.Find(tags[i]) !=
            Marks{.issued_until = static_cast<uint32_t>(i + 1), .suspended_until = 9}) {
          ++faults;
        }
        if (!table.Find(tags[kTags + random() % kTags]).empty()) ++faults;
        const Marks other = table.Find(tags[random() % kTags]);
        // Both marks are of one tag and one moment.
        if (!other.empty() && other.suspended_until != 9) ++faults;
        ++reads;
      }
    });
  }
  for (int round = 0; round < 6; ++round) {
    for (uint64_t i = 0; i < kTags; ++i) {
      table.Set(tags[i], {.issued_until = static_cast<uint32_t>(i + 1), .suspended_until = 9});
      if (round == 0) set_up_to.store(i + 1, std::memory_order_release);
    }
    for (uint64_t i = 0; i < kTags; ++i) {
      if (!stays(i)) table.Set(tags[i], {});
    }
  }
  while (reads.load() < 1000) std::this_thread::yield();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(faults, 0) << reads << " reads";
}

}  // namespace
}  // namespace gatehouse::revocation
