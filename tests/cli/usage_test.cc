#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Result Command(const std::vector<std::string>& arguments) {
  return RunChild({.arguments = arguments});
}

TEST(UsageTest, EveryHelpHasExamples) {
  const std::vector<std::string> commands[] = {{},
                                               {"verify"},
                                               {"authorize"},
                                               {"revoke"},
                                               {"revocations"},
                                               {"dev-token"},
                                               {"revoke", "token"},
                                               {"revoke", "token-id"},
                                               {"revoke", "session"},
                                               {"revoke", "subject"}};
  for (std::vector<std::string> command : commands) {
    command.emplace_back("--help");
    const Result result = Command(command);
    std::string usage = "Usage: gatehouse ";
    for (const std::string& word : command) usage += word == "--help" ? "[OPTIONS]" : word + " ";
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, AllOf(HasSubstr(usage), HasSubstr("Examples:\n  gatehouse"),
                                  HasSubstr("\nExit codes: 0 "), HasSubstr(", 2 ")));
    EXPECT_THAT(result.err, IsEmpty());
  }
}

TEST(UsageTest, CommandsThatAskExplainExitCode1) {
  for (const char* const command : {"verify", "authorize"}) {
    EXPECT_THAT(Command({command, "--help"}).out,
                HasSubstr("Exit codes: 0 allowed, 1 denied, 2 could not tell"));
  }
}

TEST(UsageTest, ServerHasTimeToFetchKeysBeforeTheTimeout) {
  EXPECT_THAT(Command({"--help"}).out, HasSubstr("--timeout TIME=6s"));
}

TEST(UsageTest, VersionIsTold) {
  const Result result = Command({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.out, StartsWith("gatehouse 0."));
}

TEST(UsageTest, WrongUsageIsExitCode2AndNamesTheMistake) {
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{}, "a command is needed"},
      {{"verfy"}, "there is no command verfy"},
      {{"revoke"}, "a command is needed"},
      {{"verify", "--claim"}, "unknown option --claim"},
      {{"verify", "--timeout", "0s"}, "--timeout: must be a time such as"},
      {{"verify", "--timeout", "inf"}, "--timeout: must be a time such as"},
      {{"verify", "--target", "http://localhost:7071"},
       "--target: a target (also in GATEHOUSE_TARGET) is host:port or unix:PATH; http:// is for "
       "the HTTP port"},
      {{"verify", "--target", "HTTPS://localhost:7070"}, "https:// is for the HTTP port"},
      {{"verify", "--output", "xml"}, "--output: must be text or json"},
      {{"revocations", "--limit", "-1"}, "--limit: must be a number, 0 or more"},
      {{"revoke", "session", "s"}, "--issuer is required"},
      {{"revoke", "session", "--issuer", "i"}, "session is required"},
      {{"revoke", "subject", "--issuer", "i", "ada", "--issued-until", "soon"},
       "--issued-until must be"},
      {{"authorize", "--resource", "a/\xff"}, "--resource: the value is not UTF-8"},
  };
  for (const auto& [arguments, message] : cases) {
    const Result result = Command(arguments);
    EXPECT_EQ(result.code, 2) << message;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, HasSubstr(message));
  }
}

TEST(UsageTest, GlobalOptionsMayStandBehindTheCommand) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  const std::vector<std::string> orders[] = {
      {"--target", server.target(), "--output", "json", "verify"},
      {"verify", "--target", server.target(), "--output", "json"},
  };
  for (const auto& arguments : orders) {
    const Result result = RunChild({.arguments = arguments, .input = "a.b.c"});
    EXPECT_EQ(result.code, 0);
    EXPECT_THAT(result.out, StartsWith("{"));
  }
}

TEST(UsageTest, TargetOptionComesBeforeTheEnvironment) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  FakeServer stopped;
  stopped.Stop();
  Child child{.arguments = {"verify"}, .input = "a.b.c"};
  child.environment["GATEHOUSE_TARGET"] = stopped.target();
  EXPECT_EQ(RunChild(child).code, 2);
  child.arguments = {"verify", "--target", server.target()};
  EXPECT_EQ(RunChild(child).code, 0);
}

TEST(UsageTest, ProxyOfTheEnvironmentIsNotUsed) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  FakeServer stopped;
  stopped.Stop();
  EXPECT_EQ(server
                .Run({"verify"}, "a.b.c",
                     {{"http_proxy", "http://" + stopped.target()},
                      {"grpc_proxy", "http://" + stopped.target()}})
                .code,
            0);
}

}  // namespace
}  // namespace gatehouse::cli
