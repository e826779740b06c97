#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/keys/source_fixture.h"

namespace gatehouse::keys {
namespace {

using ::testing::ElementsAre;
using Fetched = KeySource::Fetched;

// Who waits for which fetch, and fetches that nobody waits for.
class WaitingTest : public SourceTest {
 protected:
  // The second fetch runs, and its answer, `body`, is held.
  std::unique_ptr<KeySource> HeldOn(JwksServer& server, const JwksUrlOptions& options,
                                    const std::string& body, Answers& first) {
    auto source = Started(options);
    server.SetReply({.body = body, .hold = true});
    source->AwaitFetch(first.Waiter());
    server.WaitForRequests(2);
    return source;
  }

  const std::string both_ = TokenMaker::JwksOf({&a_, &b_});
};

TEST_F(WaitingTest, WhoComesDuringAFetchIsToldOfTheKeyThatItBrings) {
  JwksServer server({.body = a_.Jwks()});
  Answers first;
  Answers later;
  const auto source = HeldOn(server, OptionsFor(server), both_, first);
  std::shared_ptr<const jose::VerificationKey> seen;
  source->AwaitFetch([&, count = later.Waiter()](Fetched fetched) {
    seen = KeyOf(*source, b_);
    count(fetched);
  });
  server.Release();
  later.WaitFor(1);  // the clock stands still: no other fetch can begin
  EXPECT_EQ(later.sent_back(), 1);
  EXPECT_NE(seen, nullptr);
  EXPECT_EQ(first.succeeded(), 1);
  EXPECT_EQ(server.Requests(), 2);
}

TEST_F(WaitingTest, WhoIsSentBackAndMissesAKeyStillIsAnsweredByTheNextFetchInTheOldOrder) {
  JwksServer server({.body = a_.Jwks()});
  Answers first;
  Answers later;
  const auto source = HeldOn(server, OptionsFor(server), both_, first);
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) {
    source->AwaitFetch([&, i, count = later.Waiter()](Fetched sent_back) {
      EXPECT_EQ(sent_back, Fetched::kLookAgain);
      source->AwaitFetch([&order, i, count](Fetched fetched) {
        order.push_back(i);
        count(fetched);
      });
    });
  }
  clock_.Advance(absl::Seconds(3));  // the cooldown is over before the fetch
  server.Release();
  first.WaitFor(1);
  clock_.AwaitIdle();
  EXPECT_EQ(server.Requests(), 2) << "time to come back";
  Pass(absl::Milliseconds(100));
  later.WaitFor(3);
  EXPECT_EQ(later.succeeded(), 3);
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
  EXPECT_EQ(server.Requests(), 3);
}

TEST_F(WaitingTest, AFetchThatBringsNoKeySendsNobodyBack) {
  for (const std::string& body :
       {a_.Jwks(), std::string("<html>"), std::string(R"({"keys":[]})")}) {
    JwksServer server({.body = a_.Jwks()});
    Answers first;
    Answers later;
    JwksUrlOptions options = OptionsFor(server);
    options.retry_after = options.retry_at_most = absl::Hours(1);
    const auto source = HeldOn(server, options, body, first);
    const auto ticket = source->AwaitFetch(later.Waiter());
    server.Release();
    first.WaitFor(1);
    clock_.AwaitIdle();
    EXPECT_EQ(later.sent_back() + later.failed() + later.succeeded(), 0) << body;
    source->Forget(ticket);
  }
}

TEST_F(WaitingTest, AKeyReplacedUnderItsKidIsInForceThirtySecondsAfterItIsSuspected) {
  const TokenMaker old(Algorithm::kEdDsa, "same");
  const TokenMaker young(Algorithm::kEdDsa, "same");
  JwksServer server({.body = old.Jwks()});
  const auto source = Started(OptionsFor(server));
  server.SetReply({.body = young.Jwks()});
  Pass(absl::Seconds(1));
  source->Suspect();
  Pass(absl::Seconds(28));
  EXPECT_EQ(KeyOf(*source, young)->thumbprint(), old.thumbprint());
  Pass(absl::Seconds(1));
  EXPECT_EQ(KeyOf(*source, young)->thumbprint(), young.thumbprint());
  Pass(absl::Seconds(31));
  const int before = server.Requests();
  source->Suspect();
  clock_.AwaitIdle();
  server.WaitForRequests(before + 1);  // at once: the last one is long ago
}

TEST_F(WaitingTest, AFloodOfSuspicionIsTwoFetchesAMinute) {
  const JwksServer server({.body = a_.Jwks()});
  const auto source = Started(OptionsFor(server));
  const int before = server.Requests();
  for (int i = 0; i < 100; ++i) {
    for (int j = 0; j < 100; ++j) source->Suspect();
    Pass(absl::Milliseconds(600));
  }
  EXPECT_LE(server.Requests(), before + 2);
  EXPECT_GE(server.Requests(), before + 1);
}

}  // namespace
}  // namespace gatehouse::keys
