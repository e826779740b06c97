#include "client/cli/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"
#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::IsEmpty;

TEST(TargetTest, LoopbackAndUnixSocketsAreOnThisMachine) {
  for (const char* const target :
       {"localhost", "localhost:7070", "LOCALHOST:7070", "127.0.0.1", "127.0.0.1:7070",
        "127.1.2.3:7070", "[::1]", "[::1]:7070", "dns:localhost:7070", "dns:///127.0.0.1:7070",
        "dns://9.9.9.9/localhost:7070", "ipv4:127.0.0.1:7070", "ipv4:127.0.0.1:1,127.0.0.2:2",
        "ipv6:[::1]:7070", "unix:gatehouse.sock", "unix:///run/gatehouse.sock",
        "unix-abstract:gatehouse"}) {
    EXPECT_TRUE(IsOnThisMachine(target)) << target;
  }
}

TEST(TargetTest, EverythingElseIsNot) {
  for (const char* const target : {"",
                                   ":7070",
                                   "10.0.0.1:7070",
                                   "0.0.0.0:7070",
                                   "gatehouse:7070",
                                   "localhost.example.com:7070",
                                   "127.0.0.1.example.com:7070",
                                   "127.example.com",
                                   "128.0.0.1",
                                   "[::]:7070",
                                   "[::2]:7070",
                                   "[fe80::1",
                                   "ipv4:127.0.0.1:1,10.0.0.1:2",
                                   "ipv4:",
                                   "dns:",
                                   "dns://",
                                   "dns://localhost",
                                   "dns:///10.0.0.1:7070",
                                   "dns://127.0.0.1/10.0.0.1:7070",
                                   "unixes:7070",
                                   "xds:///localhost",
                                   "localhost/10.0.0.1:7070"}) {
    EXPECT_FALSE(IsOnThisMachine(target)) << target;
  }
}

TEST(TargetTest, CallThatLeavesThisMachineIsWarnedOfOnce) {
  FakeServer server;
  int pages = 0;
  server.list = [&](const auto&, v1::ListRevocationsResponse& reply) {
    if (++pages < 3) reply.set_next_page_token(std::to_string(pages));
    return grpc::Status::OK;
  };
  // No loopback address by name, yet one that leads here.
  const std::string target = absl::StrReplaceAll(server.target(), {{"127.0.0.1", "0.0.0.0"}});
  const Result result = server.Run({"revocations", "--limit", "0", "--target", target});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(result.err, "gatehouse: warning: calls to " + target +
                            " are in plaintext: whoever is on the way can read the token and "
                            "forge the answer; --ca-file FILE encrypts them\n");
  EXPECT_EQ(result.out, "no revocations\n");
}

TEST(TargetTest, CallThatStaysIsNotWarnedOf) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  EXPECT_THAT(server.Run({"verify"}).err, IsEmpty());
}

}  // namespace
}  // namespace gatehouse::cli
