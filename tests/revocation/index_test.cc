#include "server/revocation/index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gatehouse::revocation {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

Tag TagOf(const std::string& subject) {
  return MakeTag(TagKind::kSubject, "https://issuer.example", subject);
}

TokenTags TokenOf(const std::string& subject, int64_t issued_at) {
  return {.tags = {TokenTag({}), TagOf(subject)}, .issued_at = issued_at};
}

void Step(RevocationIndex& index, std::vector<std::pair<Tag, Marks>> tags, int64_t revision,
          absl::Time cleaned_until = absl::InfinitePast()) {
  index.OnStep({.tags = tags, .changes = {}, .revision = revision, .cleaned_until = cleaned_until});
}

Marks IssuedUntil(uint32_t seconds) { return {.issued_until = seconds, .suspended_until = 0}; }

TEST(Index, AnEmptyOneRefusesNothing) {
  RevocationIndex index;
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 0), kNow));
  EXPECT_EQ(index.size(), 0);
  Step(index, {}, 7);
  EXPECT_EQ(index.revision(), 7);
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 0), kNow));
}

TEST(Index, ATokenIsRefusedByWhatIsInForceOnOneOfItsTags) {
  RevocationIndex index;
  Step(index, {{TagOf("u1"), IssuedUntil(1000)}}, 1);
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 1000), kNow));
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 1001), kNow));
  EXPECT_FALSE(index.IsRevoked(TokenOf("u2", 1000), kNow));
}

TEST(Index, AStepReplacesWhatWasSaidOfItsTagsAndLeavesOthers) {
  RevocationIndex index;
  Step(index, {{TagOf("u1"), IssuedUntil(1000)}, {TagOf("u2"), IssuedUntil(1000)}}, 2);
  Step(index, {{TagOf("u1"), IssuedUntil(500)}}, 3);
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 501), kNow));
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 500), kNow));
  EXPECT_TRUE(index.IsRevoked(TokenOf("u2", 1000), kNow));
  Step(index, {{TagOf("u1"), {}}}, 4);
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 1), kNow));
  EXPECT_EQ(index.size(), 1);
}

TEST(Index, ASuspensionEndsByTheClockInTheSecondOfItsEnd) {
  RevocationIndex index;
  const auto end = static_cast<uint32_t>(absl::ToUnixSeconds(kNow));
  Step(index, {{TagOf("u1"), {.issued_until = 0, .suspended_until = end}}}, 1);
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 0), kNow - absl::Nanoseconds(1)));
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 0), kNow));
}

TEST(Index, NothingElseEndsByTheClock) {
  RevocationIndex index;
  Step(index, {{TagOf("u1"), IssuedUntil(1000)}, {TagOf("u2"), IssuedUntil(Marks::kEverything)}},
       1);
  for (const absl::Time now : {absl::UnixEpoch(), kNow, absl::InfiniteFuture()}) {
    EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 1000), now)) << now;
    EXPECT_TRUE(index.IsRevoked(TokenOf("u2", INT64_MAX), now)) << now;
  }
}

TEST(Index, AnyTagOfATokenRefusesIt) {
  RevocationIndex index;
  Step(index, {{TagOf("u1"), IssuedUntil(Marks::kEverything)}}, 1);
  TokenTags token;
  for (const TagKind kind : {TagKind::kTokenId, TagKind::kSession, TagKind::kTenant,
                             TagKind::kClient, TagKind::kKey, TagKind::kSubject}) {
    EXPECT_FALSE(index.IsRevoked(token, kNow));
    token.tags.push_back(MakeTag(kind, "https://issuer.example", "u1"));
  }
  EXPECT_TRUE(index.IsRevoked(token, kNow));
}

TEST(Index, ItSaysUpToWhenItWasCleaned) {
  RevocationIndex index;
  EXPECT_EQ(index.cleaned_until(), absl::InfinitePast());
  Step(index, {}, 1, kNow);
  EXPECT_EQ(index.cleaned_until(), kNow);
}

TEST(Index, RefusedSessionsAreToldOnceAndBounded) {
  const RevocationIndex index;
  for (int i = 0; i < 3; ++i) index.SawRefusedSession(TagOf("s1"));
  index.SawRefusedSession(TagOf("s2"));
  EXPECT_EQ(index.TakeRefusedSessions().size(), 2);
  EXPECT_TRUE(index.TakeRefusedSessions().empty());
  for (int i = 0; i < 70'000; ++i) index.SawRefusedSession(TagOf(absl::StrCat(i)));
  EXPECT_EQ(index.TakeRefusedSessions().size(), 65'536);
}

TEST(Index, WhoeverReadsARevisionSeesItsFactsWhileOthersAreWritten) {
  constexpr int64_t kFacts = 40'000;
  RevocationIndex index;
  std::vector<TokenTags> tokens;
  for (int64_t i = 0; i <= kFacts; ++i) tokens.push_back(TokenOf(absl::StrCat("u", i), 1));
  std::atomic<int> missed = 0;
  std::vector<std::thread> readers;
  readers.reserve(4);
  for (int r = 0; r < 4; ++r) {
    readers.emplace_back([&] {
      int64_t revision = 0;
      while (revision < kFacts) {
        revision = index.revision();
        if (revision == 0) continue;
        if (!index.IsRevoked(tokens[static_cast<size_t>(revision)], kNow)) ++missed;
        if (!index.IsRevoked(tokens[1], kNow)) ++missed;
        if (index.IsRevoked(tokens[0], kNow)) ++missed;
      }
    });
  }
  for (int64_t i = 1; i <= kFacts; ++i) {
    Step(index, {{TagOf(absl::StrCat("u", i)), IssuedUntil(10)}}, i);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(missed, 0);
}

}  // namespace
}  // namespace gatehouse::revocation
