#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "tests/frontend/builtin_fixture.h"

namespace gatehouse::frontend {
namespace {

using ::testing::HasSubstr;

class HealthTest : public BuiltinTest {
 protected:
  struct Watcher {
    Context context;
    std::unique_ptr<grpc::ClientReader<Response>> stream;

    // The next status, or -1 when the stream has ended.
    int Next() {
      Response response;
      return stream->Read(&response) ? response.status() : -1;
    }
  };

  void Watch(Watcher& watcher, const std::string& name) {
    watcher.stream = health_->Watch(&watcher.context, Named(name));
  }

  // A call without a stub, whatever the method.
  grpc::Status Call(const std::string& method, const grpc::ByteBuffer& request) {
    grpc::GenericStub stub(channel_);
    grpc::CompletionQueue queue;
    Context context;
    grpc::ByteBuffer response;
    grpc::Status status;
    auto reader = stub.PrepareUnaryCall(&context, method, request, &queue);
    reader->StartCall();
    reader->Finish(&response, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    EXPECT_TRUE(queue.Next(&tag, &ok));
    return status;
  }
};

TEST_F(HealthTest, CheckSaysWhatWasSetAndNotFoundOfOthers) {
  EXPECT_EQ(Check(""), -grpc::StatusCode::NOT_FOUND);
  services_.SetServing("", false);
  services_.SetServing("https://issuer.example", true);
  EXPECT_EQ(Check(""), Response::NOT_SERVING);
  EXPECT_EQ(Check("https://issuer.example"), Response::SERVING);
  EXPECT_EQ(Check("https://issuer.example/"), -grpc::StatusCode::NOT_FOUND);
  services_.SetServing("", true);
  EXPECT_EQ(Check(""), Response::SERVING);
}

TEST_F(HealthTest, WatchSaysTheStatusAtOnceAndThenEachChange) {
  services_.SetServing("a", true);
  Watcher watcher;
  Watch(watcher, "a");
  EXPECT_EQ(watcher.Next(), Response::SERVING);
  for (int i = 0; i < 50; ++i) {
    services_.SetServing("b", i % 2 == 0);
    services_.SetServing("a", true);
    services_.SetServing("a", false);
    EXPECT_EQ(watcher.Next(), Response::NOT_SERVING);
    services_.SetServing("a", true);
    EXPECT_EQ(watcher.Next(), Response::SERVING);
  }
}

TEST_F(HealthTest, WatchWaitsForANameThatIsNotYetKnown) {
  Watcher watcher;
  Watch(watcher, "later");
  EXPECT_EQ(watcher.Next(), Response::SERVICE_UNKNOWN);
  services_.SetServing("later", true);
  EXPECT_EQ(watcher.Next(), Response::SERVING);
}

TEST_F(HealthTest, AtShutdownAllWhoWatchAreToldAndTheirStreamsEnd) {
  services_.SetServing("a", true);
  services_.SetServing("b", false);
  std::deque<Watcher> watchers(60);
  const std::vector<std::pair<std::string, int>> kinds = {
      {"a", Response::SERVING}, {"b", Response::NOT_SERVING}, {"c", Response::SERVICE_UNKNOWN}};
  for (size_t i = 0; i < watchers.size(); ++i) {
    Watch(watchers[i], kinds[i % 3].first);
    ASSERT_EQ(watchers[i].Next(), kinds[i % 3].second);
  }
  Stop();
  for (size_t i = 0; i < watchers.size(); ++i) {
    if (i % 3 != 1) EXPECT_EQ(watchers[i].Next(), Response::NOT_SERVING);
    EXPECT_EQ(watchers[i].Next(), -1);
    EXPECT_EQ(watchers[i].stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  }
}

TEST_F(HealthTest, AfterShutdownItIsNotServingForGood) {
  services_.SetServing("a", true);
  services_.Shutdown();
  services_.SetServing("a", true);
  services_.SetServing("new", true);
  EXPECT_EQ(Check("a"), Response::NOT_SERVING);
  EXPECT_EQ(Check("new"), -grpc::StatusCode::NOT_FOUND);
  Watcher watcher;
  Watch(watcher, "a");
  EXPECT_EQ(watcher.Next(), Response::NOT_SERVING);
  EXPECT_EQ(watcher.Next(), -1);
}

TEST_F(HealthTest, TheWholeIsReadinessToo) {
  EXPECT_EQ(Check("readiness"), -grpc::StatusCode::NOT_FOUND);
  services_.SetServing("", false);
  EXPECT_EQ(Check("readiness"), Response::NOT_SERVING);
  Watcher watcher;
  Watch(watcher, "readiness");
  EXPECT_EQ(watcher.Next(), Response::NOT_SERVING);
  services_.SetServing("", true);
  EXPECT_EQ(watcher.Next(), Response::SERVING);
  EXPECT_EQ(Check("readiness"), Response::SERVING);
}

TEST_F(HealthTest, LivenessIsServingWhateverIsSaid) {
  EXPECT_EQ(Check("liveness"), Response::SERVING);
  services_.SetServing("liveness", false);
  services_.SetServing("", false);
  EXPECT_EQ(Check("liveness"), Response::SERVING);
  services_.Forget("liveness");
  EXPECT_EQ(Check("liveness"), Response::SERVING);
}

TEST_F(HealthTest, ADrainIsForGoodAndEndsNothing) {
  services_.SetServing("", true);
  services_.SetServing("a", true);
  Watcher ready;
  Watcher alive;
  Watch(ready, "readiness");
  Watch(alive, "liveness");
  EXPECT_EQ(ready.Next(), Response::SERVING);
  EXPECT_EQ(alive.Next(), Response::SERVING);
  services_.Drain();
  EXPECT_EQ(ready.Next(), Response::NOT_SERVING);
  services_.SetServing("", true);
  services_.SetServing("new", true);
  services_.Forget("a");
  for (const char* const name : {"", "readiness", "a"}) {
    EXPECT_EQ(Check(name), Response::NOT_SERVING) << name;
  }
  EXPECT_EQ(Check("new"), -grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Check("liveness"), Response::SERVING);
  Stop();
  EXPECT_EQ(ready.Next(), -1);
  // Not told of any end before it ends.
  EXPECT_EQ(alive.Next(), -1);
  EXPECT_EQ(alive.stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(HealthTest, ACallWhoseRequestNeverComesDoesNotHoldTheShutdown) {
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  std::deque<Context> contexts(2);
  std::vector<std::unique_ptr<grpc::GenericClientAsyncReaderWriter>> calls;
  for (const char* method : {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"}) {
    calls.push_back(stub.PrepareCall(&contexts[calls.size()], method, &queue));
    calls.back()->StartCall(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  }
  while (in_flight_ != idle_ + 2) std::this_thread::yield();
  Stop();
  for (auto& call : calls) {
    grpc::Status status;
    call->Finish(&status, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_FALSE(status.ok());
  }
}

TEST_F(HealthTest, CallsWhoseRequestNeverComesKeepNoCheckOutAndAreEnded) {
  services_.SetServing("a", true);
  grpc::GenericStub stub(channel_);
  grpc::CompletionQueue queue;
  void* tag = nullptr;
  bool ok = false;
  std::deque<Context> contexts;
  std::vector<std::unique_ptr<grpc::GenericClientAsyncReaderWriter>> calls;
  for (int i = 0; i < BuiltinServices::kMaxChecks + 1; ++i) {
    const char* const method =
        i == 0 ? "/grpc.health.v1.Health/Watch" : "/grpc.health.v1.Health/Check";
    calls.push_back(stub.PrepareCall(&contexts.emplace_back(), method, &queue));
    calls.back()->StartCall(nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  }
  while (in_flight_ < idle_ + BuiltinServices::kMaxChecks + 1) std::this_thread::yield();
  EXPECT_EQ(Check("a"), Response::SERVING);
  WaitUntilIdle();
  for (auto& call : calls) {
    grpc::Status status;
    call->Finish(&status, nullptr);
    ASSERT_TRUE(queue.Next(&tag, &ok));
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED);
  }
}

TEST_F(HealthTest, ClientsThatVanishLeaveNothingBehind) {
  services_.SetServing("a", true);
  for (int round = 0; round < 10; ++round) {
    std::deque<Watcher> watchers(50);
    for (size_t i = 0; i < watchers.size(); ++i) {
      Watch(watchers[i], "a");
      if (i % 2 == 0) EXPECT_EQ(watchers[i].Next(), Response::SERVING);
    }
    services_.SetServing("a", round % 2 != 0);
    for (Watcher& watcher : watchers) watcher.context.TryCancel();
    services_.SetServing("a", true);
  }
  WaitUntilIdle();
  EXPECT_EQ(Check("a"), Response::SERVING);
}

TEST_F(HealthTest, TooManyStreamsAreRefusedAndLeaveRoomForChecks) {
  services_.SetServing("a", true);
  std::deque<Watcher> watchers(BuiltinServices::kMaxStreams);
  for (Watcher& watcher : watchers) {
    Watch(watcher, "a");
    ASSERT_EQ(watcher.Next(), Response::SERVING);
  }
  for (int i = 0; i < 2; ++i) {
    Watcher refused;
    Watch(refused, "a");
    EXPECT_EQ(refused.Next(), -1);
    EXPECT_EQ(refused.stream->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  }
  EXPECT_EQ(Check("a"), Response::SERVING);
  services_.SetServing("a", false);
  for (Watcher& watcher : watchers) {
    EXPECT_EQ(watcher.Next(), Response::NOT_SERVING);
    watcher.context.TryCancel();
  }
  WaitUntilIdle();
  Watcher next;
  Watch(next, "a");
  EXPECT_EQ(next.Next(), Response::NOT_SERVING);
}

TEST_F(HealthTest, NoWatcherMissesTheLastOfManyChanges) {
  constexpr int kWatchers = 16;
  services_.SetServing("a", true);
  std::atomic<int> watching = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kWatchers; ++t) {
    threads.emplace_back([&] {
      Watcher watcher;
      Watch(watcher, "a");
      int last = watcher.Next();
      ++watching;
      for (int next = watcher.Next(); next != -1; next = watcher.Next()) {
        EXPECT_NE(next, last) << "said twice";
        last = next;
      }
      EXPECT_EQ(last, Response::NOT_SERVING);
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000 || watching < kWatchers; ++i) services_.SetServing("a", i % 2 == 0);
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.back().join();
    threads.pop_back();
  }
  Stop();
  for (std::thread& thread : threads) thread.join();
}

TEST_F(HealthTest, MalformedRequestsAreInvalid) {
  const grpc::Slice slice("\x0a\x7f");
  const grpc::ByteBuffer garbage(&slice, 1);
  for (const char* method : {"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch",
                             "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}) {
    EXPECT_EQ(Call(method, garbage).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << method;
  }
  EXPECT_EQ(Check(std::string(4097, 'a')), -grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Check(std::string(4096, 'a')), -grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthTest, AnUnknownMethodIsNamedAndUnimplemented) {
  const grpc::Status status = Call("/no.Such/\"Method\"", grpc::ByteBuffer());
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_THAT(status.error_message(), HasSubstr(R"(/no.Such/\"Method\")"));
  EXPECT_EQ(Call("/grpc.health.v1.Health/List", grpc::ByteBuffer()).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
  WaitUntilIdle();
}

}  // namespace
}  // namespace gatehouse::frontend
