#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(VerifyCommandTest, GoodTokenIsAllowedWithExitCode0) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  const Result result = server.Run({"verify"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out,
            "allowed\n"
            "  subject   ada\n"
            "  issuer    https://login.example.com\n"
            "  roles     admin, user\n"
            "  issued    2026-11-20T23:11:55Z\n"
            "  expires   2026-11-20T23:26:55Z\n"
            "  decision  d-1\n");
  EXPECT_THAT(result.err, IsEmpty());
}

TEST(VerifyCommandTest, EveryReasonForADenialIsExitCode1) {
  const std::pair<v1::Code, std::string> reasons[] = {
      {v1::CODE_TOKEN_MISSING, "TOKEN_MISSING"},
      {v1::CODE_TOKEN_INVALID, "TOKEN_INVALID"},
      {v1::CODE_TOKEN_EXPIRED, "TOKEN_EXPIRED"},
      {v1::CODE_TOKEN_REVOKED, "TOKEN_REVOKED"},
      {v1::CODE_INSUFFICIENT_PERMISSIONS, "INSUFFICIENT_PERMISSIONS"},
  };
  FakeServer server;
  for (const auto& [code, name] : reasons) {
    server.verify = VerifySays(Denied(code, "for a reason."));
    const Result result = server.Run({"verify"});
    EXPECT_EQ(result.code, 1) << name;
    EXPECT_EQ(result.out, "denied (" + name + "): for a reason.\n  decision  d-2\n");
    EXPECT_THAT(result.err, IsEmpty());
  }
}

// Also values that this version does not know.
void SetEnum(v1::Decision& decision, const std::string& field, int value) {
  decision.GetReflection()->SetEnumValue(&decision,
                                         decision.GetDescriptor()->FindFieldByName(field), value);
}

struct Odd {
  int effect;
  int code;
};

TEST(VerifyCommandTest, AnswerThatIsNeitherYesNorNoIsExitCode2) {
  FakeServer server;
  for (const Odd odd : {Odd{0, 0}, Odd{0, 1}, Odd{1, 0}, Odd{1, 2}, Odd{1, 77}, Odd{2, 0},
                        Odd{2, 1}, Odd{2, 77}, Odd{3, 1}, Odd{-1, 1}}) {
    v1::Decision decision;
    SetEnum(decision, "effect", odd.effect);
    SetEnum(decision, "code", odd.code);
    server.verify = VerifySays(decision, Ada());
    for (const char* const output : {"text", "json"}) {
      const Result result = server.Run({"verify", "--output", output});
      EXPECT_EQ(result.code, 2) << odd.effect << " " << odd.code;
      EXPECT_THAT(result.err, HasSubstr("neither allowed nor denied"));
      EXPECT_THAT(result.out, Not(HasSubstr("allowed")));
    }
  }
}

TEST(VerifyCommandTest, AnswerWithoutDecisionIsExitCode2) {
  FakeServer server;
  server.verify = Always<v1::VerifyRequest>(v1::VerifyResponse());
  EXPECT_EQ(server.Run({"verify"}).code, 2);
}

TEST(VerifyCommandTest, JsonIsTheReplyOnOneLine) {
  FakeServer server;
  server.verify = VerifySays(Denied(v1::CODE_TOKEN_EXPIRED, "Too late."));
  const Result result = server.Run({"verify", "--output", "json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(
      result.out,
      R"({"decision":{"effect":"EFFECT_DENY","code":"CODE_TOKEN_EXPIRED",)"
      R"("http_status":401,"detail":"Too late.","id":"d-2","explanation":[]},"revision":"12","store_id":"s1",)"
      R"("rules":"","tags":[]})"
      "\n");
}

TEST(VerifyCommandTest, AnswerThatHasNoJsonIsExitCode2AndWritesNothing) {
  v1::Principal principal = Ada();
  principal.mutable_expire_time()->set_seconds(253402300800);  // the year 10000
  FakeServer server;
  server.verify = VerifySays(Allowed(), principal);
  const Result result = server.Run({"verify", "--output", "json"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("cannot be written as JSON"));
  EXPECT_EQ(server.Run({"verify"}).code, 0);
}

TEST(VerifyCommandTest, NothingChangesTheDirectionOfWriting) {
  const std::string controls[] = {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c",
                                  "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"};
  v1::Principal principal = Ada();
  for (const std::string& control : controls) principal.add_roles("a" + control + "b");
  FakeServer server;
  server.verify = VerifySays(Allowed(), principal);
  for (const char* const output : {"text", "json"}) {
    const Result result = server.Run({"verify", "--output", output});
    EXPECT_EQ(result.code, 0);
    for (const std::string& control : controls) EXPECT_THAT(result.out, Not(HasSubstr(control)));
  }
  EXPECT_THAT(server.Run({"verify", "--output", "json"}).out, HasSubstr(R"("a\u2066b")"));
}

TEST(VerifyCommandTest, ClaimsAreAskedForOnlyWithClaims) {
  FakeServer server;
  bool asked = false;
  server.verify = [&](const v1::VerifyRequest& request, v1::VerifyResponse& reply) {
    asked = request.with_claims();
    *reply.mutable_decision() = Allowed();
    *reply.mutable_principal() = Ada();
    if (asked) reply.mutable_principal()->set_claims(R"({"sub":"ada","n":1})");
    return grpc::Status::OK;
  };
  EXPECT_THAT(server.Run({"verify"}).out, Not(HasSubstr("claims")));
  EXPECT_FALSE(asked);
  EXPECT_THAT(server.Run({"verify", "--claims"}).out,
              HasSubstr(R"(claims    {"sub":"ada","n":1})"));
  EXPECT_TRUE(asked);
}

TEST(VerifyCommandTest, NothingThatTheServerSaysReachesTheTerminalRaw) {
  const std::string attack =
      "a\x1b[2Jb\nallowed\r\x07\xc2\x9b"
      "31m\x7f";
  v1::Principal principal = Ada();
  principal.set_subject(attack);
  principal.add_roles(attack);
  principal.set_claims(attack);
  v1::Decision decision = Allowed();
  decision.set_id(attack);
  FakeServer server;
  server.verify = VerifySays(decision, principal);
  for (const char* const output : {"text", "json"}) {
    const std::string out = server.Run({"verify", "--claims", "--output", output}).out;
    EXPECT_THAT(out, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\r")), Not(HasSubstr("\x07")),
                           Not(HasSubstr("\xc2\x9b")), Not(HasSubstr("\x7f"))));
    EXPECT_THAT(out, Not(HasSubstr("\nallowed")));
  }
  server.verify = VerifySays(Denied(v1::CODE_TOKEN_INVALID, attack));
  EXPECT_THAT(server.Run({"verify"}).out, HasSubstr(R"(a\x1b[2Jb\nallowed)"));
  server.verify = [&](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, attack);
  };
  EXPECT_THAT(server.Run({"verify"}).err, HasSubstr(R"(a\x1b[2Jb\nallowed)"));
}

TEST(VerifyCommandTest, ColourIsForTerminalsThatWantIt) {
  FakeServer server;
  server.verify = VerifySays(Allowed(), Ada());
  Child child{.arguments = {"verify", "--target", server.target()}, .input = "a.b.c"};
  child.environment["TERM"] = "xterm";
  EXPECT_THAT(RunChild(child).out, StartsWith("allowed"));
  child.terminal_output = true;
  EXPECT_THAT(RunChild(child).out, StartsWith("\x1b[32mallowed\x1b[0m"));
  child.environment["NO_COLOR"] = "1";
  EXPECT_THAT(RunChild(child).out, StartsWith("allowed"));
}

TEST(AuthorizeCommandTest, SendsWhatTheOptionsSay) {
  FakeServer server;
  v1::AuthorizeRequest got;
  server.authorize = [&](const v1::AuthorizeRequest& request, v1::AuthorizeResponse& reply) {
    got = request;
    *reply.mutable_decision() = Denied(v1::CODE_INSUFFICIENT_PERMISSIONS, "Not yours.");
    *reply.mutable_principal() = Ada();
    return grpc::Status::OK;
  };
  const Result result = server.Run({"authorize", "--resource", "task/7/x", "--owner", "bob",
                                    "--action", "read", "--tenant", "acme"});
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, StartsWith("denied (INSUFFICIENT_PERMISSIONS): Not yours.\n  subject"));
  EXPECT_EQ(got.token(), "a.b.c");
  EXPECT_EQ(got.resource(), "task/7/x");
  EXPECT_EQ(got.owner(), "bob");
  EXPECT_EQ(got.action(), "read");
  EXPECT_EQ(got.tenant(), "acme");
}

TEST(AuthorizeCommandTest, EmptyResourceIsLeftToTheServerToRefuse) {
  FakeServer server;
  server.authorize = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "resource: empty");
  };
  const Result result = server.Run({"authorize", "--resource", ""});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "gatehouse: the server refused the request: resource: empty\n");
}

TEST(AuthorizeCommandTest, ResourceIsRequired) {
  FakeServer server;
  const Result result = server.Run({"authorize", "--owner", "ada"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--resource is required"));
}

}  // namespace
}  // namespace gatehouse::cli
