// What outlives a request: docs/clients.md.

#include <memory>

#include "tests/client_cpp/fakes.h"

namespace gatehouse::client {
namespace {

class WatchedTest : public ClientTest {
 protected:
  Subscription Watch(const std::string& token = "t") {
    Subscription subscription = client->OnRevoked(
        token, [this](gatehouse::Answer answer) { told.push_back(std::move(answer)); });
    time->Advance(0);
    return subscription;
  }

  std::vector<gatehouse::Answer> told;
};

TEST_F(WatchedTest, ItIsCalledOnceWhenAChangeTouchesTheToken) {
  MakeLive();
  const Subscription subscription = Watch();
  Answer(Allowed());
  stream().Tell(Change(11, 'b'));
  time->Advance(0);
  EXPECT_TRUE(transport->asked.empty());
  stream().Tell(Change(12, 'a'));
  time->Advance(0);
  ASSERT_EQ(transport->asked.size(), 1U);
  Answer(Denied(12));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].code(), Code::kTokenRevoked);
  stream().Tell(Change(13, 'a'));
  time->Advance(kSecond);
  EXPECT_TRUE(transport->asked.empty());
}

TEST_F(WatchedTest, WhatIsRememberedCostsNoCall) {
  MakeLive();
  Ask(Allowed());
  const Subscription subscription = Watch();
  // It is asked by the way that everybody asks.
  if (!transport->asked.empty()) Answer(Allowed());
  stream().Tell(Change(12, 'a'));
  time->Advance(0);
  EXPECT_EQ(transport->asked.size(), 1U);
}

TEST_F(WatchedTest, AChangeThatDoesNotRefuseTheTokenIsNoEnd) {
  MakeLive();
  const Subscription subscription = Watch();
  Answer(Allowed());
  stream().Tell(Change(12, 'a'));
  time->Advance(0);
  Answer(Allowed(12));
  EXPECT_TRUE(told.empty());
  stream().Tell(Change(13, 'a'));
  time->Advance(0);
  Answer(Denied(13));
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(WatchedTest, AChangeThatCameBetweenIsNotMissed) {
  MakeLive();
  const Subscription subscription = Watch();
  stream().Tell(Change(11, 'a'));  // its tags are not known yet
  Answer(Allowed(10));
  time->Advance(50 * kMillisecond);
  ASSERT_EQ(transport->asked.size(), 1U);
  Answer(Denied(11));
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(WatchedTest, ATokenThatIsRefusedAlreadyIsToldAtOnce) {
  MakeLive();
  const Subscription subscription = Watch();
  Answer(Denied());
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(WatchedTest, WhenThePlaceIsLostEveryoneIsAskedWithinASecond) {
  MakeLive();
  const Subscription subscription = Watch();
  Answer(Allowed());
  chance = 0.9;
  v1::WatchResponse news = News(30);
  news.set_fell_behind(true);
  stream().Tell(news);
  time->Advance(0);
  EXPECT_TRUE(transport->asked.empty());
  time->Advance(900 * kMillisecond);
  EXPECT_EQ(transport->asked.size(), 1U);
  Answer(Allowed(30));

  news = News(30);
  news.set_rules("r2");
  stream().Tell(news);
  time->Advance(kSecond);
  EXPECT_EQ(transport->asked.size(), 1U);
  Answer(Allowed(30));

  stream().End(9);
  time->Advance(kSecond);
  EXPECT_EQ(transport->asked.size(), 1U);
}

TEST_F(WatchedTest, AnErrorIsAskedAgainUntilThereIsADecision) {
  MakeLive();
  const Subscription subscription = Watch();
  Answer(Allowed());
  stream().Tell(Change(11, 'a'));
  time->Advance(0);
  for (const int64_t pause : {50, 100, 200}) {
    Fail(13);
    EXPECT_TRUE(told.empty());
    time->Advance(pause * kMillisecond);
    ASSERT_EQ(transport->asked.size(), 1U);
  }
  Answer(Denied());
  EXPECT_EQ(told.size(), 1U);
}

TEST_F(WatchedTest, ItIsToldWhenTheTokenHasExpired) {
  MakeLive();
  const Subscription subscription = Watch();
  v1::VerifyResponse reply = Allowed();
  reply.mutable_remember_for()->set_seconds(1);
  reply.mutable_principal()->mutable_expire_time()->set_seconds(1'800'000'000 + 2);
  Answer(reply);
  time->Advance(2 * kSecond - 1);
  EXPECT_TRUE(transport->asked.empty());
  time->Advance(1);
  ASSERT_EQ(transport->asked.size(), 1U);
  Answer(reply);  // the server's skew
  stream().Tell(News(10));
  time->Advance(kSecond);
  ASSERT_EQ(transport->asked.size(), 1U);
  v1::VerifyResponse expired = Denied(10);
  expired.mutable_decision()->set_code(v1::CODE_TOKEN_EXPIRED);
  Answer(expired);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].code(), Code::kTokenExpired);
}

TEST_F(WatchedTest, WhoHasGoneIsNotCalled) {
  MakeLive();
  {
    const Subscription subscription = Watch();
    Answer(Allowed());
    stream().Tell(Change(11, 'a'));
  }
  time->Advance(kSecond);
  EXPECT_TRUE(transport->asked.empty());
  EXPECT_TRUE(told.empty());
}

TEST_F(WatchedTest, OneMayEndItselfAndOutliveTheClient) {
  MakeLive();
  Subscription self;
  self = client->OnRevoked("t", [&](const gatehouse::Answer&) { self = Subscription(); });
  Subscription later = Watch("u");
  time->Advance(0);
  Answer(Denied());
  client.reset();
}

}  // namespace
}  // namespace gatehouse::client
