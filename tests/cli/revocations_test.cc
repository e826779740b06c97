#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "tests/cli/fake_server.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

v1::Revocation OfSession(int64_t revision) {
  v1::Revocation revocation;
  revocation.set_id("r" + std::to_string(revision));
  revocation.mutable_session()->set_issuer("https://i");
  revocation.mutable_session()->set_session_id("s1");
  revocation.set_issuer("https://i");
  revocation.set_reason("signed out");
  revocation.mutable_create_time()->set_seconds(1795216315);
  revocation.mutable_end_time()->set_seconds(1797808435);
  revocation.set_actor("loopback");
  revocation.set_revision(revision);
  return revocation;
}

class RevokeCommandTest : public ::testing::Test {
 protected:
  RevokeCommandTest() {
    server_.revoke = [this](const v1::RevokeRequest& request, v1::RevokeResponse& reply) {
      got_ = request;
      *reply.mutable_revocation() = OfSession(4);
      reply.set_revision(4);
      return grpc::Status::OK;
    };
  }

  FakeServer server_;
  v1::RevokeRequest got_;
};

TEST_F(RevokeCommandTest, TokenComesFromStandardInput) {
  EXPECT_EQ(server_.Run({"revoke", "token", "--reason", "stolen"}, "a.b.c\n").code, 0);
  EXPECT_EQ(got_.token(), "a.b.c");
  EXPECT_EQ(got_.reason(), "stolen");
}

TEST_F(RevokeCommandTest, IdsAreArguments) {
  EXPECT_EQ(server_.Run({"revoke", "token-id", "--issuer", "https://i", "jti-1"}).code, 0);
  EXPECT_EQ(got_.token_id().issuer(), "https://i");
  EXPECT_EQ(got_.token_id().token_id(), "jti-1");
  EXPECT_EQ(server_.Run({"revoke", "session", "s1", "--issuer", "https://i"}).code, 0);
  EXPECT_EQ(got_.session().issuer(), "https://i");
  EXPECT_EQ(got_.session().session_id(), "s1");
  EXPECT_EQ(server_.Run({"revoke", "subject", "--issuer", "https://i", "ada"}).code, 0);
  EXPECT_EQ(got_.subject().issuer(), "https://i");
  EXPECT_EQ(got_.subject().subject(), "ada");
  EXPECT_FALSE(got_.subject().has_issued_until());
}

TEST_F(RevokeCommandTest, TenantsClientsAndKeysAreNamedByArguments) {
  EXPECT_EQ(server_.Run({"revoke", "tenant", "--issuer", "https://i", "acme"}).code, 0);
  EXPECT_EQ(got_.tenant().issuer(), "https://i");
  EXPECT_EQ(got_.tenant().tenant(), "acme");
  EXPECT_FALSE(got_.tenant().has_issued_until());
  EXPECT_EQ(
      server_
          .Run({"revoke", "client", "--issuer", "https://i", "app", "--issued-until", "1795216315"})
          .code,
      0);
  EXPECT_EQ(got_.client().client_id(), "app");
  EXPECT_EQ(got_.client().issued_until().seconds(), 1795216315);
  EXPECT_EQ(server_.Run({"revoke", "key", "--issuer", "https://i", "2026-11"}).code, 0);
  EXPECT_EQ(got_.key().issuer(), "https://i");
  EXPECT_EQ(got_.key().key_id(), "2026-11");
  EXPECT_FALSE(got_.has_expire_time());
}

TEST_F(RevokeCommandTest, SuspensionEndsAtATimeOrSoLongFromNow) {
  std::vector<std::string> command = {
      "revoke", "subject", "--issuer", "https://i", "ada", "--until", "2031-01-01T00:00:00.5Z"};
  EXPECT_EQ(server_.Run(command).code, 0);
  EXPECT_EQ(got_.expire_time().seconds(), 1924992000);
  EXPECT_EQ(got_.expire_time().nanos(), 500'000'000);
  command.back() = "36h";
  const std::time_t before = std::time(nullptr);
  EXPECT_EQ(server_.Run(command).code, 0);
  EXPECT_GE(got_.expire_time().seconds(), before + 36 * 3600);
  EXPECT_LE(got_.expire_time().seconds(), std::time(nullptr) + 36 * 3600);
  command.back() = "1924992000";
  EXPECT_EQ(server_.Run(command).code, 0);
  EXPECT_EQ(got_.expire_time().seconds(), 1924992000);
  for (const char* bad :
       {"tomorrow", "-5m", "0s", "inf", "infinite-future", "now", "0", "-7", "7.5"}) {
    command.back() = bad;
    const Result result = server_.Run(command);
    EXPECT_EQ(result.code, 2) << bad;
    EXPECT_THAT(result.err, HasSubstr("--until must be a time")) << bad;
  }
}

TEST_F(RevokeCommandTest, KeysAndTokensAreNotSuspended) {
  EXPECT_EQ(server_.Run({"revoke", "key", "--issuer", "i", "k", "--until", "1h"}).code, 2);
  EXPECT_EQ(server_.Run({"revoke", "token", "--until", "1h"}).code, 2);
}

TEST_F(RevokeCommandTest, ReinstateTakesBackById) {
  v1::ReinstateRequest got;
  server_.reinstate = [&got](const v1::ReinstateRequest& request, v1::ReinstateResponse& reply) {
    got = request;
    *reply.mutable_revocation() = OfSession(4);
    v1::Reinstatement& reinstatement = *reply.mutable_revocation()->mutable_reinstatement();
    reinstatement.set_actor("ops");
    reinstatement.set_reason("phone found");
    reinstatement.mutable_create_time()->set_seconds(1795216399);
    return grpc::Status::OK;
  };
  const Result result = server_.Run({"reinstate", "r4", "--reason", "phone found"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(got.id(), "r4");
  EXPECT_EQ(got.reason(), "phone found");
  EXPECT_THAT(result.out,
              AllOf(StartsWith("taken back\n  session        s1\n"),
                    HasSubstr("  taken back     2026-11-20T23:13:19Z\n  taken back by  ops\n"
                              "  because        phone found\n")));
}

TEST_F(RevokeCommandTest, ReinstatementThatIsNotInTheAnswerIsExitCode2) {
  server_.reinstate = [](const auto&, v1::ReinstateResponse& reply) {
    *reply.mutable_revocation() = OfSession(4);
    return grpc::Status::OK;
  };
  EXPECT_EQ(server_.Run({"reinstate", "r4"}).code, 2);
  server_.reinstate = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no such revocation");
  };
  const Result result = server_.Run({"reinstate", "r4"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("there is no such revocation"));
  EXPECT_EQ(server_.Run({"reinstate"}).code, 2);
}

TEST_F(RevokeCommandTest, IssuedUntilIsNowOrATimeOrSeconds) {
  const std::vector<std::string> command = {"revoke", "subject",        "--issuer",
                                            "i",      "--issued-until", ""};
  const auto seconds = [&](const std::string& text) {
    std::vector<std::string> arguments = command;
    arguments.back() = text;
    arguments.emplace_back("ada");
    EXPECT_EQ(server_.Run(arguments).code, 0);
    return got_.subject().issued_until().seconds();
  };
  EXPECT_EQ(seconds("1795216315"), 1795216315);
  EXPECT_EQ(seconds("2026-11-20T23:11:55Z"), 1795216315);
  EXPECT_EQ(seconds("2026-11-21T00:11:55.9+01:00"), 1795216315);
  const std::time_t before = std::time(nullptr);
  const int64_t now = seconds("now");
  EXPECT_GE(now, before);
  EXPECT_LE(now, std::time(nullptr));
}

TEST_F(RevokeCommandTest, TellsWhatIsRevoked) {
  const Result result = server_.Run({"revoke", "session", "s1", "--issuer", "https://i"});
  EXPECT_EQ(result.out,
            "revoked\n"
            "  session     s1\n"
            "  issuer      https://i\n"
            "  reason      signed out\n"
            "  made        2026-11-20T23:11:55Z\n"
            "  by          loopback\n"
            "  kept until  2026-12-20T23:13:55Z\n"
            "  id          r4\n"
            "  revision    4\n");
  const Result json =
      server_.Run({"revoke", "session", "s1", "--issuer", "https://i", "--output", "json"});
  EXPECT_EQ(json.code, 0);
  EXPECT_THAT(json.out, AllOf(StartsWith(R"({"revocation":{"id":"r4","session":)"),
                              HasSubstr(R"("revision":"4")")));
}

TEST_F(RevokeCommandTest, TellsWhatWasRevokedAlready) {
  server_.revoke = [](const auto&, v1::RevokeResponse& reply) {
    *reply.mutable_revocation() = OfSession(4);
    reply.set_existed(true);
    return grpc::Status::OK;
  };
  std::vector<std::string> command = {"revoke", "session", "s1", "--issuer", "https://i"};
  const Result once = server_.Run(command);
  EXPECT_EQ(once.code, 0);
  EXPECT_THAT(once.out, StartsWith("already revoked\n"));
  EXPECT_THAT(once.err, IsEmpty());
  command.insert(command.end(), {"--until", "36h"});
  const Result suspended = server_.Run(command);
  EXPECT_EQ(suspended.code, 0);
  EXPECT_THAT(suspended.err, HasSubstr("not suspended: "));
  command.insert(command.end(), {"--output", "json"});
  const Result json = server_.Run(command);
  EXPECT_THAT(json.out, HasSubstr(R"("existed":true)"));
  EXPECT_THAT(json.err, HasSubstr("not suspended: "));
}

TEST_F(RevokeCommandTest, AKeyThatTheIssuerDoesNotHaveIsNoted) {
  bool is_missing = true;
  server_.revoke = [&is_missing](const auto&, v1::RevokeResponse& reply) {
    *reply.mutable_revocation() = OfSession(4);
    reply.set_key_not_in_set(is_missing);
    return grpc::Status::OK;
  };
  const std::vector<std::string> command = {"revoke", "key", "--issuer", "https://i", "k9"};
  const Result result = server_.Run(command);
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(result.err, HasSubstr("note: the issuer has no key of this name now"));
  is_missing = false;
  EXPECT_THAT(server_.Run(command).err, IsEmpty());
}

TEST_F(RevokeCommandTest, ASuspensionIsNoLastingRevocation) {
  server_.revoke = [](const v1::RevokeRequest& request, v1::RevokeResponse& reply) {
    *reply.mutable_revocation() = OfSession(4);
    *reply.mutable_revocation()->mutable_expire_time() = request.expire_time();
    return grpc::Status::OK;
  };
  const Result result =
      server_.Run({"revoke", "session", "s1", "--issuer", "https://i", "--until", "36h"});
  EXPECT_THAT(result.out, StartsWith("revoked\n"));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(RevokeCommandTest, ReinstateTellsWhatWasTakenBackAlreadyAndWhatIsRefusedStill) {
  bool existed = true;
  server_.reinstate = [&existed](const auto&, v1::ReinstateResponse& reply) {
    *reply.mutable_revocation() = OfSession(4);
    reply.mutable_revocation()->mutable_reinstatement()->set_id("r5");
    reply.set_existed(existed);
    reply.set_still_revoked(!existed);
    return grpc::Status::OK;
  };
  const Result again = server_.Run({"reinstate", "r4"});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.out, StartsWith("already taken back\n"));
  EXPECT_THAT(again.err, IsEmpty());
  EXPECT_THAT(server_.Run({"reinstate", "r4", "--output", "json"}).out,
              HasSubstr(R"("existed":true,"still_revoked":false)"));
  existed = false;
  const Result still = server_.Run({"reinstate", "r4"});
  EXPECT_EQ(still.code, 0);
  EXPECT_THAT(still.out, StartsWith("taken back\n"));
  EXPECT_THAT(still.err, AllOf(HasSubstr("still refused by another revocation"),
                               HasSubstr("`gatehouse revocations --kind session`")));
}

TEST_F(RevokeCommandTest, AnswerWithoutRevocationIsExitCode2) {
  server_.revoke = Always<v1::RevokeRequest>(v1::RevokeResponse());
  const Result result = server_.Run({"revoke", "session", "s1", "--issuer", "https://i"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, Not(HasSubstr("revoked")));
  EXPECT_THAT(result.err, HasSubstr("take it as not done"));
}

TEST_F(RevokeCommandTest, AnswerThatHasNoJsonIsExitCode2) {
  server_.revoke = [](const auto&, v1::RevokeResponse& reply) {
    *reply.mutable_revocation() = OfSession(4);
    reply.mutable_revocation()->mutable_end_time()->set_seconds(-99999999999);
    return grpc::Status::OK;
  };
  const Result result =
      server_.Run({"revoke", "session", "s1", "--issuer", "https://i", "--output", "json"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("cannot be written as JSON"));
}

TEST_F(RevokeCommandTest, RefusedRevocationIsExitCode2WithTheReason) {
  server_.revoke = [](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "token: expired");
  };
  const Result result = server_.Run({"revoke", "token"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("token: expired"));
}

// Answers pages of `total` revocations, newest first.
class RevocationsCommandTest : public ::testing::Test {
 protected:
  void Hold(int64_t total) {
    server_.list = [total](const v1::ListRevocationsRequest& request,
                           v1::ListRevocationsResponse& reply) {
      int64_t next = request.page_token().empty() ? total : std::stoll(request.page_token());
      const int64_t last = std::max<int64_t>(0, next - request.page_size());
      for (; next > last; --next) *reply.add_revocations() = OfSession(next);
      if (next > 0) reply.set_next_page_token(std::to_string(next));
      return grpc::Status::OK;
    };
  }

  static int64_t Lines(const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  }

  FakeServer server_;
};

TEST_F(RevocationsCommandTest, TableIsAligned) {
  Hold(10);
  const Result result = server_.Run({"revocations", "--limit", "10"});
  EXPECT_EQ(result.code, 0);
  EXPECT_THAT(
      result.out,
      StartsWith(
          "REVISION  MADE                  KIND     TARGET  ISSUER     BY        REASON      ID\n"
          "10        2026-11-20T23:11:55Z  session  s1      https://i  loopback  signed out  r10\n"
          "9         2026-11-20T23:11:55Z  session  s1      https://i  loopback  signed out  "
          "r9\n"));
  EXPECT_THAT(result.err, IsEmpty());
}

TEST_F(RevocationsCommandTest, HeadingsStandOnceAndColumnsAreAlignedAcrossPages) {
  Hold(2001);
  const Result result = server_.Run({"revocations", "--limit", "0"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(Lines(result.out), 2001 + 1);
  EXPECT_EQ(result.out.rfind("REVISION"), 0U);
  EXPECT_THAT(result.out, EndsWith("\n1         2026-11-20T23:11:55Z  session  s1      https://i  "
                                   "loopback  signed out  r1\n"));
}

TEST_F(RevocationsCommandTest, RevocationThatHasNoJsonIsExitCode2) {
  server_.list = [](const auto&, v1::ListRevocationsResponse& reply) {
    *reply.add_revocations() = OfSession(1);
    reply.mutable_revocations(0)->mutable_end_time()->set_nanos(-1);
    return grpc::Status::OK;
  };
  const Result result = server_.Run({"revocations", "--output", "json"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_THAT(result.err, HasSubstr("cannot be written as JSON"));
}

TEST_F(RevocationsCommandTest, PagesThroughAll) {
  Hold(2500);
  const Result result = server_.Run({"revocations", "--limit", "0", "--output", "json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(Lines(result.out), 2500);
  EXPECT_THAT(result.out, StartsWith(R"({"id":"r2500",)"));
}

TEST_F(RevocationsCommandTest, LimitCutsAndSaysSo) {
  Hold(2500);
  const Result result = server_.Run({"revocations", "--limit", "1001", "--output", "json"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(Lines(result.out), 1001);
  EXPECT_THAT(result.err, HasSubstr("there are more"));
  EXPECT_EQ(Lines(server_.Run({"revocations", "--output", "json"}).out), 100);
}

TEST_F(RevocationsCommandTest, FiltersGoToTheServerWithEveryPage) {
  std::vector<v1::ListRevocationsRequest> got;
  server_.list = [&got](const v1::ListRevocationsRequest& request,
                        v1::ListRevocationsResponse& reply) {
    got.push_back(request);
    *reply.add_revocations() = OfSession(1);
    if (request.page_token().empty()) reply.set_next_page_token("2");
    return grpc::Status::OK;
  };
  EXPECT_EQ(server_
                .Run({"revocations", "list", "--kind", "token-id", "--issuer", "https://i", "--by",
                      "ops", "--from", "1795216315", "--before", "2026-11-21T00:00:00Z", "--all"})
                .code,
            0);
  ASSERT_EQ(got.size(), 2U);
  for (const v1::ListRevocationsRequest& request : got) {
    EXPECT_EQ(request.kind(), "token_id");
    EXPECT_EQ(request.issuer(), "https://i");
    EXPECT_EQ(request.actor(), "ops");
    EXPECT_EQ(request.created_from().seconds(), 1795216315);
    EXPECT_EQ(request.created_before().seconds(), 1795219200);
    EXPECT_TRUE(request.with_past());
  }
  EXPECT_EQ(server_.Run({"revocations"}).code, 0);
  EXPECT_EQ(got.back().kind(), "");
  EXPECT_FALSE(got.back().has_created_from());
  EXPECT_FALSE(got.back().with_past());
}

TEST_F(RevocationsCommandTest, AKindIsSpelledAsInTheTable) {
  std::vector<std::string> got;
  server_.list = [&got](const v1::ListRevocationsRequest& request, auto&) {
    got.push_back(request.kind());
    return grpc::Status::OK;
  };
  EXPECT_EQ(server_.Run({"revocations", "--kind", "token-id"}).code, 0);
  EXPECT_EQ(server_.Run({"revocations", "--kind", "token_id"}).code, 0);
  EXPECT_EQ(got, std::vector<std::string>({"token_id", "token_id"}));
  const Result result = server_.Run({"revocations", "--kind", "user"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--kind must be token, token-id, session, "));
  EXPECT_EQ(got.size(), 2U);
}

TEST_F(RevocationsCommandTest, TheStateIsShownWithThePast) {
  server_.list = [](const auto&, v1::ListRevocationsResponse& reply) {
    *reply.add_revocations() = OfSession(3);
    reply.mutable_revocations(0)->mutable_reinstatement()->mutable_create_time()->set_seconds(
        1795216399);
    *reply.add_revocations() = OfSession(2);
    reply.mutable_revocations(1)->mutable_end_time()->set_seconds(1);
    *reply.add_revocations() = OfSession(1);
    reply.mutable_revocations(2)->clear_end_time();
    return grpc::Status::OK;
  };
  const Result result = server_.Run({"revocations", "--all"});
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("STATE\n"), HasSubstr("r3  taken back 2026-11-20T23:13:19Z\n"),
                    HasSubstr("r2  ended 1970-01-01T00:00:01Z\n"), HasSubstr("r1  in force\n")));
}

TEST_F(RevocationsCommandTest, OptionsOfTheListAreNoneOfTheOthers) {
  const Result result = server_.Run({"revocations", "--limit", "3", "export"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("--limit"));
  EXPECT_EQ(server_.Run({"revocations", "export", "--kind", "key"}).code, 2);
}

TEST_F(RevocationsCommandTest, EmptyListSaysSo) {
  Hold(0);
  EXPECT_EQ(server_.Run({"revocations"}).out, "no revocations\n");
  EXPECT_EQ(server_.Run({"revocations", "--output", "json"}).out, "");
}

TEST_F(RevocationsCommandTest, ServerThatRepeatsAPageIsExitCode2) {
  server_.list = [](const auto&, v1::ListRevocationsResponse& reply) {
    *reply.add_revocations() = OfSession(1);
    reply.set_next_page_token("again");
    return grpc::Status::OK;
  };
  const Result result = server_.Run({"revocations", "--limit", "0"});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("not complete"));
}

TEST_F(RevocationsCommandTest, ListThatBreaksOffIsExitCode2) {
  server_.list = [](const v1::ListRevocationsRequest& request, v1::ListRevocationsResponse& reply) {
    if (!request.page_token().empty()) {
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "shutting down");
    }
    *reply.add_revocations() = OfSession(1);
    reply.set_next_page_token("2");
    return grpc::Status::OK;
  };
  EXPECT_EQ(server_.Run({"revocations", "--limit", "0"}).code, 2);
}

}  // namespace
}  // namespace gatehouse::cli
