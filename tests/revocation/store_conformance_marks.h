#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/revocation/store_conformance.h"

// The rest of what every RevocationStore promises: what is in force on a tag, taking
// back, filters, import.
namespace gatehouse::revocation {

template <typename Backend>
class StoreMarks : public StoreConformance<Backend> {
 protected:
  Fact Append(RevocationStore& store, const NewFact& fact) {
    const auto result = AppendAndWait(store, fact);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->fact : Fact();
  }
  void TakeBack(RevocationStore& store, const Fact& fact) {
    const auto result = ReinstateAndWait(store, fact.id);
    EXPECT_TRUE(result.ok()) << result.status();
  }
  // Told now, and by the same store when it is opened anew.
  void ExpectMarks(std::unique_ptr<RevocationStore>& store, const Tag& tag, Marks marks) {
    EXPECT_EQ(this->listener_.On(tag), marks);
    store.reset();
    RecordingListener reopened;
    store = this->Open(reopened);
    EXPECT_EQ(reopened.On(tag), marks);
    EXPECT_EQ(reopened.revision(), this->listener_.revision());
    store.reset();
    store = this->Open();
  }
  std::vector<std::string> Targets(RevocationStore& store, const ListQuery& query) {
    const std::vector<Fact> facts = AllFacts(store, query);
    std::vector<std::string> targets;
    targets.reserve(facts.size());
    for (const Fact& fact : facts) targets.push_back(fact.target);
    return targets;
  }
};

TYPED_TEST_SUITE_P(StoreMarks);

TYPED_TEST_P(StoreMarks, OfTwoFactsOnATagTheOtherStaysInForceWhenOneIsTakenBack) {
  auto store = this->Open();
  const Fact early = this->Append(*store, SubjectFact("u1", 1000));
  const Fact late = this->Append(*store, SubjectFact("u1", 2000));
  this->ExpectMarks(store, early.tag, {.issued_until = 2000});
  this->TakeBack(*store, late);
  this->ExpectMarks(store, early.tag, {.issued_until = 1000});
  this->TakeBack(*store, early);
  this->ExpectMarks(store, early.tag, {});
}

TYPED_TEST_P(StoreMarks, AShortSuspensionOverALastingRevocationLeavesItWhenItIsTakenBack) {
  auto store = this->Open();
  const absl::Time end = kStart + absl::Hours(1);
  const auto seconds = static_cast<uint32_t>(absl::ToUnixSeconds(end));
  const Fact lasting = this->Append(*store, SubjectFact("u1", 1000));
  const Fact suspension = this->Append(*store, Suspension("u1", end));
  this->ExpectMarks(store, lasting.tag, {.issued_until = 1000, .suspended_until = seconds});
  this->TakeBack(*store, suspension);
  this->ExpectMarks(store, lasting.tag, {.issued_until = 1000});
}

TYPED_TEST_P(StoreMarks, ALastingRevocationOverASuspensionLeavesItWhenItIsTakenBack) {
  auto store = this->Open();
  const absl::Time end = kStart + absl::Hours(1);
  const auto seconds = static_cast<uint32_t>(absl::ToUnixSeconds(end));
  const Fact suspension = this->Append(*store, Suspension("u1", end));
  const Fact lasting = this->Append(*store, SubjectFact("u1", kAll));
  this->ExpectMarks(store, lasting.tag,
                    {.issued_until = Marks::kEverything, .suspended_until = seconds});
  this->TakeBack(*store, lasting);
  this->ExpectMarks(store, suspension.tag, {.suspended_until = seconds});
}

TYPED_TEST_P(StoreMarks, NeitherKindContainsTheOtherButOneThatCoversAll) {
  const auto store = this->Open();
  const absl::Time end = kStart + absl::Hours(1);
  const auto existed = [&](const NewFact& fact) {
    const auto result = AppendAndWait(*store, fact);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() && result->existed;
  };
  EXPECT_FALSE(existed(SubjectFact("u1", 1000, end + absl::Hours(1))));
  EXPECT_FALSE(existed(Suspension("u1", end)));
  EXPECT_TRUE(existed(Suspension("u1", end)));
  EXPECT_TRUE(existed(Suspension("u1", end - absl::Seconds(1))));
  EXPECT_FALSE(existed(Suspension("u1", end + absl::Seconds(1))));
  // A suspension contains nothing that lasts, not even what ends sooner.
  EXPECT_FALSE(existed(SubjectFact("u1", kAll, end - absl::Seconds(1))));
  // What covers all contains suspensions too, until its end.
  EXPECT_FALSE(existed(SubjectFact("u2", kAll, end)));
  EXPECT_TRUE(existed(Suspension("u2", end)));
  EXPECT_FALSE(existed(Suspension("u2", end + absl::Microseconds(1))));
}

TYPED_TEST_P(StoreMarks, WhatWasTakenBackIsNotInForceAndCanBeRevokedAnew) {
  const auto store = this->Open();
  const Fact first = this->Append(*store, SubjectFact("u1"));
  this->TakeBack(*store, first);
  const auto again = AppendAndWait(*store, SubjectFact("u1"));
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_FALSE(again->existed);
  EXPECT_NE(again->fact.id, first.id);
  EXPECT_EQ(again->revision, 3);
  EXPECT_EQ(this->listener_.On(first.tag), MarksOf(first));
}

TYPED_TEST_P(StoreMarks, TakingBackHasARevisionAndIsToldBeforeItIsAcknowledged) {
  const auto store = this->Open();
  const Fact fact = this->Append(*store, SubjectFact("u1"));
  this->clock_.Advance(absl::Seconds(5));
  Promised<Marks> known;
  Promised<absl::StatusOr<ReinstateResult>> promised;
  store->Reinstate(fact.id, "admin", "a mistake", [&](absl::StatusOr<ReinstateResult> r) {
    known.Set(this->listener_.On(fact.tag));
    promised.Set(std::move(r));
  });
  EXPECT_EQ(known.Take(), Marks());
  const auto result = promised.Take();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->existed);
  EXPECT_EQ(result->revision, 2);
  ASSERT_TRUE(result->fact.reinstated);
  EXPECT_EQ(result->fact.id, fact.id);
  EXPECT_EQ(result->fact.revision, 1);
  EXPECT_EQ(result->fact.reinstated->revision, 2);
  EXPECT_EQ(result->fact.reinstated->actor, "admin");
  EXPECT_EQ(result->fact.reinstated->reason, "a mistake");
  EXPECT_EQ(result->fact.reinstated->create_time, kStart + absl::Seconds(5));
  EXPECT_EQ(result->fact.reinstated->id.size(), 32);
  // Once more: nothing is written.
  const auto again = ReinstateAndWait(*store, fact.id);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->existed);
  EXPECT_EQ(again->revision, 2);
  EXPECT_TRUE(SameFact(again->fact, result->fact));
  const std::vector<Fact> kept = AllFacts(*store);
  ASSERT_EQ(kept.size(), 1);
  EXPECT_TRUE(SameFact(kept[0], result->fact));
}

TYPED_TEST_P(StoreMarks, TakingBackTellsWhatOthersSayOfItsTag) {
  const auto store = this->Open();
  const Fact lasting = this->Append(*store, SubjectFact("u1", 10));
  const Fact wider = this->Append(*store, SubjectFact("u1", 20));
  const Fact suspension = this->Append(*store, Suspension("u1", kStart + absl::Hours(1)));
  this->Append(*store, SubjectFact("u2"));
  const auto left = [&](const Fact& fact) {
    const auto result = ReinstateAndWait(*store, fact.id);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->left : Marks();
  };
  EXPECT_EQ(left(wider), MarksOf(lasting) | MarksOf(suspension));
  EXPECT_EQ(left(suspension), MarksOf(lasting));
  EXPECT_EQ(left(wider), MarksOf(lasting)) << "taken back already";
  EXPECT_EQ(left(lasting), Marks());
  EXPECT_EQ(left(lasting), Marks());
}

TYPED_TEST_P(StoreMarks, WhatIsUnknownOrASuspensionThatIsOverCannotBeTakenBack) {
  const auto store = this->Open();
  const Fact suspension = this->Append(*store, Suspension("u1", kStart + absl::Hours(1)));
  for (const std::string& id : {std::string(32, '0'), std::string(), std::string("' OR 1=1")}) {
    EXPECT_EQ(ReinstateAndWait(*store, id).status().code(), absl::StatusCode::kNotFound) << id;
  }
  this->clock_.SetWall(suspension.end_time);
  EXPECT_EQ(ReinstateAndWait(*store, suspension.id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(this->listener_.revision(), 1);
  this->clock_.SetWall(suspension.end_time - absl::Microseconds(1));
  EXPECT_TRUE(ReinstateAndWait(*store, suspension.id).ok());
}

TYPED_TEST_P(StoreMarks, ChangesAreToldOnceEachInTheOrderOfTheirRevisions) {
  const auto store = this->Open();
  Gate gate;
  const Fact first = this->Append(*store, SubjectFact("u1"));
  this->listener_.HoldAt(&gate);
  store->Append(SubjectFact("u2"), [](const auto&) {});
  gate.AwaitSomebody();
  // One group: appended and taken back, two on one tag, one that is known.
  Promised<absl::StatusOr<AppendResult>> last;
  store->Reinstate(first.id, "", "", [](const auto&) {});
  store->Append(SubjectFact("u3", 10), [](const auto&) {});
  store->Append(SubjectFact("u3", 20), [](const auto&) {});
  store->Append(SubjectFact("u2"), [](const auto&) {});
  store->Append(SubjectFact("u1"), [&](auto r) { last.Set(std::move(r)); });
  gate.Open();
  const auto result = last.Take();
  ASSERT_TRUE(result.ok() && !result->existed);
  const std::vector<Change> changes = this->listener_.changes();
  const std::vector<std::pair<std::string, bool>> expected = {
      {"u1", false}, {"u2", false}, {"u1", true}, {"u3", false}, {"u3", false}, {"u1", false}};
  ASSERT_EQ(changes.size(), expected.size());
  for (size_t i = 0; i < changes.size(); ++i) {
    EXPECT_EQ(changes[i].revision, static_cast<int64_t>(i + 1));
    EXPECT_EQ(changes[i].tag, SubjectFact(expected[i].first).tag) << i;
    EXPECT_EQ(changes[i].reinstates, expected[i].second) << i;
  }
  EXPECT_EQ(this->listener_.On(SubjectFact("u3").tag), Marks{.issued_until = 20});
  EXPECT_EQ(this->listener_.revision(), 6);
}

TYPED_TEST_P(StoreMarks, ARevisionOfWhatWasTakenBackIsNeverReusedAfterReopening) {
  {
    const auto store = this->Open();
    this->TakeBack(*store, this->Append(*store, SubjectFact("u1")));
  }
  const auto store = this->Open();
  EXPECT_EQ(this->listener_.revision(), 2);
  EXPECT_EQ(this->Append(*store, SubjectFact("u2")).revision, 3);
}

TYPED_TEST_P(StoreMarks, AListHoldsOnlyWhatFitsAllOfItsFilters) {
  const auto store = this->Open();
  this->Append(*store, SubjectFact("u1"));
  this->clock_.Advance(absl::Seconds(10));
  NewFact other = SubjectFact("u2");
  other.issuer = "https://other.example";
  this->Append(*store, other);
  this->clock_.Advance(absl::Seconds(10));
  NewFact session = SessionFact("s1");
  session.actor = "admin";
  this->Append(*store, session);
  this->TakeBack(*store, this->Append(*store, SubjectFact("u3")));
  this->Append(*store, Suspension("u4", kStart + absl::Seconds(30)));
  this->clock_.Advance(absl::Seconds(10));

  using testing::ElementsAre;
  const auto targets = [&](const ListQuery& query) { return this->Targets(*store, query); };
  EXPECT_THAT(targets({}), ElementsAre("u1", "u2", "s1"));
  EXPECT_THAT(targets({.with_past = true}), ElementsAre("u1", "u2", "s1", "u3", "u4"));
  EXPECT_THAT(targets({.kind = TagKind::kSession}), ElementsAre("s1"));
  EXPECT_THAT(targets({.kind = TagKind::kSubject}), ElementsAre("u1", "u2"));
  EXPECT_THAT(targets({.issuer = "https://other.example"}), ElementsAre("u2"));
  EXPECT_THAT(targets({.actor = "admin"}), ElementsAre("s1"));
  EXPECT_THAT(targets({.actor = "nobody"}), ElementsAre());
  EXPECT_THAT(targets({.created_from = kStart + absl::Seconds(10)}), ElementsAre("u2", "s1"));
  EXPECT_THAT(targets({.created_from = kStart + absl::Seconds(10) + absl::Nanoseconds(1)}),
              ElementsAre("s1"));
  EXPECT_THAT(targets({.created_before = kStart + absl::Seconds(10)}), ElementsAre("u1"));
  EXPECT_THAT(targets({.created_before = kStart + absl::Seconds(10) + absl::Nanoseconds(1)}),
              ElementsAre("u1", "u2"));
  EXPECT_THAT(targets({.kind = TagKind::kSubject, .actor = "admin", .with_past = true}),
              ElementsAre());
}

TYPED_TEST_P(StoreMarks, PagesWithAFilterHoldEveryFactOnceWhileOthersComeAndGo) {
  const auto store = this->Open();
  std::vector<Fact> facts;
  for (int i = 0; i < 30; ++i) {
    facts.push_back(this->Append(*store, i % 3 == 0 ? SessionFact(absl::StrCat("s", i))
                                                    : SubjectFact(absl::StrCat("u", i))));
  }
  ListQuery query{.limit = 4, .kind = TagKind::kSession};
  std::vector<std::string> seen;
  for (bool more = true; more;) {
    const auto page = ListAndWait(*store, query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Fact& fact : page->facts) seen.push_back(fact.target);
    more = page->more;
    if (more) ASSERT_FALSE(page->facts.empty());
    if (more) query.before_revision = page->facts.back().revision;
    // A new one, and one that has been shown is taken back.
    this->Append(*store, SessionFact(absl::StrCat("new", seen.size())));
    this->TakeBack(*store, facts[27]);
  }
  EXPECT_THAT(
      seen, testing::ElementsAre("s27", "s24", "s21", "s18", "s15", "s12", "s9", "s6", "s3", "s0"));
}

TYPED_TEST_P(StoreMarks, APageBeforeARevisionThatNeverWasIsRefused) {
  const auto store = this->Open();
  this->Append(*store, SubjectFact("u1"));
  EXPECT_TRUE(ListAndWait(*store, {.before_revision = 2}).ok());
  for (const int64_t never : {int64_t{3}, int64_t{-1}, INT64_MAX, INT64_MIN}) {
    EXPECT_EQ(ListAndWait(*store, {.before_revision = never}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << never;
  }
}

TYPED_TEST_P(StoreMarks, WhatIsImportedKeepsAllButItsRevisions) {
  auto store = this->Open();
  this->Append(*store, SubjectFact("here"));
  Fact lasting{SubjectFact("u1", 1000), std::string(32, 'a'), kStart - absl::Hours(5), 77};
  Fact taken{SubjectFact("u1", 2000), std::string(32, 'b'), kStart - absl::Hours(4), 78};
  taken.reinstated = {.id = std::string(32, 'c'),
                      .create_time = kStart - absl::Hours(3),
                      .revision = 90,
                      .actor = "admin",
                      .reason = "sorry"};
  Fact suspension{Suspension("u2", kStart + absl::Hours(1)), std::string(32, 'd'),
                  kStart - absl::Hours(2), 91};
  const auto result = ImportAndWait(*store, {lasting, taken, suspension});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->added, 3);
  EXPECT_EQ(result->known, 0);
  EXPECT_EQ(result->revision, 5);
  lasting.revision = 2;
  taken.revision = 3;
  taken.reinstated->revision = 4;
  suspension.revision = 5;
  const std::vector<Fact> kept = AllFacts(*store);
  ASSERT_EQ(kept.size(), 4);
  EXPECT_TRUE(SameFact(kept[1], lasting));
  EXPECT_TRUE(SameFact(kept[2], taken));
  EXPECT_TRUE(SameFact(kept[3], suspension));
  const std::vector<Change> changes = this->listener_.changes();
  std::vector<int64_t> revisions;
  revisions.reserve(changes.size());
  for (const Change& change : changes) revisions.push_back(change.revision);
  EXPECT_THAT(revisions, testing::ElementsAre(1, 2, 3, 4, 5));
  this->ExpectMarks(store, lasting.tag, {.issued_until = 1000});
  this->ExpectMarks(store, suspension.tag, MarksOf(suspension));
}

TYPED_TEST_P(StoreMarks, AnImportSkipsWhatIsKnown) {
  const auto store = this->Open();
  const Fact here = this->Append(*store, SubjectFact("u1", 1000));
  const Fact fresh{SubjectFact("u2"), std::string(32, 'b'), kStart, 2};
  for (const int64_t added : {1, 0}) {
    const auto result = ImportAndWait(*store, {here, fresh, fresh});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->added, added);
    EXPECT_EQ(result->known, 3 - added);
    EXPECT_EQ(result->revision, 2);
  }
  EXPECT_EQ(this->Targets(*store, {}), (std::vector<std::string>{"u1", "u2"}));
}

TYPED_TEST_P(StoreMarks, AnImportTakesBackWhatWasTakenBackElsewhereMeanwhile) {
  auto store = this->Open();
  Fact fact{SubjectFact("u1", 1000), std::string(32, 'a'), kStart, 1};
  ASSERT_TRUE(ImportAndWait(*store, {fact}).ok());
  fact.reinstated = {.id = std::string(32, 'b'),
                     .create_time = kStart,
                     .revision = 9,
                     .actor = "admin",
                     .reason = "sorry"};
  for (const int64_t added : {1, 0}) {
    const auto result = ImportAndWait(*store, {fact});
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->added, added);
    EXPECT_EQ(result->revision, 2);
  }
  const std::vector<Fact> kept = AllFacts(*store);
  ASSERT_EQ(kept.size(), 1);
  ASSERT_TRUE(kept[0].reinstated.has_value());
  EXPECT_EQ(kept[0].reinstated->id, std::string(32, 'b'));
  EXPECT_EQ(kept[0].reinstated->revision, 2);
  this->ExpectMarks(store, fact.tag, {});
}

TYPED_TEST_P(StoreMarks, WhatIsImportedIsInForceWhenThatWhichContainedItIsTakenBack) {
  auto store = this->Open();
  const Fact wide = this->Append(*store, SubjectFact("u1", 1000));
  const Fact narrow{SubjectFact("u1", 900), std::string(32, 'a'), kStart, 1};
  ASSERT_TRUE(ImportAndWait(*store, {narrow}).ok());
  this->ExpectMarks(store, wide.tag, {.issued_until = 1000});
  ASSERT_TRUE(ReinstateAndWait(*store, wide.id).ok());
  this->ExpectMarks(store, wide.tag, {.issued_until = 900});
}

TYPED_TEST_P(StoreMarks, AnImportUnderAnIdThatIsTakenByAnotherFactWritesNothing) {
  auto store = this->Open();
  const Fact here = this->Append(*store, SubjectFact("u1", 1000));
  Fact same_id{SubjectFact("u3"), here.id, kStart, 3};
  same_id.reinstated = {.id = std::string(32, 'c'), .create_time = kStart};
  const Fact good{SubjectFact("u2"), std::string(32, 'b'), kStart, 2};
  EXPECT_EQ(ImportAndWait(*store, {good, same_id}).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(this->Targets(*store, {}), (std::vector<std::string>{"u1"}));
  this->ExpectMarks(store, here.tag, {.issued_until = 1000});
}

TYPED_TEST_P(StoreMarks, AnImportThatIsTooLongOrHasNoIdWritesNothing) {
  const auto store = this->Open();
  const Fact good{SubjectFact("u1"), std::string(32, 'a'), kStart, 1};
  Fact bad = good;
  bad.id = "x";
  const std::vector<Fact> long_one(RevocationStore::kMaxImport + 1, good);
  for (const auto& facts : {std::vector<Fact>{good, bad}, long_one}) {
    EXPECT_EQ(ImportAndWait(*store, facts).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(AllFacts(*store).empty());
  EXPECT_EQ(this->listener_.calls(), 1);
}

TYPED_TEST_P(StoreMarks, AStoreWithoutReplicasIsNeverStale) {
  EXPECT_EQ(this->Open()->staleness(), absl::ZeroDuration());
}

REGISTER_TYPED_TEST_SUITE_P(
    StoreMarks, OfTwoFactsOnATagTheOtherStaysInForceWhenOneIsTakenBack,
    AShortSuspensionOverALastingRevocationLeavesItWhenItIsTakenBack,
    ALastingRevocationOverASuspensionLeavesItWhenItIsTakenBack,
    NeitherKindContainsTheOtherButOneThatCoversAll, WhatWasTakenBackIsNotInForceAndCanBeRevokedAnew,
    TakingBackHasARevisionAndIsToldBeforeItIsAcknowledged, TakingBackTellsWhatOthersSayOfItsTag,
    WhatIsUnknownOrASuspensionThatIsOverCannotBeTakenBack,
    ChangesAreToldOnceEachInTheOrderOfTheirRevisions,
    ARevisionOfWhatWasTakenBackIsNeverReusedAfterReopening, AListHoldsOnlyWhatFitsAllOfItsFilters,
    PagesWithAFilterHoldEveryFactOnceWhileOthersComeAndGo,
    APageBeforeARevisionThatNeverWasIsRefused, WhatIsImportedKeepsAllButItsRevisions,
    AnImportSkipsWhatIsKnown, AnImportTakesBackWhatWasTakenBackElsewhereMeanwhile,
    WhatIsImportedIsInForceWhenThatWhichContainedItIsTakenBack,
    AnImportUnderAnIdThatIsTakenByAnotherFactWritesNothing,
    AnImportThatIsTooLongOrHasNoIdWritesNothing, AStoreWithoutReplicasIsNeverStale);

}  // namespace gatehouse::revocation
