#include "client/cpp/src/memory.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/client_cpp/memories.h"

namespace gatehouse::client {
namespace {

TEST(MemoryTest, IsAskedByTheWholeQuestion) {
  Memory memory(1000, 1 << 20);
  const Check asked{"note/1", "read", "ada", "acme", {{"editor", {"b", "c"}}}, {{"k", "v"}}};
  Insert(memory, ViewOf("token", &asked), AnswerWith({1}));
  EXPECT_NE(Find(memory, ViewOf("token", &asked)), nullptr);

  EXPECT_EQ(Find(memory, ViewOf("token")), nullptr);
  EXPECT_EQ(Find(memory, ViewOf("toke", &asked)), nullptr);
  std::vector<Check> others(10, asked);
  others[0].resource = "note/2";
  others[1].owner.clear();
  others[2].action = "Read";
  others[3].tenant += '\0';
  others[4].relations["editor"] = {"c", "b"};
  others[5].relations["editor"].pop_back();
  others[6].relations["viewer"];
  others[7].attributes["k"] = "w";
  others[8].attributes.clear();
  std::swap(others[9].resource, others[9].owner);
  for (size_t i = 0; i < others.size(); ++i) {
    EXPECT_EQ(Find(memory, ViewOf("token", &others[i])), nullptr) << i;
    // Nor is it the hash that tells them apart.
    const QuestionView other = ViewOf("token", &others[i]);
    EXPECT_EQ(memory.Find(HashOf(ViewOf("token", &asked)), other, kNow), nullptr) << i;
    EXPECT_NE(HashOf(other), HashOf(ViewOf("token", &asked))) << i;
  }
}

TEST(MemoryTest, TextThatMovesFromOneFieldToTheNextIsAnotherQuestion) {
  const Check one{"ab", "c"};
  const Check other{"a", "bc"};
  EXPECT_NE(HashOf(ViewOf("t", &one)), HashOf(ViewOf("t", &other)));
  const Check longer{"b"};
  EXPECT_NE(HashOf(ViewOf("ta", &longer)), HashOf(ViewOf("t", &other)));
}

TEST(MemoryTest, EveryByteOfATokenCounts) {
  std::string token(300, 'a');
  const uint64_t hash = HashOf(ViewOf(token));
  for (char& c : token) {
    c = 'b';
    EXPECT_NE(HashOf(ViewOf(token)), hash);
    c = 'a';
  }
}

TEST(MemoryTest, AnAnswerEndsAtItsMoment) {
  Memory memory(1000, 1 << 20);
  Insert(memory, ViewOf("t"), AnswerWith({1}), kLater);
  EXPECT_NE(Find(memory, ViewOf("t"), kLater - 1), nullptr);
  EXPECT_EQ(Find(memory, ViewOf("t"), kLater), nullptr);
  EXPECT_EQ(memory.counts().entries, 0U);
}

TEST(MemoryTest, AChangeDropsWhatHasItsTagAndNothingElse) {
  Memory memory(1000, 1 << 20);
  Insert(memory, ViewOf("a"), AnswerWith({1, 2, 2}));
  Insert(memory, ViewOf("b"), AnswerWith({2, 3}));
  Insert(memory, ViewOf("c"), AnswerWith({3}));
  EXPECT_EQ(memory.Drop(TagOf(2)), 2U);
  EXPECT_EQ(Find(memory, ViewOf("a")), nullptr);
  EXPECT_EQ(Find(memory, ViewOf("b")), nullptr);
  EXPECT_NE(Find(memory, ViewOf("c")), nullptr);
  EXPECT_EQ(memory.Drop(TagOf(2)), 0U);
}

TEST(MemoryTest, ANewAnswerReplacesTheOldOneAndItsTags) {
  Memory memory(1000, 1 << 20);
  Insert(memory, ViewOf("t"), AnswerWith({1}));
  Insert(memory, ViewOf("t"), AnswerWith({2}));
  EXPECT_EQ(memory.Drop(TagOf(1)), 0U);
  EXPECT_NE(Find(memory, ViewOf("t")), nullptr);
  EXPECT_EQ(memory.counts().entries, 1U);
}

TEST(MemoryTest, HoldsNoMoreEntriesThanAllowed) {
  Memory memory(1000, 64 << 20);
  for (int i = 0; i < 5000; ++i) Insert(memory, ViewOf(std::to_string(i)), AnswerWith({i}));
  EXPECT_LE(memory.counts().entries, 1000U);
  EXPECT_GE(memory.counts().entries, 900U);
}

TEST(MemoryTest, HoldsNoMoreBytesThanAllowed) {
  Memory memory(1000, 100'000, 1);
  for (int i = 0; i < 100; ++i) Insert(memory, ViewOf(std::to_string(i)), AnswerWith({i}, 9000));
  EXPECT_LE(memory.counts().bytes, 100'000U);
  EXPECT_GE(memory.counts().entries, 5U);
  Insert(memory, ViewOf("huge"), AnswerWith({1}, 200'000));
  EXPECT_EQ(Find(memory, ViewOf("huge")), nullptr);
  EXPECT_GE(memory.counts().entries, 5U);
}

TEST(MemoryTest, BytesCountTheTokenAndEveryText) {
  Memory memory(1000, 1 << 20, 1);
  Insert(memory, ViewOf(std::string(5000, 't')), AnswerWith({1}));
  EXPECT_GE(memory.counts().bytes, 5000U);
  const Check check{
      "", "", "", "", {{"r", {std::string(3000, 's')}}}, {{"a", std::string(2000, 'v')}}};
  Insert(memory, ViewOf("t", &check), AnswerWith({1}));
  EXPECT_GE(memory.counts().bytes, 10'000U);
}

TEST(MemoryTest, WhatIsNotUsedGoesFirst) {
  // Time goes on: a front tells of what it answers from time to time.
  constexpr int64_t kStep = Front::kAskedAgain;
  const auto insert = [](Memory& memory, int i) {
    const std::string token = std::to_string(i);
    memory.Insert(HashOf(ViewOf(token)), ViewOf(token), AnswerWith({i}), i * kStep, 1000 * kStep);
  };
  Memory memory(100, 1 << 20, 1);
  for (int i = 0; i < 101; ++i) insert(memory, i);  // the hand has been all around
  for (int i = 101; i < 400; ++i) {
    ASSERT_NE(Find(memory, ViewOf("99"), i * kStep), nullptr) << i;
    insert(memory, i);
  }
  EXPECT_EQ(Find(memory, ViewOf("50"), 400 * kStep), nullptr);
}

TEST(MemoryTest, WhatHasEndedMakesRoomInTime) {
  Memory memory(1000, 1 << 20, 1);
  for (int i = 0; i < 500; ++i) {
    Insert(memory, ViewOf(std::to_string(i)), AnswerWith({i}), kNow + 1);
  }
  for (int i = 500; i < 1000; ++i) {
    const std::string token = std::to_string(i);
    memory.Insert(HashOf(ViewOf(token)), ViewOf(token), AnswerWith({i}), kNow + 1, kLater);
  }
  EXPECT_LE(memory.counts().entries, 550U);
}

TEST(MemoryTest, ClearsEverything) {
  Memory memory(1000, 1 << 20);
  for (int i = 0; i < 100; ++i) Insert(memory, ViewOf(std::to_string(i)), AnswerWith({i}));
  EXPECT_EQ(memory.Clear(), 100U);
  EXPECT_EQ(memory.counts().entries, 0U);
  EXPECT_EQ(memory.counts().bytes, 0U);
  EXPECT_EQ(Find(memory, ViewOf("5")), nullptr);
  EXPECT_EQ(memory.Drop(TagOf(5)), 0U);
}

TEST(MemoryTest, RandomStepsAgreeWithAMap) {
  Memory memory(10'000, 64 << 20);
  std::map<std::string, std::vector<int>> model;
  std::mt19937 random(7);
  const auto number = [&](int below) {
    return static_cast<int>(random() % static_cast<unsigned>(below));
  };
  for (int step = 0; step < 20'000; ++step) {
    const std::string token = std::to_string(number(500));
    switch (number(4)) {
      case 0:
      case 1: {
        const std::vector<int> tags = {number(40), number(40), 1000 + number(200)};
        Insert(memory, ViewOf(token), AnswerWith(tags));
        model[token] = tags;
        break;
      }
      case 2: {
        const int tag = number(3) == 0 ? number(40) : 1000 + number(200);
        const size_t dropped = memory.Drop(TagOf(tag));
        size_t expected = 0;
        for (auto place = model.begin(); place != model.end();) {
          const auto& tags = place->second;
          const bool has = std::find(tags.begin(), tags.end(), tag) != tags.end();
          expected += has ? 1 : 0;
          place = has ? model.erase(place) : std::next(place);
        }
        ASSERT_EQ(dropped, expected);
        break;
      }
      default:
        ASSERT_EQ(Find(memory, ViewOf(token)) != nullptr, model.count(token) == 1) << token;
    }
  }
  EXPECT_EQ(memory.counts().entries, model.size());
}

}  // namespace
}  // namespace gatehouse::client
