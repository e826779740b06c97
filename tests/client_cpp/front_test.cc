// Answers that a thread has in front of the memory: what holds for the memory holds for them.

#include "client/cpp/src/front.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/client_cpp/memories.h"

namespace gatehouse::client {
namespace {

// A part hands out what was inserted; a front the same answer under a count of its own.
bool IsFromFront(const AnswerPtr& found, const AnswerPtr& inserted) {
  return found == inserted && (found.owner_before(inserted) || inserted.owner_before(found));
}

// Asks until this thread's front answers.
void Warm(Memory& memory, const QuestionView& question, const AnswerPtr& inserted,
          int64_t now = kNow) {
  for (int i = 0; i < 100'000; ++i) {
    const AnswerPtr found = Find(memory, question, now);
    ASSERT_EQ(found, inserted);
    if (IsFromFront(found, inserted)) return;
  }
  FAIL() << "never was in the front";
}

void OnAnotherThread(const std::function<void()>& task) { std::thread(task).join(); }

TEST(FrontTest, WhatIsAskedOftenIsFoundWithoutSharedReferences) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  Warm(memory, ViewOf("t"), answer);
  const long before = answer.use_count();
  const AnswerPtr one = Find(memory, ViewOf("t"));
  const AnswerPtr other = Find(memory, ViewOf("t"));
  EXPECT_EQ(answer.use_count(), before);
}

TEST(FrontTest, AThreadThatAsksOnceHasNone) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  OnAnotherThread([&] {
    EXPECT_EQ(Find(memory, ViewOf("t")), answer);
    EXPECT_EQ(Front::OfThisThread(), nullptr);
  });
}

TEST(FrontTest, AnswerDroppedByAnotherThreadIsNotFoundInTheFront) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1, 2});
  Insert(memory, ViewOf("t"), answer);
  Warm(memory, ViewOf("t"), answer);
  OnAnotherThread([&] { EXPECT_EQ(memory.Drop(TagOf(2)), 1U); });
  EXPECT_EQ(Find(memory, ViewOf("t")), nullptr);
}

TEST(FrontTest, AnswerClearedByAnotherThreadIsNotFoundInTheFront) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  Warm(memory, ViewOf("t"), answer);
  OnAnotherThread([&] { EXPECT_EQ(memory.Clear(), 1U); });
  EXPECT_EQ(Find(memory, ViewOf("t")), nullptr);
}

TEST(FrontTest, ADropOfWhatNobodyHasLeavesTheFront) {
  Memory memory(1000, 1 << 20, 1);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  Insert(memory, ViewOf("other"), AnswerWith({2}));
  Warm(memory, ViewOf("t"), answer);
  EXPECT_EQ(memory.Drop(TagOf(2)), 1U);
  EXPECT_EQ(memory.Drop(TagOf(3)), 0U);
  EXPECT_TRUE(IsFromFront(Find(memory, ViewOf("t")), answer));
}

TEST(FrontTest, ReplacedAnswerIsNotFoundInTheFront) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr first = AnswerWith({1});
  const AnswerPtr second = AnswerWith({1});
  Insert(memory, ViewOf("t"), first);
  Warm(memory, ViewOf("t"), first);
  OnAnotherThread([&] { Insert(memory, ViewOf("t"), second); });
  EXPECT_EQ(Find(memory, ViewOf("t")), second);
  Warm(memory, ViewOf("t"), second);
}

TEST(FrontTest, AnswerThatMadeRoomIsNotFoundInTheFront) {
  // Else one that is inserted anew would not replace it there.
  Memory memory(10, 1 << 20, 1);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  Warm(memory, ViewOf("t"), answer);
  OnAnotherThread([&] {
    for (int i = 0; i < 30; ++i) Insert(memory, ViewOf(std::to_string(i)), AnswerWith({2}));
  });
  EXPECT_EQ(Find(memory, ViewOf("t")), nullptr);
}

TEST(FrontTest, EndedAnswerIsNotFoundInTheFront) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer, kLater);
  Warm(memory, ViewOf("t"), answer, kLater - 1);
  EXPECT_EQ(Find(memory, ViewOf("t"), kLater), nullptr);
  EXPECT_EQ(memory.counts().entries, 0U);
}

TEST(FrontTest, AnotherQuestionWithTheSameHashIsNotFoundInTheFront) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  Warm(memory, ViewOf("t"), answer);
  EXPECT_EQ(memory.Find(HashOf(ViewOf("t")), ViewOf("u"), kNow), nullptr);
}

TEST(FrontTest, AnotherClientsMemoryIsNotMistaken) {
  std::optional<Memory> memory;
  for (int i = 0; i < 20; ++i) {
    memory.emplace(1000, 1 << 20);  // at the same place
    EXPECT_EQ(Find(*memory, ViewOf("t")), nullptr);
    const AnswerPtr answer = AnswerWith({i});
    Insert(*memory, ViewOf("t"), answer);
    Warm(*memory, ViewOf("t"), answer);
    Memory beside(1000, 1 << 20);
    EXPECT_EQ(Find(beside, ViewOf("t")), nullptr);
  }
}

TEST(FrontTest, WhatIsLargeStaysInTheMemory) {
  Memory memory(1000, 64 << 20);
  const AnswerPtr answer = AnswerWith({1}, Front::kMostBytes);
  Insert(memory, ViewOf("t"), answer);
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(IsFromFront(Find(memory, ViewOf("t")), answer));
  }
}

TEST(FrontTest, KeepsNoMoreThanItsSlotsOfWhatWasDropped) {
  Memory memory(10'000, 64 << 20);
  constexpr int kAnswers = 3 * static_cast<int>(Front::kSlots);
  std::vector<std::weak_ptr<const AnswerData>> answers;
  answers.reserve(kAnswers);
  OnAnotherThread([&] {
    for (int i = 0; i < kAnswers; ++i) {
      const std::string token = std::to_string(i);
      const AnswerPtr answer = AnswerWith({i});
      answers.emplace_back(answer);
      Insert(memory, ViewOf(token), answer);
      Warm(memory, ViewOf(token), answer);
    }
    memory.Clear();
    size_t kept = 0;
    for (const auto& answer : answers) kept += answer.expired() ? 0 : 1;
    EXPECT_GT(kept, Front::kSlots / 2);
    EXPECT_LE(kept, Front::kSlots);
  });
  // Nor anything when the thread has ended.
  for (const auto& answer : answers) EXPECT_TRUE(answer.expired());
}

TEST(FrontTest, AnAnswerOutlivesItsFrontAndItsMemory) {
  auto memory = std::make_unique<Memory>(1000, 1 << 20);
  AnswerPtr found;
  OnAnotherThread([&] {
    const AnswerPtr answer = AnswerWith({1}, 500);
    Insert(*memory, ViewOf("t"), answer);
    Warm(*memory, ViewOf("t"), answer);
    found = Find(*memory, ViewOf("t"));
  });
  memory.reset();
  EXPECT_EQ(found->detail, std::string(500, 'x'));
  EXPECT_EQ(found.use_count(), 1);
}

TEST(FrontTest, AThreadMayAskWhileItEnds) {
  Memory memory(1000, 1 << 20);
  const AnswerPtr answer = AnswerWith({1});
  Insert(memory, ViewOf("t"), answer);
  struct Last {
    ~Last() {
      for (int i = 0; i < 1000; ++i) *found = Find(*memory, ViewOf("t"));
    }
    Memory* memory = nullptr;
    AnswerPtr* found = nullptr;
  };
  AnswerPtr found;
  OnAnotherThread([&] {
    // Made before the front, and so ended after it.
    thread_local Last last;
    last.memory = &memory;
    last.found = &found;
    Warm(memory, ViewOf("t"), answer);
  });
  EXPECT_EQ(found, answer);
  EXPECT_FALSE(IsFromFront(found, answer));
}

TEST(FrontTest, HitsAreCountedExactlyOverThreads) {
  constexpr uint64_t kThreads = 40;  // more than there are lines to count on
  constexpr uint64_t kFinds = 2000;
  Memory memory(1000, 1 << 20);
  const std::vector<std::string> tokens = {"a", "b", "c"};
  for (const std::string& token : tokens) Insert(memory, ViewOf(token), AnswerWith({1}));
  std::atomic<uint64_t> found{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (uint64_t i = 0; i < kFinds; ++i) {
        if (Find(memory, ViewOf(tokens[i % 3])) != nullptr) ++found;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, kThreads * kFinds);
  EXPECT_EQ(memory.counts().hits, kThreads * kFinds);
  EXPECT_EQ(memory.counts().misses, 0U);
}

// An answer's number is the length of its detail.
TEST(FrontTest, NobodyWhoBeginsAfterADropFindsWhatItDropped) {
  constexpr size_t kRounds = 60;
  constexpr size_t kThreads = 3;
  constexpr size_t kTokens = 4;
  Memory memory(1000, 1 << 20, 2);
  std::atomic<size_t> dropped{0};
  std::atomic<int> wrong{0};
  // The newest that each thread's front has answered with.
  std::vector<std::atomic<size_t>> in_front(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; dropped < kRounds; ++i) {
        const size_t before = dropped;
        const AnswerPtr found = Find(memory, ViewOf(std::to_string(i % kTokens)));
        if (found == nullptr) continue;
        if (found->detail.size() <= before) ++wrong;
        // What a part hands out has three: `answers`, the entry and this one.
        if (found.use_count() == 2) in_front[t] = found->detail.size();
      }
    });
  }
  std::vector<AnswerPtr> answers;
  for (size_t round = 1; round <= kRounds; ++round) {
    for (size_t token = 0; token < kTokens; ++token) {
      answers.push_back(AnswerWith({1}, round));
      Insert(memory, ViewOf(std::to_string(token)), answers.back());
    }
    for (size_t t = 0; t < kThreads; ++t) {
      while (wrong == 0 && in_front[t] < round) std::this_thread::yield();
    }
    if (round % 4 == 0) {
      memory.Clear();
    } else {
      memory.Drop(TagOf(1));
    }
    dropped = round;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace gatehouse::client
