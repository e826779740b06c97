#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <future>

#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::chrono::system_clock::time_point InAMinute() {
  return std::chrono::system_clock::now() + std::chrono::minutes(1);
}

TEST(FailedCallTest, NoServerIsExitCode2AndSaysWhatToDo) {
  FakeServer server;
  server.Stop();
  const Result result = server.Run({"verify"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, StartsWith("gatehouse: cannot reach " + server.target() +
                                     ": is gatehouse-server running there?"));
}

TEST(FailedCallTest, ServerThatCannotDecideIsExitCode2) {
  FakeServer server;
  server.verify = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "no keys yet");
  };
  const Result result = server.Run({"verify"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("cannot decide now: no keys yet"), Not(HasSubstr("cannot reach"))));
}

TEST(FailedCallTest, ServerThatCannotDecideWhileItEndsIsNotCalledUnreachable) {
  FakeServer server;
  const auto other = grpc::CreateChannel(server.target(), grpc::InsecureChannelCredentials());
  ASSERT_TRUE(other->WaitForConnected(InAMinute()));
  std::future<void> stopped;
  server.verify = [&](const auto&, auto&) {
    stopped = std::async(std::launch::async, [&] { server.Stop(InAMinute()); });
    // Every connection was told to go, this call's too.
    EXPECT_TRUE(other->WaitForStateChange(GRPC_CHANNEL_READY, InAMinute()));
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the keys cannot be had now");
  };
  const Result result = server.Run({"verify"});
  stopped.get();
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("cannot decide now: the keys cannot be had now"),
                                Not(HasSubstr("cannot reach"))));
}

TEST(FailedCallTest, ServerThatGoesDuringTheCallIsExitCode2AndWorthATry) {
  FakeServer server;
  std::promise<void> child_ended;
  std::future<void> stopped;
  server.verify = [&](const auto&, auto&) {
    stopped = std::async(std::launch::async, [&] { server.Stop(); });
    child_ended.get_future().wait();
    return grpc::Status::OK;
  };
  const Result result = server.Run({"verify"});
  child_ended.set_value();
  stopped.get();
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, AllOf(HasSubstr("Try again"), Not(HasSubstr("cannot reach")),
                                Not(HasSubstr("cannot decide"))));
}

TEST(FailedCallTest, FailuresOfTheConnectionAreNoWordsOfTheServer) {
  // As gRPC words them; a proxy or a port of something else brings them about.
  FakeServer server;
  for (const std::string message :
       {"Socket closed", "recvmsg:Connection reset by peer", "Broken pipe", "GOAWAY received",
        "Received RST_STREAM with error code 7"}) {
    server.verify = [&](const auto&, auto&) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, message);
    };
    const Result result = server.Run({"verify"});
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, HasSubstr("ended before the answer came (" + message + ")"));
  }
}

TEST(FailedCallTest, CallThatTheServerEndsIsExitCode2AndWorthATry) {
  FakeServer server;
  server.verify = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::CANCELLED, "server ends");
  };
  const Result result = server.Run({"verify"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("ended the call"), HasSubstr("server ends\nTry again")));
}

TEST(FailedCallTest, SilentServerIsExitCode2AfterTheTimeout) {
  FakeServer server;
  std::promise<void> child_ended;
  server.verify = [&](const auto&, auto&) {
    child_ended.get_future().wait();
    return grpc::Status::OK;
  };
  const Result result = server.Run({"verify", "--timeout", "100ms"});
  child_ended.set_value();
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("within 100ms"));
}

TEST(FailedCallTest, TooLargeATokenIsExitCode2) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  const Result result = server.Run({"verify"}, std::string(2 << 20, 'a'));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("too large"));
}

TEST(FailedCallTest, OverloadAndUnknownMethodAreToldApart) {
  FakeServer server;
  server.verify = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "busy");
  };
  EXPECT_THAT(server.Run({"verify"}).err, HasSubstr("too much to do: busy"));
  server.verify = nullptr;
  const Result result = server.Run({"verify"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("does not know this call"));
}

TEST(FailedCallTest, OutputThatCannotBeWrittenIsExitCode2) {
  // Allowed, but the one who asked cannot have read it.
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  Child child{.arguments = {"verify", "--target", server.target()}, .input = "a.b.c"};
  child.output_file = "/dev/full";
  const Result result = RunChild(child);
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("could not be written"));
}

}  // namespace
}  // namespace gatehouse::cli
