#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Looks like a token and is none.
constexpr char kSecret[] = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl";

class TokenInputTest : public ::testing::Test {
 protected:
  TokenInputTest() {
    server_.verify = [this](const v1::VerifyRequest& request, v1::VerifyResponse& reply) {
      got_ = request.token();
      *reply.mutable_decision() = Allowed();
      return grpc::Status::OK;
    };
  }

  std::string File(const std::string& name, const std::string& content) {
    const std::string path = ::testing::TempDir() + "/gatehouse-cli-" + name;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return path;
  }

  FakeServer server_;
  std::string got_;
};

TEST_F(TokenInputTest, FileComesBeforeEnvironmentComesBeforeInput) {
  const std::string file = File("token", "from.file\n");
  EXPECT_EQ(server_.Run({"verify"}, "from.input\n").code, 0);
  EXPECT_EQ(got_, "from.input");
  EXPECT_EQ(server_.Run({"verify"}, "from.input\n", {{"GATEHOUSE_TOKEN", "from.environment"}}).code,
            0);
  EXPECT_EQ(got_, "from.environment");
  EXPECT_EQ(server_
                .Run({"verify", "--token-file", file}, "from.input\n",
                     {{"GATEHOUSE_TOKEN", "from.environment"}})
                .code,
            0);
  EXPECT_EQ(got_, "from.file");
  EXPECT_EQ(server_
                .Run({"verify", "--token-file", "-"}, "from.input\n",
                     {{"GATEHOUSE_TOKEN", "from.environment"}})
                .code,
            0);
  EXPECT_EQ(got_, "from.input");
}

TEST_F(TokenInputTest, EmptyEnvironmentVariableIsNone) {
  EXPECT_EQ(server_.Run({"verify"}, "from.input\n", {{"GATEHOUSE_TOKEN", ""}}).code, 0);
  EXPECT_EQ(got_, "from.input");
}

TEST_F(TokenInputTest, OneLineEndIsNotPartOfTheToken) {
  for (const char* const text : {"a.b.c", "a.b.c\n", "a.b.c\r\n"}) {
    EXPECT_EQ(server_.Run({"verify"}, text).code, 0);
    EXPECT_EQ(got_, "a.b.c");
  }
  EXPECT_EQ(server_.Run({"verify"}, " a.b.c\n\n").code, 0);
  EXPECT_EQ(got_, " a.b.c\n");
}

TEST_F(TokenInputTest, NoTokenAnywhereIsExitCode2) {
  const Result piped = server_.Run({"verify"}, "");
  EXPECT_EQ(piped.code, 2);
  EXPECT_THAT(piped.err, HasSubstr("no token in standard input"));
  const Result file = server_.Run({"verify", "--token-file", File("empty", "\n")}, "");
  EXPECT_EQ(file.code, 2);
  EXPECT_THAT(file.err, HasSubstr("no token in the file"));
  const Result terminal =
      RunChild({.arguments = {"verify", "--target", server_.target()}, .terminal_input = true});
  EXPECT_EQ(terminal.code, 2);
  EXPECT_THAT(terminal.err, HasSubstr("no token given: use --token-file FILE"));
  EXPECT_EQ(got_, "");
}

TEST_F(TokenInputTest, FileThatCannotBeReadIsNamed) {
  const Result missing = server_.Run({"verify", "--token-file", "/nowhere/token"});
  EXPECT_EQ(missing.code, 2);
  EXPECT_THAT(missing.err, HasSubstr("the file /nowhere/token: there is no such file"));
  EXPECT_EQ(server_.Run({"verify", "--token-file", "/"}).code, 2);
  EXPECT_EQ(server_.Run({"verify", "--token-file", ""}).code, 2);
  EXPECT_EQ(got_, "");
}

TEST_F(TokenInputTest, EndlessInputIsRefused) {
  const Result result = server_.Run({"verify", "--token-file", "/dev/zero"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("/dev/zero: is larger than 4194304 bytes"));
  const Result piped = server_.Run({"verify"}, std::string((4 << 20) + 1, 'a'));
  EXPECT_EQ(piped.code, 2);
  EXPECT_THAT(piped.err, HasSubstr("standard input holds more than 4 MiB"));
}

TEST_F(TokenInputTest, BytesThatNoTokenHasAreNotSent) {
  const Result result = server_.Run({"verify"}, "\xff\xfe secret");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, AllOf(HasSubstr("bytes that no token has"), Not(HasSubstr("secret"))));
}

TEST_F(TokenInputTest, TokenOnTheCommandLineIsRefusedAndNotShown) {
  const std::string with_equals = std::string("--token=") + kSecret;
  const std::vector<std::string> attempts[] = {
      {"verify", kSecret},
      {"verify", "--token", kSecret},
      {"verify", with_equals},
      {"verify", "--token-file", kSecret},
      {"authorize", "--resource", "task/7", kSecret},
      {"revoke", "token", kSecret},
      {"revoke", "token-id", "--issuer", "i", kSecret},
      {"revoke", "session", "--issuer", "i", "s", "--reason", kSecret},
  };
  for (const auto& attempt : attempts) {
    const Result result = server_.Run(attempt, "");
    EXPECT_EQ(result.code, 2) << attempt[0] << " " << attempt[1];
    EXPECT_THAT(result.err, HasSubstr("tokens are not taken from the command line"));
    EXPECT_THAT(result.out + result.err, Not(HasSubstr("eyJ")));
  }
  EXPECT_EQ(got_, "");
}

TEST_F(TokenInputTest, ArgumentsThatAreWrongAreNeverShownWhenTheyLookLikeTokens) {
  const std::vector<std::string> attempts[] = {
      {kSecret},
      {"verify", "--output", kSecret},
      {"verify", "--timeout", kSecret},
      {"revocations", "--limit", kSecret},
      {"revoke", kSecret},
  };
  for (const auto& attempt : attempts) {
    const Result result = server_.Run(attempt, "");
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.out + result.err, Not(HasSubstr("eyJ")));
  }
}

}  // namespace
}  // namespace gatehouse::cli
