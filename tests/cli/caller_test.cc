#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kToken[] = "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe";

class CallerTest : public ::testing::Test {
 protected:
  CallerTest() {
    std::string name = std::filesystem::temp_directory_path() / "gatehouse-cli-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    server_.verify = VerifySays(Allowed(), Ada());
  }
  ~CallerTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& text, mode_t mode = 0600) const {
    const std::string file = folder_ / "caller.token";
    std::ofstream(file) << text;
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    return file;
  }

  std::filesystem::path folder_;
  FakeServer server_;
};

TEST_F(CallerTest, EveryCommandThatCallsSendsTheToken) {
  const std::string file = File(std::string(kToken) + "\nanother-token-of-the-same-caller\n");
  server_.authorize = [](const v1::AuthorizeRequest&, v1::AuthorizeResponse& reply) {
    *reply.mutable_decision() = Allowed();
    return grpc::Status::OK;
  };
  server_.revoke = [](const v1::RevokeRequest&, v1::RevokeResponse& reply) {
    reply.mutable_revocation()->set_id("r1");
    return grpc::Status::OK;
  };
  server_.list = [](const auto&, auto&) { return grpc::Status::OK; };
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"verify"},
                                             {"authorize", "--resource", "task/7"},
                                             {"revoke", "token"},
                                             {"revoke", "session", "--issuer", "i", "s1"},
                                             {"revocations"}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--caller-token-file", file});
    const Result result = server_.Run(arguments);
    EXPECT_EQ(result.code, 0) << result.err;
    EXPECT_EQ(server_.authorization(), "Bearer " + std::string(kToken)) << command.back();
    EXPECT_THAT(result.err, IsEmpty());
    server_.Run(command, "a.b.c\n", {{"GATEHOUSE_CALLER_TOKEN_FILE", file}});
    EXPECT_EQ(server_.authorization(), "Bearer " + std::string(kToken)) << command.back();
    server_.Run(command);
    EXPECT_EQ(server_.authorization(), "") << "no file, no token";
  }
}

TEST_F(CallerTest, AFileThatOthersMayReadIsWarnedOf) {
  const std::string file = File(kToken, 0644);
  const Result result = server_.Run({"verify", "--caller-token-file", file});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err,
              AllOf(StartsWith("gatehouse: warning: others than its owner can read " + file),
                    Not(HasSubstr(kToken))));
}

TEST_F(CallerTest, AFileWithoutATokenIsNamedAndNothingIsCalled) {
  bool called = false;
  server_.verify = [&](const auto&, auto&) {
    called = true;
    return grpc::Status::OK;
  };
  for (const char* text : {"", "\n\n", "two words\n", "caf\xC3\xA9-caf\xC3\xA9\n"}) {
    const std::string file = File(text);
    const Result result = server_.Run({"verify", "--caller-token-file", file});
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, HasSubstr(file));
    EXPECT_THAT(result.err, Not(HasSubstr("two words")));
  }
  const Result missing = server_.Run({"verify", "--caller-token-file", folder_ / "missing"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("missing"));
  EXPECT_FALSE(called);
}

TEST_F(CallerTest, ATokenInThePlaceOfItsFileIsNotShown) {
  const Result option = server_.Run({"verify", "--caller-token-file", kToken});
  const Result variable =
      server_.Run({"verify"}, "a.b.c\n", {{"GATEHOUSE_CALLER_TOKEN_FILE", kToken}});
  for (const Result& result : {option, variable}) {
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.err, AllOf(HasSubstr("there is no such file"), Not(HasSubstr(kToken))));
  }
}

TEST_F(CallerTest, AnUnknownCallerIsToldWhatToDo) {
  server_.verify = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAUTHENTICATED, "unknown");
  };
  Result result = server_.Run({"verify"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("does not know who calls: unknown"),
                                HasSubstr("--caller-token-file FILE")));
  const std::string file = File(kToken);
  result = server_.Run({"verify", "--caller-token-file", file});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("The token in " + file),
                    HasSubstr("It reads them again when they change."), Not(HasSubstr(kToken))));
}

TEST_F(CallerTest, AMissingRightIsToldWithWhatToDo) {
  server_.verify = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "caller a has no right \"verify\"");
  };
  const Result result = server_.Run({"verify"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("caller a has no right \"verify\""), HasSubstr("`may`")));
}

TEST_F(CallerTest, ExplainShowsTheSteps) {
  bool asked = false;
  server_.verify = [&](const v1::VerifyRequest& request, v1::VerifyResponse& reply) {
    asked = request.explain();
    *reply.mutable_decision() = Denied(v1::CODE_TOKEN_EXPIRED, "The token has expired.");
    if (!asked) return grpc::Status::OK;
    v1::Step* step = reply.mutable_decision()->add_explanation();
    step->set_name("key");
    step->set_passed(true);
    step->set_detail("EdDSA, kid \x1b[2J7");
    step = reply.mutable_decision()->add_explanation();
    step->set_name("time");
    step->set_detail("expired 12 s ago");
    return grpc::Status::OK;
  };
  EXPECT_THAT(server_.Run({"verify"}).out, Not(HasSubstr("FAIL")));
  EXPECT_FALSE(asked);
  const Result result = server_.Run({"verify", "--explain"});
  EXPECT_TRUE(asked);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("\nok   key        EdDSA, kid \\x1b[2J7\n"
                                    "FAIL time       expired 12 s ago\n"));
  EXPECT_THAT(server_.Run({"verify", "--explain", "--output", "json"}).out,
              HasSubstr(R"("explanation":[{"name":"key","passed":true,)"));
}

TEST_F(CallerTest, AuthorizeExplainsToo) {
  bool asked = false;
  server_.authorize = [&](const v1::AuthorizeRequest& request, v1::AuthorizeResponse& reply) {
    asked = request.explain();
    *reply.mutable_decision() = Allowed();
    return grpc::Status::OK;
  };
  server_.Run({"authorize", "--resource", "task/7", "--explain"});
  EXPECT_TRUE(asked);
}

}  // namespace
}  // namespace gatehouse::cli
