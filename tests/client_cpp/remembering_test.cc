// What is kept and for how long, rule by rule: docs/clients.md.

#include "tests/client_cpp/fakes.h"

namespace gatehouse::client {
namespace {

using RememberingTest = ClientTest;

TEST_F(RememberingTest, AnAnswerIsRememberedWhileTheStreamIsLive) {
  MakeLive();
  const gatehouse::Answer first = Ask(Allowed());
  EXPECT_TRUE(first.allowed());
  EXPECT_FALSE(first.remembered());
  const Place again = Verify();
  ASSERT_TRUE(again->has_value());
  EXPECT_TRUE((*again)->allowed());
  EXPECT_TRUE((*again)->remembered());
  EXPECT_EQ((*again)->id(), "d1");
  EXPECT_EQ((*again)->principal()->subject, "ada");
  EXPECT_TRUE(transport->asked.empty());
}

TEST_F(RememberingTest, NothingIsRememberedBeforeTheStreamIsLive) {
  Make();
  Ask(Allowed());
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, NothingIsKeptOfAStreamThatHasAnsweredNoPing) {
  Make();
  v1::WatchResponse news = News(10);
  news.set_ping(0);
  stream().Tell(news);
  Ask(Allowed());
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, ADenialIsRememberedAsAnAllowIs) {
  MakeLive();
  Ask(Denied(10));
  const Place again = Verify();
  ASSERT_TRUE(again->has_value());
  EXPECT_FALSE((*again)->allowed());
  EXPECT_EQ((*again)->http_status(), 401);
}

TEST_F(RememberingTest, WithoutRememberForNothingIsKept) {
  MakeLive();
  v1::VerifyResponse reply = Allowed();
  reply.clear_remember_for();
  Ask(reply);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, WithoutTagsNothingIsKept) {
  MakeLive();
  v1::VerifyResponse reply = Allowed();
  reply.clear_tags();
  Ask(reply);
  EXPECT_FALSE(Remembers());
  reply.add_tags("short");
  Ask(reply);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AnAnswerOfAnotherStoreIsNotKept) {
  MakeLive();
  v1::VerifyResponse reply = Allowed();
  reply.set_store_id("other");
  Ask(reply);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AnAnswerUnderOtherRulesIsNotKept) {
  MakeLive();
  v1::VerifyResponse reply = Allowed();
  reply.set_rules("other");
  Ask(reply);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AnErrorIsNotKept) {
  MakeLive();
  const Place place = Verify();
  Fail(13);
  EXPECT_FALSE((*place)->decided());
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AnAnswerThatAChangeHasOvertakenIsNotKept) {
  MakeLive();
  const Place place = Verify();
  stream().Tell(Change(11, 'a'));
  Answer(Allowed(10));
  EXPECT_TRUE((*place)->allowed());
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AnAnswerFromBehindAChangeThatCameBeforeItWasAskedIsNotKept) {
  MakeLive();
  stream().Tell(Change(11, 'a'));
  Ask(Allowed(10));  // by a replica that is behind
  EXPECT_FALSE(Remembers());
  Ask(Allowed(11));
  EXPECT_TRUE(Remembers());
}

TEST_F(RememberingTest, AnAnswerBehindChangesOfOthersIsKept) {
  MakeLive();
  const Place place = Verify();
  stream().Tell(Change(11, 'b'));
  Answer(Allowed(10));
  EXPECT_TRUE(Remembers());
}

TEST_F(RememberingTest, AnAnswerFromBeforeTheStreamBeganIsNotKept) {
  MakeLive();
  Ask(Allowed(9));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AnAnswerBehindMoreChangesThanAreRememberedIsNotKept) {
  MakeLive();
  const Place kept = Verify("kept");
  const Place place = Verify();
  for (int64_t i = 0; i < static_cast<int64_t>(View::kChanges); ++i)
    stream().Tell(Change(11 + i, 'b'));
  Answer(Allowed(10));
  EXPECT_TRUE(Remembers("kept"));
  stream().Tell(Change(11 + static_cast<int64_t>(View::kChanges), 'b'));
  Answer(Allowed(10));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AKeyThatWentWhileItWasAskedOvertakesTheAnswerThoughItHasNoRevision) {
  MakeLive();
  const Place place = Verify();
  stream().Tell(Change(10, 'a', v1::RevocationChange::KIND_KEY_GONE));
  Answer(Allowed(10));
  EXPECT_FALSE(Remembers());
  Ask(Allowed(10));  // sent afterwards
  EXPECT_TRUE(Remembers());
}

TEST_F(RememberingTest, AKeyThatWentMoreChangesAgoThanAreRememberedMayHaveOvertakenTheAnswer) {
  MakeLive();
  const Place place = Verify();
  stream().Tell(Change(10, 'a', v1::RevocationChange::KIND_KEY_GONE));
  for (size_t i = 0; i < View::kChanges; ++i) {
    stream().Tell(Change(10, 'b', v1::RevocationChange::KIND_KEY_GONE));
  }
  Answer(Allowed(10));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AKeyThatWentAmongOtherChangesOvertakesToo) {
  MakeLive();
  const Place place = Verify();
  stream().Tell(Change(10, 'a', v1::RevocationChange::KIND_KEY_GONE));
  stream().Tell(Change(11, 'b'));
  Answer(Allowed(11));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, ItCountsFromBeforeItsRequestWasSent) {
  MakeLive();
  const Place place = Verify();
  time->Advance(400 * kMillisecond);
  Answer(Allowed());
  for (int i = 0; i < 29; ++i) {
    time->Advance(kSecond);
    stream().Tell(News(10));
  }
  time->Advance(600 * kMillisecond - 1);
  stream().Tell(News(10));
  EXPECT_TRUE(Remembers());
  time->Advance(1);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AChangeDropsWhatItTouches) {
  MakeLive();
  Ask(Allowed());
  const Place other = Verify("other");
  v1::VerifyResponse reply = Allowed();
  reply.set_tags(0, TagBytes('b'));
  Answer(reply);
  stream().Tell(Change(11, 'a'));
  EXPECT_FALSE(Remembers());
  EXPECT_TRUE(Remembers("other"));
  EXPECT_EQ(client->figures().dropped, 1U);
}

TEST_F(RememberingTest, AReinstatementAndAKeyThatWentDropToo) {
  MakeLive();
  Ask(Denied(10));
  stream().Tell(Change(11, 'a', v1::RevocationChange::KIND_REINSTATED));
  EXPECT_FALSE(Remembers());
  Ask(Allowed(11));
  stream().Tell(Change(11, 'a', v1::RevocationChange::KIND_KEY_GONE));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AChangeCountsThoughItsMessageProvesNothing) {
  MakeLive();
  Ask(Allowed());
  v1::WatchResponse news = Change(11, 'a');
  news.set_ping(0);
  stream().Tell(news);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AChangeOfAnUnknownKindDropsEverything) {
  MakeLive();
  Ask(Allowed());
  stream().Tell(Change(11, 'x', static_cast<v1::RevocationChange::Kind>(9)));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, OtherRulesDropEverything) {
  MakeLive();
  Ask(Allowed());
  v1::WatchResponse news = News(10);
  news.set_rules("r2");
  stream().Tell(news);
  EXPECT_FALSE(Remembers());
  v1::VerifyResponse reply = Allowed();
  Ask(reply);
  EXPECT_FALSE(Remembers());
  reply.set_rules("r2");
  Ask(reply);
  EXPECT_TRUE(Remembers());
}

TEST_F(RememberingTest, FallingBehindDropsEverythingAndTheListOfChangesBeginsAnew) {
  MakeLive();
  Ask(Allowed());
  const Place place = Verify("other");
  v1::WatchResponse news = News(20);
  news.set_fell_behind(true);
  stream().Tell(news);
  EXPECT_FALSE(Remembers());  // fails the other's call
  const Place later = Verify("other");
  Answer(Allowed(19));
  Answer(Allowed(19));
  EXPECT_FALSE(Remembers("other"));
  const Place last = Verify("other");
  Answer(Allowed(20));
  EXPECT_TRUE(Remembers("other"));
}

TEST_F(RememberingTest, AnotherStoreDropsEverything) {
  MakeLive();
  Ask(Allowed());
  v1::WatchResponse news = News(3);
  news.set_store_id("s2");
  stream().Tell(news);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AfterMaxStalenessNothingIsUsedUntilAPingIsAnswered) {
  MakeLive();
  Ask(Allowed());
  time->Advance(3 * kSecond - 1);
  EXPECT_TRUE(Remembers());
  time->Advance(1);
  EXPECT_FALSE(Remembers());
  EXPECT_FALSE(client->figures().live);
  // It was not dropped: caught up, it counts again.
  time->Advance(2 * kSecond);
  stream().Tell(News(10));
  EXPECT_TRUE(Remembers());
}

TEST_F(RememberingTest, AReplyToAnOldPingIsOldHoweverLatelyItCame) {
  MakeLive();
  Ask(Allowed());
  time->Advance(kSecond);
  const v1::WatchResponse late = News(10);  // to the ping of now
  time->Advance(1900 * kMillisecond);
  stream().Tell(late);
  time->Advance(1100 * kMillisecond - 1);
  EXPECT_TRUE(Remembers());
  time->Advance(1);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, AMessageThatAnswersNoNewPingProvesNothing) {
  MakeLive();
  Ask(Allowed());
  const v1::WatchResponse old = News(10);
  time->Advance(2 * kSecond);
  stream().Tell(old);
  time->Advance(kSecond);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, WhileItIsStaleNothingIsKept) {
  MakeLive();
  time->Advance(3 * kSecond);
  Ask(Allowed());
  stream().Tell(News(10));
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, FreshDoesNotReadTheMemoryButMayBeKept) {
  MakeLive();
  Ask(Allowed());
  CallOptions fresh;
  fresh.fresh = true;
  EXPECT_FALSE(Ask(Denied(10), fresh).allowed());
  const Place again = Verify();
  ASSERT_TRUE(again->has_value());
  EXPECT_EQ((*again)->code(), Code::kTokenRevoked);
}

TEST_F(RememberingTest, ExplainAndClaimsGoPastTheMemory) {
  MakeLive();
  for (const bool explain : {true, false}) {
    CallOptions options;
    options.explain = explain;
    options.with_claims = !explain;
    Ask(Allowed(), options);
    EXPECT_FALSE(Remembers());
  }
  Ask(Allowed());
  CallOptions options;
  options.with_claims = true;
  EXPECT_FALSE(Ask(Allowed(), options).remembered());
}

TEST_F(RememberingTest, WithoutEntriesNothingIsRemembered) {
  Settings settings;
  settings.memory_entries = 0;
  MakeLive(settings);
  Ask(Allowed());
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, EachCheckOfABatchIsRememberedForItself) {
  MakeLive();
  const Check one{"note/1", "read", "ada"};
  const Check two{"note/2", "read", "ada"};
  const Check three{"note/3", "read", "ada"};
  Authorize(one);
  Answer(Good<v1::AuthorizeResponse>());
  std::optional<BatchAnswer> batch;
  const auto ask = [&](const std::vector<Check>& checks) {
    client->BatchAuthorize("t", checks, {}, [&](BatchAnswer answer) { batch = std::move(answer); });
  };
  ask({two, one});
  v1::BatchAuthorizeRequest request;
  ASSERT_TRUE(request.ParseFromString(transport->asked.front().request));
  ASSERT_EQ(request.checks_size(), 1);
  EXPECT_EQ(request.checks(0).resource(), "note/2");
  auto reply = Good<v1::BatchAuthorizeResponse>();
  v1::Decision& no = *reply.add_decisions();
  no.set_effect(v1::EFFECT_DENY);
  no.set_code(v1::CODE_INSUFFICIENT_PERMISSIONS);
  no.set_http_status(403);
  Answer(reply);
  ASSERT_TRUE(batch.has_value());
  EXPECT_TRUE(batch->token.allowed());
  EXPECT_EQ(batch->answers[0].http_status(), 403);
  EXPECT_TRUE(batch->answers[1].allowed());

  batch.reset();
  ask({one, two});
  ASSERT_TRUE(batch.has_value());
  EXPECT_TRUE(batch->token.allowed());
  EXPECT_TRUE(batch->answers[0].allowed());
  EXPECT_EQ(batch->answers[1].code(), Code::kInsufficientPermissions);
  const Place alone = Authorize(two);
  ASSERT_TRUE(alone->has_value());
  EXPECT_TRUE((*alone)->remembered());

  // A token that is bad meanwhile is good for nothing.
  batch.reset();
  ask({one, three});
  v1::BatchAuthorizeResponse bad;
  *bad.mutable_decision() = Denied().decision();
  Answer(bad);
  EXPECT_EQ(batch->answers[0].code(), Code::kTokenRevoked);
  EXPECT_EQ(batch->answers[1].code(), Code::kTokenRevoked);
}

TEST_F(RememberingTest, AnErrorNamesTheCheckByItsPlaceAmongAllOfThem) {
  MakeLive();
  const Check one{"note/1"};
  Authorize(one);
  Answer(Good<v1::AuthorizeResponse>());
  std::optional<BatchAnswer> batch;
  client->BatchAuthorize("t", {one, {"note/2"}, one, {"bad"}}, {},
                         [&](BatchAnswer answer) { batch = std::move(answer); });
  transport->asked.front().done({3, "checks[1].resource: is malformed"}, "");
  ASSERT_TRUE(batch.has_value());
  EXPECT_NE(batch->answers[0].error().message.find("checks[3].resource"), std::string::npos);
}

TEST_F(RememberingTest, ABatchThatIsTooLargeIsAskedInParts) {
  MakeLive();
  std::vector<Check> checks;
  for (int i = 0; i < 2500; ++i) checks.push_back({"note/" + std::to_string(i)});
  for (const char c : {'x', 'y', 'z'}) checks.push_back({"note/" + std::string(60'000, c)});
  std::optional<BatchAnswer> batch;
  const auto ask = [&] {
    client->BatchAuthorize("t", checks, {}, [&](BatchAnswer answer) { batch = std::move(answer); });
  };
  ask();
  ASSERT_EQ(transport->asked.size(), 5U);
  const std::vector<int> sizes = {1000, 1000, 501, 1, 1};
  for (size_t part = 0; part < sizes.size(); ++part) {
    EXPECT_FALSE(batch.has_value());
    v1::BatchAuthorizeRequest request;
    ASSERT_TRUE(request.ParseFromString(transport->asked.front().request));
    ASSERT_EQ(request.checks_size(), sizes[part]);
    EXPECT_LE(transport->asked.front().request.size(), 128U * 1024);
    auto reply = Good<v1::BatchAuthorizeResponse>();
    for (int i = 0; i < sizes[part]; ++i) *reply.add_decisions() = reply.decision();
    reply.mutable_decisions(0)->set_id("first of " + std::to_string(part));
    Answer(reply);
  }
  ASSERT_TRUE(batch.has_value());
  EXPECT_TRUE(batch->token.allowed());
  EXPECT_EQ(batch->answers.at(2000).id(), "first of 2");
  EXPECT_EQ(batch->answers.at(2502).id(), "first of 4");

  batch.reset();
  checks.assign(1001, {"bad/1"});
  for (size_t i = 0; i < checks.size(); ++i) checks[i].owner = std::to_string(i);
  ask();
  ASSERT_EQ(transport->asked.size(), 2U);
  transport->asked[1].done({3, "checks[0].resource: is malformed"}, "");
  transport->asked[0].done({14, "gone"}, "");
  time->Advance(kSecond);
  transport->asked.back().done({13, "later"}, "");
  ASSERT_TRUE(batch.has_value());
  EXPECT_NE(batch->token.error().message.find("checks[1000].resource"), std::string::npos);
  EXPECT_FALSE(batch->answers.at(5).decided());
}

TEST_F(RememberingTest, APartThatFailedInAnUnknownWayIsNotMadeGoodByALaterOne) {
  MakeLive();
  std::vector<Check> checks;
  for (int i = 0; i < 1001; ++i) checks.push_back({"note/" + std::to_string(i)});
  std::optional<BatchAnswer> batch;
  client->BatchAuthorize("t", checks, {}, [&](BatchAnswer answer) { batch = std::move(answer); });
  ASSERT_EQ(transport->asked.size(), 2U);
  auto reply = Good<v1::BatchAuthorizeResponse>();
  *reply.add_decisions() = reply.decision();
  const std::string good = reply.SerializeAsString();
  transport->asked[0].done({2, "of the test"}, "");
  transport->asked[1].done({}, good);
  ASSERT_TRUE(batch.has_value());
  EXPECT_FALSE(batch->token.decided());
  EXPECT_EQ(batch->token.error().code, ErrorCode::kUnknown);
  for (const auto& answer : batch->answers) EXPECT_EQ(answer.http_status(), 503);
}

TEST_F(RememberingTest, ADenialForWhatIsNotKnownIsNotKept) {
  MakeLive();
  v1::VerifyResponse reply = Allowed();
  reply.mutable_decision()->set_code(static_cast<v1::Code>(77));
  Ask(reply);
  EXPECT_FALSE(Remembers());
  reply = Allowed();
  reply.mutable_decision()->set_effect(v1::EFFECT_DENY);
  Ask(reply);
  EXPECT_FALSE(Remembers());
}

TEST_F(RememberingTest, FewerDecisionsThanChecksDenyAndAreNotKept) {
  MakeLive();
  std::optional<BatchAnswer> batch;
  const std::vector<Check> checks = {{"note/1"}, {"note/2"}};
  client->BatchAuthorize("t", checks, {}, [&](BatchAnswer answer) { batch = std::move(answer); });
  auto reply = Good<v1::BatchAuthorizeResponse>();
  *reply.add_decisions() = reply.decision();
  Answer(reply);
  EXPECT_TRUE(batch->answers.at(0).allowed());
  EXPECT_FALSE(batch->answers.at(1).allowed());
  EXPECT_EQ(batch->answers.at(1).http_status(), 403);
  EXPECT_TRUE(Authorize(checks[0])->has_value());
  EXPECT_FALSE(Authorize(checks[1])->has_value());
}

TEST_F(RememberingTest, WhatWasNotSaidDenies) {
  MakeLive();
  EXPECT_FALSE(Ask(v1::VerifyResponse()).allowed());
  v1::VerifyResponse reply = Allowed();
  reply.mutable_decision()->set_code(static_cast<v1::Code>(77));
  EXPECT_FALSE(Ask(reply).allowed());
  reply = Allowed();
  reply.mutable_decision()->set_effect(static_cast<v1::Effect>(7));
  stream().Tell(Change(11, 'a'));
  EXPECT_FALSE(Ask(reply).allowed());
  EXPECT_FALSE(gatehouse::Answer().allowed());
  EXPECT_FALSE(gatehouse::Answer().decided());
  EXPECT_EQ(gatehouse::Answer().http_status(), 503);
}

TEST_F(RememberingTest, HitsMissesAndCallsAreCounted) {
  MakeLive();
  Ask(Allowed());
  Verify();
  Verify();
  const Figures figures = client->figures();
  EXPECT_EQ(figures.hits, 2U);
  EXPECT_EQ(figures.misses, 1U);
  EXPECT_EQ(figures.entries, 1U);
  EXPECT_TRUE(figures.live);
  EXPECT_EQ(figures.rpcs.at({"Verify", "OK"}), 1U);
  time->Advance(kSecond / 2);
  EXPECT_EQ(client->figures().staleness, std::chrono::milliseconds(500));
}

}  // namespace
}  // namespace gatehouse::client
