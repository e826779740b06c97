// Questions at the same time: docs/clients.md.

#include "tests/client_cpp/fakes.h"

namespace gatehouse::client {
namespace {

using SharingTest = ClientTest;

TEST_F(SharingTest, TenThousandWhoAskTheSameMakeOneCall) {
  MakeLive();
  std::vector<Place> places;
  for (int i = 0; i < 10'000; ++i) places.push_back(Verify());
  EXPECT_EQ(transport->asked.size(), 1U);
  Answer(Allowed());
  for (const Place& place : places) ASSERT_TRUE((*place)->allowed());
  EXPECT_EQ(client->figures().shared, 9'999U);
}

TEST_F(SharingTest, AnotherQuestionIsAnotherCall) {
  MakeLive();
  Verify("t");
  Verify("u");
  Authorize({"note/1", "read", "ada"});
  Authorize({"note/1", "edit", "ada"});
  EXPECT_EQ(transport->asked.size(), 4U);
}

TEST_F(SharingTest, WhoBeginsAfterAChangeIsNotAnsweredFromBefore) {
  MakeLive();
  const Place before = Verify();
  stream().Tell(Change(11, 'b'));
  const Place after = Verify();
  ASSERT_EQ(transport->asked.size(), 2U);
  const Place with_it = Verify();
  EXPECT_EQ(transport->asked.size(), 2U);
  Answer(Allowed(10));
  EXPECT_TRUE((*before)->allowed());
  EXPECT_FALSE(after->has_value());
  Answer(Denied());
  EXPECT_FALSE((*after)->allowed());
  EXPECT_FALSE((*with_it)->allowed());
}

TEST_F(SharingTest, WhoBeginsAfterARevocationOfOnesOwnIsNotAnsweredFromBefore) {
  MakeLive();
  Verify();
  client->Revoke(TokenTarget{"t"}, {}, [](const Result<Revoked>&) {});
  std::swap(transport->asked[0], transport->asked[1]);
  v1::RevokeResponse reply;
  reply.set_revision(11);
  reply.set_store_id("s");
  Answer(reply);
  Verify();
  EXPECT_EQ(transport->asked.size(), 2U);
}

TEST_F(SharingTest, FreshSharesNoCallThatWasUnderWay) {
  MakeLive();
  Verify();
  CallOptions fresh;
  fresh.fresh = true;
  Verify("t", fresh);
  EXPECT_EQ(transport->asked.size(), 2U);
}

TEST_F(SharingTest, WhoBeginsMaxStalenessAfterACallWasSentDoesNotJoinIt) {
  // Without a stream no change is known of.
  MakeLive();
  CallOptions patient;
  patient.deadline = std::chrono::seconds(20);
  Verify("t", patient);
  time->Advance(3 * kSecond - 1);
  Verify("t", patient);
  EXPECT_EQ(transport->asked.size(), 1U);
  time->Advance(1);
  Verify("t", patient);
  EXPECT_EQ(transport->asked.size(), 2U);
}

TEST_F(SharingTest, AnErrorIsShared) {
  MakeLive();
  const Place one = Verify();
  const Place two = Verify();
  Fail(13);
  EXPECT_FALSE((*one)->decided());
  EXPECT_FALSE((*two)->decided());
  EXPECT_TRUE(transport->asked.empty());
}

TEST_F(SharingTest, WhoHasLessTimeThanTheFirstIsAnsweredWhenItIsOver) {
  MakeLive();
  const Place patient = Verify();
  CallOptions options;
  options.deadline = std::chrono::milliseconds(100);
  const Place hurried = Verify("t", options);
  time->Advance(100 * kMillisecond);
  ASSERT_TRUE(hurried->has_value());
  EXPECT_EQ((*hurried)->error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_FALSE(patient->has_value());
  Answer(Allowed());
  EXPECT_TRUE((*patient)->allowed());
}

TEST_F(SharingTest, WhenTheFirstOnesTimeIsOverTheOthersAskOnceMoreTogether) {
  MakeLive();
  CallOptions options;
  options.deadline = std::chrono::milliseconds(100);
  const Place hurried = Verify("t", options);
  const Place one = Verify();
  const Place two = Verify();
  ASSERT_EQ(transport->asked.size(), 1U);
  time->Advance(100 * kMillisecond);
  Fail(4);
  EXPECT_FALSE((*hurried)->decided());
  ASSERT_EQ(transport->asked.size(), 1U);
  EXPECT_EQ(transport->asked.front().timeout, 400 * kMillisecond);
  Answer(Allowed());
  EXPECT_TRUE((*one)->allowed());
  EXPECT_TRUE((*two)->allowed());
}

}  // namespace
}  // namespace gatehouse::client
