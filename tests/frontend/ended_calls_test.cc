// Many revocations at once over one connection: the store's thread ends them all.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "tests/frontend/server_fixture.h"

namespace gatehouse {
namespace {

using ::testing::AnyOf;

constexpr int kAtOnce = 128;

std::string SessionOf(int number) { return absl::StrCat("session-", number); }

// Revokes session after session, kAtOnce at a time, until a call fails or `most` are begun.
class Revokes {
 public:
  struct Call {
    grpc::ClientContext context;
    v1::RevokeRequest request;
    v1::RevokeResponse response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<v1::RevokeResponse>> reader;
    int ends = 0;
  };

  Revokes(v1::AuthorizationService::Stub& stub, int most) : stub_(stub), most_(most) {}

  // Returns when each call that was begun has ended. `enough` is notified when `count` have
  // been acknowledged, and at the end in any case.
  void Run(int count, absl::Notification& enough) {
    while (InFlight() < kAtOnce && begun() < most_) Begin();
    void* tag = nullptr;
    bool ok = false;
    while (InFlight() > 0 && queue_.Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      ++ended_;
      ++call.ends;
      if (call.status.ok() && ++acknowledged_ == count) enough.Notify();
      failed_ = failed_ || !call.status.ok();
      if (!failed_ && begun() < most_) Begin();
    }
    queue_.Shutdown();
    // None a second time.
    EXPECT_FALSE(queue_.Next(&tag, &ok));
    if (!enough.HasBeenNotified()) enough.Notify();
  }

  const std::deque<Call>& calls() const { return calls_; }
  int acknowledged() const { return acknowledged_; }

 private:
  int begun() const { return static_cast<int>(calls_.size()); }
  int InFlight() const { return begun() - ended_; }
  void Begin() {
    const int number = begun();
    Call& call = calls_.emplace_back();
    call.request.mutable_session()->set_issuer(kIssuer);
    call.request.mutable_session()->set_session_id(SessionOf(number));
    call.context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    call.reader = stub_.AsyncRevoke(&call.context, call.request, &queue_);
    call.reader->Finish(&call.response, &call.status, &call);
  }

  v1::AuthorizationService::Stub& stub_;
  const int most_;
  grpc::CompletionQueue queue_;
  std::deque<Call> calls_;
  int ended_ = 0;
  int acknowledged_ = 0;
  bool failed_ = false;
};

class EndedCallsTest : public ServerTest {
 protected:
  v1::Code CodeOf(int number) {
    const std::string session = absl::StrCat(R"(,"sid":")", SessionOf(number), "\"");
    return Verify(Token("ada", session)).decision().code();
  }
};

TEST_F(EndedCallsTest, EachOfManyRevocationsAtOnceIsAnsweredOnceAndIsInForce) {
  constexpr int kCalls = 8 * kAtOnce;
  Start();
  AwaitServing();
  Revokes revokes(*stub_, kCalls);
  absl::Notification enough;
  revokes.Run(kCalls, enough);
  ASSERT_EQ(revokes.calls().size(), kCalls);
  std::set<std::string> ids;
  for (int i = 0; i < kCalls; ++i) {
    const Revokes::Call& call = revokes.calls()[static_cast<size_t>(i)];
    ASSERT_TRUE(call.status.ok()) << call.status.error_message();
    EXPECT_EQ(call.ends, 1);
    EXPECT_EQ(call.response.revocation().session().session_id(), SessionOf(i));
    EXPECT_FALSE(call.response.existed());
    ids.insert(call.response.revocation().id());
    EXPECT_EQ(CodeOf(i), v1::CODE_TOKEN_REVOKED) << SessionOf(i);
  }
  EXPECT_EQ(ids.size(), kCalls);
}

TEST_F(EndedCallsTest, AShutdownEndsEveryRevocationAndLosesNoneThatWasAcknowledged) {
  Start();
  AwaitServing();
  Revokes revokes(*stub_, 1'000'000);
  absl::Notification enough;
  std::thread revoker([&] { revokes.Run(2 * kAtOnce, enough); });
  // As many as kAtOnce are in flight from here to the first that fails.
  enough.WaitForNotification();
  server_->Shutdown(absl::Seconds(60));
  server_.reset();
  revoker.join();
  Stop();
  ASSERT_GE(revokes.acknowledged(), 2 * kAtOnce);
  Start();
  int acknowledged = 0;
  int number = 0;
  for (const Revokes::Call& call : revokes.calls()) {
    EXPECT_EQ(call.ends, 1);
    if (call.status.ok()) {
      ++acknowledged;
      EXPECT_EQ(CodeOf(number), v1::CODE_TOKEN_REVOKED) << SessionOf(number);
    } else {
      // gRPC's own for a call that comes while the server shuts down is CANCELLED. What was
      // begun is answered.
      EXPECT_THAT(call.status.error_code(),
                  AnyOf(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::CANCELLED));
      EXPECT_EQ(CodeOf(number), v1::CODE_OK) << SessionOf(number);
    }
    ++number;
  }
  EXPECT_EQ(acknowledged, revokes.acknowledged());
  EXPECT_LT(acknowledged, number) << "none was in flight";
}

}  // namespace
}  // namespace gatehouse
