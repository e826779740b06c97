#include "server/keys/jwks_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/keys/jwks_server.h"
#include "tests/keys/source_fixture.h"
#include "tests/support/fake_clock.h"
#include "tests/support/token_maker.h"

namespace gatehouse::keys {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using Fetched = KeySource::Fetched;
using jose::Algorithm;

const absl::Time kNow = absl::FromUnixSeconds(1'795'216'315);

class JwksUrlTest : public ::testing::Test {
 protected:
  // Fetches once at start, and then only what a test asks for.
  static JwksUrlOptions Once(const JwksServer& server) {
    return {.issuer = "me",
            .url = server.Url(),
            .algorithms = {Algorithm::kEdDsa},
            .lifetime = absl::Hours(10),
            .cooldown = absl::ZeroDuration(),
            .retry_after = absl::Hours(10),
            .retry_at_most = absl::Hours(10),
            .timeout = absl::Hours(1)};
  }
  // Fetches as fast as the server answers. One fetch is over when the next one's
  // request comes in.
  static JwksUrlOptions Often(const JwksServer& server) {
    JwksUrlOptions options = Once(server);
    options.lifetime = absl::Milliseconds(1);
    options.retry_after = absl::Milliseconds(1);
    options.retry_at_most = absl::Milliseconds(2);
    return options;
  }

  // Returns when a fetch that began after this call has ended.
  static void WaitForAFullFetch(const JwksServer& server) {
    server.WaitForRequests(server.Requests() + 2);
  }

  // How one fetch of a source fails that the server answers with `reply`.
  static std::string ErrorOf(const Reply& reply) {
    JwksServer server(reply);
    const auto source = MakeJwksUrlSource(Often(server), SystemClock());
    WaitForAFullFetch(server);
    const KeySourceState state = source->State();
    EXPECT_FALSE(state.has_keys);
    EXPECT_EQ(source->Current(), nullptr);
    EXPECT_GE(state.failed_fetches, 1);
    EXPECT_THAT(state.last_error, StartsWith(server.Url() + ": "));
    return state.last_error;
  }

  const TokenMaker a_{Algorithm::kEdDsa, "a"};
  const TokenMaker b_{Algorithm::kEdDsa, "b"};
  const TokenMaker c_{Algorithm::kEdDsa, "c"};
};

TEST_F(JwksUrlTest, AGoodSetIsInForceAfterTheFirstFetch) {
  JwksServer server({.body = TokenMaker::JwksOf({&a_, &b_}), .hold = true});
  const FakeClock clock(kNow);
  const auto source = MakeJwksUrlSource(Once(server), clock);
  EXPECT_EQ(source->Current(), nullptr);
  EXPECT_FALSE(source->State().has_keys);
  server.Release();
  Answers answers;
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  answers.WaitFor(1);
  EXPECT_EQ(answers.failed(), 0);
  ASSERT_NE(source->Current(), nullptr);
  EXPECT_EQ(source->Current()->keys().size(), 2U);
  EXPECT_NE(source->Current()->Find("a", Algorithm::kEdDsa), nullptr);
  const KeySourceState state = source->State();
  EXPECT_TRUE(state.has_keys);
  EXPECT_EQ(state.key_count, 2U);
  EXPECT_EQ(state.last_success, kNow);
  EXPECT_EQ(state.last_error, "");
  EXPECT_EQ(state.failed_fetches, 0);
}

TEST_F(JwksUrlTest, AServerThatComesUpLaterIsFoundWithoutBeingAskedFor) {
  JwksServer server({.body = a_.Jwks()}, /*start=*/false);
  const auto source = MakeJwksUrlSource(Often(server), SystemClock());
  Answers answers;
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  answers.WaitFor(1);
  EXPECT_EQ(answers.failed(), 1);
  EXPECT_FALSE(source->State().has_keys);
  EXPECT_THAT(source->State().last_error,
              AllOf(HasSubstr(server.Url()), HasSubstr("Connection refused")));
  server.Start();
  WaitForAFullFetch(server);
  EXPECT_TRUE(source->State().has_keys);
  EXPECT_EQ(source->State().last_error, "");
}

TEST_F(JwksUrlTest, FailuresSayWhatIsWrong) {
  EXPECT_THAT(ErrorOf({.status = 500, .body = a_.Jwks()}), HasSubstr("answered HTTP 500"));
  EXPECT_THAT(ErrorOf({.status = 302, .headers = "Location: /other\r\n"}),
              HasSubstr("redirects are not followed"));
  EXPECT_THAT(ErrorOf({.body = std::string(256 * 1024 + 1, ' ')}),
              HasSubstr("larger than 262144 bytes"));
  EXPECT_THAT(ErrorOf({.body = std::string(4096, ' '), .endless = true}),
              HasSubstr("larger than 262144 bytes"));
  EXPECT_THAT(ErrorOf({.body = a_.Jwks(), .cut_after = 20}), HasSubstr("partial file"));
  EXPECT_THAT(ErrorOf({.body = a_.Jwks().substr(0, 20)}), HasSubstr("is of no use"));
  EXPECT_THAT(ErrorOf({.body = "<!DOCTYPE html><title>Sign in</title>"}),
              AllOf(HasSubstr("is of no use"), Not(HasSubstr("Sign in"))));
  EXPECT_THAT(ErrorOf({.body = ""}), HasSubstr("is of no use"));
  EXPECT_THAT(ErrorOf({.body = R"({"keys":[]})"}), HasSubstr("holds no keys"));
}

TEST_F(JwksUrlTest, ASetWithoutAKeyOfTheIssuersAlgorithmsIsAFailure) {
  const TokenMaker other(Algorithm::kEs256, "es");
  EXPECT_THAT(ErrorOf({.body = other.Jwks()}),
              AllOf(HasSubstr("holds no key that can be used"), HasSubstr("\"es\""),
                    HasSubstr("ES256 is not among the issuer's algorithms")));
}

TEST_F(JwksUrlTest, ASecretInASetIsNeitherUsedNorShown) {
  const TokenMaker hmac(Algorithm::kHs256);
  const std::string error = ErrorOf({.body = hmac.Jwks()});
  EXPECT_THAT(error, HasSubstr("holds no key that can be used"));
  EXPECT_THAT(error, Not(HasSubstr(hmac.secret().substr(0, 8))));
  EXPECT_THAT(error, Not(HasSubstr(hmac.thumbprint())));
}

TEST_F(JwksUrlTest, KeysOfOtherAlgorithmsAreLeftOut) {
  const TokenMaker other(Algorithm::kEs256, "es");
  JwksServer server({.body = TokenMaker::JwksOf({&other, &a_})});
  const auto source = MakeJwksUrlSource(Often(server), SystemClock());
  WaitForAFullFetch(server);
  ASSERT_NE(source->Current(), nullptr);
  EXPECT_EQ(source->Current()->keys().size(), 1U);
  EXPECT_EQ(source->Current()->Find("es", Algorithm::kEs256), nullptr);
  EXPECT_NE(source->Current()->Find("a", Algorithm::kEdDsa), nullptr);
}

TEST_F(JwksUrlTest, AFailureLeavesTheSetInForce) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = MakeJwksUrlSource(Often(server), SystemClock());
  WaitForAFullFetch(server);
  const auto before = source->Current()->Find("a", Algorithm::kEdDsa);
  ASSERT_NE(before, nullptr);
  const Reply failures[] = {{.status = 503}, {.body = "<html>"}};
  for (const Reply& failure : failures) {
    server.SetReply(failure);
    WaitForAFullFetch(server);
    EXPECT_EQ(source->Current()->Find("a", Algorithm::kEdDsa), before);
    EXPECT_FALSE(before->retired());
    EXPECT_TRUE(source->State().has_keys);
    EXPECT_NE(source->State().last_error, "");
  }
}

TEST_F(JwksUrlTest, RotationKeepsTheObjectOfAKeyThatStaysAndRetiresOneThatLeft) {
  JwksServer server({.body = TokenMaker::JwksOf({&a_, &b_})});
  JwksUrlOptions options = Often(server);
  options.grace = absl::ZeroDuration();
  const auto source = MakeJwksUrlSource(options, SystemClock());
  WaitForAFullFetch(server);
  const auto stays = source->Current()->Find("a", Algorithm::kEdDsa);
  const auto leaves = source->Current()->Find("b", Algorithm::kEdDsa);
  ASSERT_NE(stays, nullptr);
  ASSERT_NE(leaves, nullptr);
  server.SetReply({.body = TokenMaker::JwksOf({&c_, &a_})});
  WaitForAFullFetch(server);
  EXPECT_EQ(source->Current()->Find("a", Algorithm::kEdDsa), stays);
  EXPECT_FALSE(stays->retired());
  EXPECT_EQ(source->Current()->Find("b", Algorithm::kEdDsa), nullptr);
  EXPECT_TRUE(leaves->retired());
  EXPECT_NE(source->Current()->Find("c", Algorithm::kEdDsa), nullptr);
  EXPECT_EQ(source->State().key_count, 2U);
}

TEST_F(JwksUrlTest, AWaiterThatCameDuringAFetchIsAnsweredByTheNext) {
  JwksServer server({.body = a_.Jwks(), .hold = true});
  const auto source = MakeJwksUrlSource(Once(server), SystemClock());
  server.WaitForRequests(1);
  Answers answers;
  std::shared_ptr<const jose::KeySet> seen;
  ASSERT_TRUE(source->AwaitFetch([&, count = answers.Waiter()](Fetched sent_back) {
    EXPECT_EQ(sent_back, Fetched::kLookAgain) << "the first keys";
    source->AwaitFetch([&, count](Fetched fetched) {
      seen = source->Current();
      count(fetched);
    });
  }));
  // The key is added while the first answer, without it, is under way.
  server.SetReply({.body = TokenMaker::JwksOf({&a_, &b_})});
  server.Release();
  answers.WaitFor(1);
  EXPECT_EQ(answers.succeeded(), 1);
  EXPECT_EQ(server.Requests(), 2);
  ASSERT_NE(seen, nullptr);
  EXPECT_NE(seen->Find("b", Algorithm::kEdDsa), nullptr);
}

TEST_F(JwksUrlTest, AWaiterIsToldThatTheFetchFailed) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = MakeJwksUrlSource(Once(server), SystemClock());
  Answers answers;
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  answers.WaitFor(1);
  server.SetReply({.status = 500});
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  answers.WaitFor(2);
  EXPECT_EQ(answers.failed(), 1);
}

TEST_F(JwksUrlTest, AWaiterMayAskAgain) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = MakeJwksUrlSource(Once(server), SystemClock());
  Answers answers;
  ASSERT_TRUE(
      source->AwaitFetch([&](Fetched) { EXPECT_TRUE(source->AwaitFetch(answers.Waiter())); }));
  answers.WaitFor(1);
  EXPECT_EQ(answers.succeeded(), 1);
}

TEST_F(JwksUrlTest, WhereTooManyWaitThoseWhoCameFirstAreTurnedAway) {
  constexpr int kCallers = 10'000;
  constexpr int kPlaces = 8192;
  JwksServer server({.status = 500, .hold = true});
  JwksUrlOptions options = Once(server);
  options.cooldown = absl::Hours(10);
  auto source = MakeJwksUrlSource(options, SystemClock());
  server.WaitForRequests(1);
  server.SetReply({.body = a_.Jwks()});
  Answers answers;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < kCallers / 4; ++i) EXPECT_TRUE(source->AwaitFetch(answers.Waiter()));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answers.succeeded(), 0);
  EXPECT_EQ(answers.failed(), kCallers - kPlaces);
  server.Release();
  answers.WaitFor(kCallers);
  EXPECT_EQ(answers.succeeded(), kPlaces);
  EXPECT_EQ(server.Requests(), 2);

  // Room again; but these wait for the cooldown, until the source is stopped.
  for (int i = 0; i < kPlaces; ++i) EXPECT_TRUE(source->AwaitFetch(answers.Waiter()));
  EXPECT_EQ(answers.failed(), kCallers - kPlaces);
  source.reset();
  EXPECT_EQ(answers.succeeded(), kPlaces);
  EXPECT_EQ(answers.failed(), kCallers);
  EXPECT_EQ(server.Requests(), 2);
}

TEST_F(JwksUrlTest, WhoeverForgetsIsNotCalled) {
  JwksServer server({.body = a_.Jwks(), .hold = true});
  const auto source = MakeJwksUrlSource(Once(server), SystemClock());
  server.WaitForRequests(1);
  Answers forgotten;
  Answers answers;
  const auto first = source->AwaitFetch(forgotten.Waiter());
  // The next one's answer gives the last one's place up, while the answers are given.
  KeySource::Ticket last = KeySource::kNone;
  source->AwaitFetch([&, count = answers.Waiter()](Fetched fetched) {
    source->Forget(last);
    count(fetched);
  });
  last = source->AwaitFetch(forgotten.Waiter());
  source->AwaitFetch(answers.Waiter());
  source->Forget(first);
  source->Forget(first);
  source->Forget(KeySource::kNone);
  server.Release();
  answers.WaitFor(2);
  EXPECT_EQ(forgotten.succeeded() + forgotten.failed(), 0);
}

TEST_F(JwksUrlTest, FetchesThatWaitersAskForBeginACooldownApart) {
  const JwksServer server({.body = a_.Jwks()});
  FakeClock clock(kNow);
  const auto source = MakeJwksUrlSource(
      {.issuer = "me", .url = server.Url(), .algorithms = {Algorithm::kEdDsa}}, clock);
  clock.AwaitIdle();
  Answers answers;
  source->AwaitFetch(answers.Waiter());
  answers.WaitFor(1);  // nobody had waited lately
  EXPECT_EQ(server.Requests(), 2);
  for (int i = 1; i <= 3; ++i) {
    source->AwaitFetch(answers.Waiter());
    clock.Advance(absl::Seconds(2) - absl::Nanoseconds(1));
    clock.AwaitIdle();
    EXPECT_EQ(server.Requests(), i + 1);
    clock.Advance(absl::Nanoseconds(1));
    answers.WaitFor(i + 1);
    EXPECT_EQ(server.Requests(), i + 2);
  }
}

TEST_F(JwksUrlTest, DestructionAbortsAHeldFetchAndAnswersAllWaiters) {
  // Nothing but the abort can end this fetch: the server never answers, and the
  // timeout is an hour away.
  JwksServer server({.body = a_.Jwks(), .hold = true});
  auto source = MakeJwksUrlSource(Once(server), SystemClock());
  server.WaitForRequests(1);
  Answers answers;
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  source.reset();
  EXPECT_EQ(answers.failed(), 1);
}

TEST_F(JwksUrlTest, DestructionWhileNothingIsDueReturns) {
  JwksServer server({.body = a_.Jwks()});
  auto source = MakeJwksUrlSource(Once(server), SystemClock());
  Answers answers;
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  answers.WaitFor(1);
  source.reset();
  EXPECT_EQ(answers.failed(), 0);
}

TEST_F(JwksUrlTest, AStoppedSourceTurnsWaitersAway) {
  JwksServer server({.body = a_.Jwks(), .hold = true});
  auto source = MakeJwksUrlSource(Once(server), SystemClock());
  server.WaitForRequests(1);
  KeySource& stopping = *source;
  bool again = true;
  ASSERT_TRUE(source->AwaitFetch(
      [&](Fetched) { again = stopping.AwaitFetch([](Fetched) {}) != KeySource::kNone; }));
  source.reset();
  EXPECT_FALSE(again);
}

TEST_F(JwksUrlTest, StateAndSetMayBeReadWhileFetching) {
  JwksServer server({.body = TokenMaker::JwksOf({&a_, &b_})});
  const auto source = MakeJwksUrlSource(Often(server), SystemClock());
  std::atomic<bool> done = false;
  std::thread reader([&] {
    while (!done) {
      const auto keys = source->Current();
      if (keys != nullptr) EXPECT_FALSE(keys->empty());
      EXPECT_GE(source->State().succeeded_fetches, 0);
    }
  });
  for (int i = 0; i < 5; ++i) {
    server.SetReply({.body = i % 2 == 0 ? a_.Jwks() : b_.Jwks()});
    WaitForAFullFetch(server);
  }
  done = true;
  reader.join();
}

TEST_F(JwksUrlTest, TheLogNamesIssuerUrlAndReasonAndNoQuery) {
  const JwksServer down({}, /*start=*/false);
  JwksUrlOptions options = Once(down);
  options.url = down.Url("/jwks?key=hunter2");
  ::testing::internal::CaptureStderr();
  auto source = MakeJwksUrlSource(options, SystemClock());
  Answers answers;
  ASSERT_TRUE(source->AwaitFetch(answers.Waiter()));
  answers.WaitFor(1);
  const std::string error = source->State().last_error;
  source.reset();
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, AllOf(HasSubstr("issuer=\"me\""), HasSubstr(down.Url()),
                         HasSubstr("Connection refused"), Not(HasSubstr("hunter2"))));
  EXPECT_THAT(error, AllOf(HasSubstr(down.Url()), Not(HasSubstr("hunter2"))));
}

}  // namespace
}  // namespace gatehouse::keys
