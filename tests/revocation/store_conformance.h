#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "server/revocation/store.h"
#include "tests/revocation/store_testing.h"
#include "tests/support/fake_clock.h"

// What every RevocationStore promises. A store takes part with a `Backend` that is
// default-constructed over an empty store, and
//   std::unique_ptr<RevocationStore> Open(size_t max_queued, const Clock&,
//                                         RevocationListener&)
// which opens the same store each time, one at a time.
namespace gatehouse::revocation {

template <typename Backend>
class StoreConformance : public testing::Test {
 protected:
  std::unique_ptr<RevocationStore> Open(RevocationListener& listener, size_t max_queued = 1024) {
    return backend_.Open(max_queued, clock_, listener);
  }
  std::unique_ptr<RevocationStore> Open() { return Open(listener_); }

  FakeClock clock_{kStart};
  RecordingListener listener_;
  Backend backend_;
};

TYPED_TEST_SUITE_P(StoreConformance);

TYPED_TEST_P(StoreConformance, AnEmptyStoreTellsItsRevisionOnceAndNoFacts) {
  const auto store = this->Open();
  EXPECT_EQ(this->listener_.calls(), 1);
  EXPECT_EQ(this->listener_.revision(), 0);
  EXPECT_EQ(this->listener_.told(), 0);
  EXPECT_TRUE(this->listener_.changes().empty());
}

TYPED_TEST_P(StoreConformance, StoreIdIs32HexDigitsAndStableOverReopening) {
  std::string id;
  for (int round = 0; round < 3; ++round) {
    const auto store = this->Open();
    if (round == 0) id = store->store_id();
    EXPECT_EQ(store->store_id(), id);
  }
  EXPECT_EQ(id.size(), 32);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos) << id;
}

TYPED_TEST_P(StoreConformance, EachAppendMakesTheNextRevision) {
  const auto store = this->Open();
  std::set<std::string> ids;
  for (int64_t i = 1; i <= 5; ++i) {
    const auto result = AppendAndWait(*store, SubjectFact(absl::StrCat("u", i)));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(result->existed);
    EXPECT_EQ(result->revision, i);
    EXPECT_EQ(result->fact.revision, i);
    EXPECT_EQ(result->fact.create_time, kStart);
    EXPECT_EQ(result->fact.id.size(), 32);
    ids.insert(result->fact.id);
  }
  EXPECT_EQ(ids.size(), 5);
}

TYPED_TEST_P(StoreConformance, EveryFieldComesBackAsItWasWritten) {
  std::vector<NewFact> facts;
  facts.push_back(SubjectFact("u1"));
  // Every token for ever, empty texts, and bytes that break careless stores.
  NewFact odd = SubjectFact(std::string("nul\0'quote\xff\n", 12), kAll, absl::InfiniteFuture());
  odd.actor = "";
  odd.reason = std::string(256, '\'');
  facts.push_back(odd);
  NewFact old = SubjectFact("u2", -1, absl::FromUnixMicros(-1));
  old.kind = TagKind::kKey;
  facts.push_back(old);

  std::vector<Fact> written;
  {
    const auto store = this->Open();
    for (const NewFact& fact : facts) {
      const auto result = AppendAndWait(*store, fact);
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->fact.target, fact.target);
      EXPECT_EQ(result->fact.tag, fact.tag);
      EXPECT_EQ(result->fact.kind, fact.kind);
      EXPECT_EQ(result->fact.issued_until, fact.issued_until);
      EXPECT_EQ(result->fact.end_time, fact.end_time);
      EXPECT_EQ(result->fact.actor, fact.actor);
      EXPECT_EQ(result->fact.reason, fact.reason);
      written.push_back(result->fact);
    }
  }
  RecordingListener reopened;
  const auto store = this->Open(reopened);
  const auto list = ListAndWait(*store, {});
  ASSERT_TRUE(list.ok()) << list.status();
  const std::vector<Fact> kept = AllFacts(*store);
  ASSERT_EQ(kept.size(), written.size());
  EXPECT_EQ(reopened.tags(), written.size());
  ASSERT_EQ(list->facts.size(), written.size());
  for (size_t i = 0; i < written.size(); ++i) {
    EXPECT_TRUE(SameFact(kept[i], written[i])) << i;
    EXPECT_EQ(reopened.On(written[i].tag), MarksOf(written[i])) << i;
    EXPECT_TRUE(SameFact(list->facts[written.size() - 1 - i], written[i])) << i;
  }
}

TYPED_TEST_P(StoreConformance, AnEndBetweenTwoMicrosecondsIsNotStoredSooner) {
  const absl::Time end = kStart + absl::Nanoseconds(1);
  const auto store = this->Open();
  const auto result = AppendAndWait(*store, SubjectFact("u1", 10, end));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_GE(result->fact.end_time, end);
  EXPECT_LE(result->fact.end_time, end + absl::Microseconds(1));
  const auto again = AppendAndWait(*store, SubjectFact("u1", 10, end));
  EXPECT_TRUE(again.ok() && again->existed);
}

TYPED_TEST_P(StoreConformance, AFactThatRefusesAtLeastTheSameAndEndsNoSoonerIsGivenInstead) {
  const auto store = this->Open();
  const absl::Time end = kStart + absl::Hours(1);
  const auto first = AppendAndWait(*store, SubjectFact("u1", 100, end));
  ASSERT_TRUE(first.ok()) << first.status();
  for (const NewFact& narrower :
       {SubjectFact("u1", 100, end), SubjectFact("u1", 99, end),
        SubjectFact("u1", 100, end - absl::Seconds(1)), SubjectFact("u1", -5, kStart)}) {
    const auto again = AppendAndWait(*store, narrower);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again->existed);
    EXPECT_TRUE(SameFact(again->fact, first->fact));
    EXPECT_EQ(again->revision, 1);
  }
  EXPECT_EQ(this->listener_.changes().size(), 1);
  EXPECT_EQ(this->listener_.revision(), 1);
}

TYPED_TEST_P(StoreConformance, ABroaderFactIsWrittenBesideTheNarrowerOne) {
  const auto store = this->Open();
  const absl::Time end = kStart + absl::Hours(1);
  ASSERT_TRUE(AppendAndWait(*store, SubjectFact("u1", 100, end)).ok());
  int64_t revision = 1;
  // Refuses more; ends later; ends later but refuses less; covers all but ends sooner.
  for (const NewFact& other :
       {SubjectFact("u1", 101, end), SubjectFact("u1", 100, end + absl::Microseconds(1)),
        SubjectFact("u1", 99, absl::InfiniteFuture()), SubjectFact("u1", kAll, kStart)}) {
    const auto result = AppendAndWait(*store, other);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_FALSE(result->existed);
    EXPECT_EQ(result->fact.revision, ++revision);
  }
}

TYPED_TEST_P(StoreConformance, AnotherTagIsAnotherFact) {
  const auto store = this->Open();
  NewFact session = SubjectFact("u1", kAll, absl::InfiniteFuture());
  session.kind = TagKind::kSession;
  session.tag = MakeTag(session.kind, session.issuer, session.target);
  ASSERT_TRUE(AppendAndWait(*store, session).ok());
  const auto result = AppendAndWait(*store, SubjectFact("u1"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->existed);
}

TYPED_TEST_P(StoreConformance, TheListenerKnowsAFactBeforeItsWriterIsAcknowledged) {
  const auto store = this->Open();
  for (int i = 0; i < 20; ++i) {
    Promised<bool> known;
    Promised<int64_t> revision;
    store->Append(SubjectFact(absl::StrCat("u", i)), [&](absl::StatusOr<AppendResult> result) {
      revision.Set(this->listener_.revision());
      known.Set(result.ok() && this->listener_.On(result->fact.tag) == MarksOf(result->fact));
    });
    EXPECT_TRUE(known.Take());
    EXPECT_EQ(revision.Take(), i + 1);
  }
}

TYPED_TEST_P(StoreConformance, NobodyIsAcknowledgedWhileTheListenerIsBusy) {
  Gate gate;
  const auto store = this->Open();
  this->listener_.HoldAt(&gate);
  Promised<absl::StatusOr<AppendResult>> result;
  store->Append(SubjectFact("u1"),
                [&](absl::StatusOr<AppendResult> r) { result.Set(std::move(r)); });
  gate.AwaitSomebody();
  EXPECT_EQ(result.times(), 0);
  gate.Open();
  EXPECT_TRUE(result.Take().ok());
}

TYPED_TEST_P(StoreConformance, ARevisionIsNeverReusedAfterReopening) {
  for (int64_t round = 0; round < 4; ++round) {
    RecordingListener listener;
    const auto store = this->Open(listener);
    EXPECT_EQ(listener.revision(), 2 * round);
    EXPECT_EQ(listener.tags(), static_cast<size_t>(2 * round));
    for (int64_t i = 1; i <= 2; ++i) {
      const auto result = AppendAndWait(*store, SubjectFact(absl::StrCat(round, "-", i)));
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->fact.revision, 2 * round + i);
    }
  }
}

TYPED_TEST_P(StoreConformance, EveryFactOfALongStoreIsToldOnceAndInOrderOnReopening) {
  constexpr int kFacts = 3000;
  {
    const auto store = this->Open(this->listener_, kFacts);
    for (int i = 1; i < kFacts; ++i) {
      store->Append(SubjectFact(absl::StrCat("u", i)), [](const auto&) {});
    }
    ASSERT_TRUE(AppendAndWait(*store, SubjectFact("last")).ok());
  }
  RecordingListener reopened;
  const auto store = this->Open(reopened);
  EXPECT_EQ(reopened.told(), kFacts);
  EXPECT_EQ(reopened.tags(), kFacts);
  const std::vector<Fact> facts = AllFacts(*store);
  ASSERT_EQ(facts.size(), kFacts);
  for (size_t i = 0; i < facts.size(); ++i) {
    ASSERT_EQ(facts[i].revision, static_cast<int64_t>(i + 1));
    ASSERT_EQ(reopened.On(facts[i].tag), MarksOf(facts[i]));
  }
  EXPECT_EQ(reopened.revision(), kFacts);
}

TYPED_TEST_P(StoreConformance, AListIsNewestFirstAndSaysWhetherThereIsMore) {
  const auto store = this->Open();
  const auto empty = ListAndWait(*store, {});
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_TRUE(empty->facts.empty());
  EXPECT_FALSE(empty->more);
  EXPECT_EQ(empty->revision, 0);

  for (int i = 1; i <= 4; ++i) {
    ASSERT_TRUE(AppendAndWait(*store, SubjectFact(absl::StrCat("u", i))).ok());
  }
  const auto page = ListAndWait(*store, {.limit = 3});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->facts.size(), 3);
  EXPECT_EQ(page->facts[0].target, "u4");
  EXPECT_EQ(page->facts[2].target, "u2");
  EXPECT_TRUE(page->more);
  EXPECT_EQ(page->revision, 4);
  const auto exact = ListAndWait(*store, {.limit = 4});
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_EQ(exact->facts.size(), 4);
  EXPECT_FALSE(exact->more);
}

TYPED_TEST_P(StoreConformance, PagesHoldEveryFactOnceWhileNewOnesArrive) {
  const auto store = this->Open();
  for (int i = 1; i <= 10; ++i) {
    ASSERT_TRUE(AppendAndWait(*store, SubjectFact(absl::StrCat("u", i))).ok());
  }
  std::vector<int64_t> revisions;
  ListQuery query{.limit = 3};
  for (int page = 1; page <= 4; ++page) {
    const auto result = ListAndWait(*store, query);
    ASSERT_TRUE(result.ok()) << result.status();
    for (const Fact& fact : result->facts) revisions.push_back(fact.revision);
    EXPECT_EQ(result->more, page < 4);
    query.before_revision = revisions.back();
    ASSERT_TRUE(AppendAndWait(*store, SubjectFact(absl::StrCat("new", page))).ok());
  }
  EXPECT_THAT(revisions, testing::ElementsAre(10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
}

// However rare what fits the query is, and however large: whoever reads on from the last one
// would else not know where from.
TYPED_TEST_P(StoreConformance, APageWithMoreBehindItHoldsAtLeastOneFact) {
  const auto store = this->Open(this->listener_, 8192);
  for (int i = 1; i < 5000; ++i) {
    NewFact fact = SubjectFact(absl::StrCat("u", i));
    if (i % 1700 == 0) fact.actor = "rare";
    if (i % 100 == 0) fact.reason = std::string(100'000, 'x');
    store->Append(std::move(fact), [](const auto&) {});
  }
  ASSERT_TRUE(AppendAndWait(*store, SubjectFact("last")).ok());
  for (const char* actor : {"", "rare", "nobody"}) {
    ListQuery query{.limit = 1000, .actor = actor};
    size_t facts = 0;
    for (bool more = true; more;) {
      const auto page = ListAndWait(*store, query);
      ASSERT_TRUE(page.ok()) << page.status();
      ASSERT_TRUE(!page->more || !page->facts.empty());
      facts += page->facts.size();
      more = page->more;
      if (more) query.before_revision = page->facts.back().revision;
    }
    EXPECT_EQ(facts, *actor == '\0' ? 5000 : *actor == 'r' ? 2 : 0) << actor;
  }
}

TYPED_TEST_P(StoreConformance, AListShowsWhatWasAskedForBeforeIt) {
  const auto store = this->Open();
  Promised<absl::StatusOr<ListResult>> list;
  store->Append(SubjectFact("u1"), [](const auto&) {});
  store->List({}, [&](absl::StatusOr<ListResult> r) { list.Set(std::move(r)); });
  const auto result = list.Take();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->facts.size(), 1);
  EXPECT_EQ(result->revision, 1);
}

TYPED_TEST_P(StoreConformance, AppendsOf64ThreadsAreEachAcknowledgedOnceAndKept) {
  constexpr int kThreads = 64;
  constexpr int kEach = 25;
  std::map<std::string, int64_t> acknowledged;
  std::vector<std::string> written;
  {
    const auto store = this->Open();
    Mutex mu;
    int failures = 0;
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          // Every fifth is asked for by all of them.
          const std::string subject =
              i % 5 == 0 ? absl::StrCat("shared", i) : absl::StrCat(t, ":", i);
          Promised<absl::StatusOr<AppendResult>> promised;
          store->Append(SubjectFact(subject), [&](auto r) { promised.Set(std::move(r)); });
          const auto result = promised.Take();
          MutexLock lock(mu);
          if (!result.ok() || promised.times() != 1) {
            ++failures;
            continue;
          }
          if (!result->existed) written.push_back(result->fact.id);
          const auto entry = acknowledged.emplace(result->fact.id, result->fact.revision).first;
          if (entry->second != result->fact.revision) ++failures;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(failures, 0);
  }
  const size_t distinct = kThreads * (kEach - 5) + 5;
  EXPECT_EQ(acknowledged.size(), distinct);
  EXPECT_EQ(written.size(), distinct);
  RecordingListener reopened;
  const auto store = this->Open(reopened);
  EXPECT_EQ(reopened.revision(), static_cast<int64_t>(distinct));
  std::map<std::string, int64_t> kept;
  for (const Fact& fact : AllFacts(*store)) kept.emplace(fact.id, fact.revision);
  EXPECT_EQ(kept, acknowledged);
}

TYPED_TEST_P(StoreConformance, TheSameFactAskedForTwiceInOneGroupIsWrittenOnce) {
  Gate gate;
  const auto store = this->Open();
  this->listener_.HoldAt(&gate);
  store->Append(SubjectFact("first"), [](const auto&) {});
  gate.AwaitSomebody();
  // Both wait now, and are written together.
  Promised<absl::StatusOr<AppendResult>> one;
  Promised<absl::StatusOr<AppendResult>> two;
  store->Append(SubjectFact("u1"), [&](auto r) { one.Set(std::move(r)); });
  store->Append(SubjectFact("u1"), [&](auto r) { two.Set(std::move(r)); });
  gate.Open();
  const auto a = one.Take();
  const auto b = two.Take();
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_FALSE(a->existed);
  EXPECT_TRUE(b->existed);
  EXPECT_TRUE(SameFact(a->fact, b->fact));
  // One that comes alone after them waits for no clock, and this one stands still.
  EXPECT_TRUE(AppendAndWait(*store, SubjectFact("u2")).ok());
}

TYPED_TEST_P(StoreConformance, BeyondItsQueueAnAppendIsRefusedAtOnce) {
  constexpr size_t kQueue = 8;
  Gate gate;
  std::vector<Promised<absl::StatusOr<AppendResult>>> waiting(kQueue);
  const auto store = this->Open(this->listener_, kQueue);
  this->listener_.HoldAt(&gate);
  store->Append(SubjectFact("busy"), [](const auto&) {});
  gate.AwaitSomebody();
  for (size_t i = 0; i < kQueue; ++i) {
    store->Append(SubjectFact(absl::StrCat("u", i)),
                  [&waiting, i](auto r) { waiting[i].Set(std::move(r)); });
  }
  // The thread is held: only Append itself can answer.
  const auto refused = AppendAndWait(*store, SubjectFact("too many"));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kUnavailable);
  gate.Open();
  for (auto& promised : waiting) EXPECT_TRUE(promised.Take().ok());
  EXPECT_TRUE(AppendAndWait(*store, SubjectFact("too many")).ok());
}

TYPED_TEST_P(StoreConformance, StoppingFinishesWhatWasAskedBeforeAndRefusesWhatComesDuringIt) {
  constexpr int kWaiting = 200;
  Gate gate;
  std::vector<Promised<absl::StatusOr<AppendResult>>> waiting(kWaiting);
  Promised<absl::StatusOr<ListResult>> list;
  {
    auto store = this->Open(this->listener_, size_t{1} << 24);
    RevocationStore* const raw = store.get();
    this->listener_.HoldAt(&gate);
    Gate stopping;
    store->Append(SubjectFact("busy"), [](const auto&) {});
    gate.AwaitSomebody();
    for (int i = 0; i < kWaiting; ++i) {
      const auto index = static_cast<size_t>(i);
      store->Append(SubjectFact(absl::StrCat("u", i)), [&, index](auto r) {
        // Held until the destructor has begun.
        if (index == 0) stopping.Pass();
        waiting[index].Set(std::move(r));
      });
    }
    store->List({.limit = 1}, [&](auto r) { list.Set(std::move(r)); });
    gate.Open();
    stopping.AwaitSomebody();
    std::thread destroyer([&] { store.reset(); });
    // Queued until the destructor has begun, refused at once from then on.
    while (true) {
      const auto refused_with = std::make_shared<std::atomic<int>>(0);
      raw->Append(SubjectFact("late"), [refused_with](const auto& r) {
        refused_with->store(static_cast<int>(r.status().code()));
      });
      if (refused_with->load() == static_cast<int>(absl::StatusCode::kUnavailable)) break;
      std::this_thread::yield();
    }
    stopping.Open();
    destroyer.join();
  }
  for (auto& promised : waiting) EXPECT_TRUE(promised.Take().ok());
  EXPECT_TRUE(list.Take().ok());
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreConformance, AnEmptyStoreTellsItsRevisionOnceAndNoFacts,
    StoreIdIs32HexDigitsAndStableOverReopening, EachAppendMakesTheNextRevision,
    EveryFieldComesBackAsItWasWritten, AnEndBetweenTwoMicrosecondsIsNotStoredSooner,
    AFactThatRefusesAtLeastTheSameAndEndsNoSoonerIsGivenInstead,
    ABroaderFactIsWrittenBesideTheNarrowerOne, AnotherTagIsAnotherFact,
    TheListenerKnowsAFactBeforeItsWriterIsAcknowledged, NobodyIsAcknowledgedWhileTheListenerIsBusy,
    ARevisionIsNeverReusedAfterReopening, EveryFactOfALongStoreIsToldOnceAndInOrderOnReopening,
    AListIsNewestFirstAndSaysWhetherThereIsMore, PagesHoldEveryFactOnceWhileNewOnesArrive,
    APageWithMoreBehindItHoldsAtLeastOneFact, AListShowsWhatWasAskedForBeforeIt,
    AppendsOf64ThreadsAreEachAcknowledgedOnceAndKept,
    TheSameFactAskedForTwiceInOneGroupIsWrittenOnce, BeyondItsQueueAnAppendIsRefusedAtOnce,
    StoppingFinishesWhatWasAskedBeforeAndRefusesWhatComesDuringIt);

}  // namespace gatehouse::revocation
