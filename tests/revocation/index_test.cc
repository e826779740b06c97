#include "server/revocation/index.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/revocation/store_testing.h"

namespace gatehouse::revocation {
namespace {

Fact Committed(NewFact fact, int64_t revision) {
  return {std::move(fact), std::string(32, '0'), kStart, revision};
}

TokenTags TokenOf(const std::string& subject, int64_t issued_at) {
  return {.tags = {TokenTag({}), MakeTag(TagKind::kSubject, "https://issuer.example", subject)},
          .issued_at = issued_at};
}

TEST(Index, AnEmptyOneRefusesNothing) {
  RevocationIndex index;
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 0)));
  EXPECT_EQ(index.size(), 0);
  index.OnCommitted({}, 7);
  EXPECT_EQ(index.revision(), 7);
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 0)));
}

TEST(Index, ATokenIssuedInTheLastCoveredSecondIsRefusedAndOneOfTheNextIsNot) {
  RevocationIndex index;
  index.OnCommitted({Committed(SubjectFact("u1", 1000), 1)}, 1);
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 999)));
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 1000)));
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 1001)));
  EXPECT_FALSE(index.IsRevoked(TokenOf("u2", 1000)));
}

TEST(Index, ATokenWithoutIatIsRefusedByAnyTime) {
  RevocationIndex index;
  index.OnCommitted(
      {Committed(SubjectFact("u1", 0), 1), Committed(SubjectFact("u2", INT64_MIN), 2)}, 2);
  TokenTags token = TokenOf("u1", 0);
  token.issued_at = TokenTags{}.issued_at;
  EXPECT_TRUE(index.IsRevoked(token));
  token.tags = TokenOf("u2", 0).tags;
  EXPECT_TRUE(index.IsRevoked(token));
}

TEST(Index, AFactThatCoversAllRefusesWhateverIat) {
  RevocationIndex index;
  index.OnCommitted({Committed(SubjectFact("u1", kAll), 1)}, 1);
  for (const int64_t issued_at : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    EXPECT_TRUE(index.IsRevoked(TokenOf("u1", issued_at))) << issued_at;
  }
}

TEST(Index, TheLatestTimeOfATagCountsInWhateverOrderFactsCome) {
  RevocationIndex index;
  for (const int64_t until : {500, 1000, 700}) {
    index.OnCommitted({Committed(SubjectFact("u1", until), 1)}, 1);
  }
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 1000)));
  EXPECT_FALSE(index.IsRevoked(TokenOf("u1", 1001)));
  EXPECT_EQ(index.size(), 1);
  index.OnCommitted({Committed(SubjectFact("u1", kAll), 2)}, 2);
  index.OnCommitted({Committed(SubjectFact("u1", 1), 3)}, 3);
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 5000)));
}

TEST(Index, AnyTagOfATokenRefusesIt) {
  RevocationIndex index;
  index.OnCommitted({Committed(SubjectFact("u1", kAll), 1)}, 1);
  TokenTags token;
  for (const TagKind kind : {TagKind::kTokenId, TagKind::kSession, TagKind::kTenant,
                             TagKind::kClient, TagKind::kKey, TagKind::kSubject}) {
    EXPECT_FALSE(index.IsRevoked(token));
    token.tags.push_back(MakeTag(kind, "https://issuer.example", "u1"));
  }
  EXPECT_TRUE(index.IsRevoked(token));
}

TEST(Index, AnEntryWhoseEndHasPassedStillRefuses) {
  RevocationIndex index;
  index.OnCommitted({Committed(SubjectFact("u1", kAll, absl::InfinitePast()), 1)}, 1);
  EXPECT_TRUE(index.IsRevoked(TokenOf("u1", 0)));
}

TEST(Index, SizeCountsTagsOfEveryShard) {
  RevocationIndex index;
  std::vector<Fact> facts;
  for (int i = 0; i < 1000; ++i) {
    facts.push_back(Committed(SubjectFact(absl::StrCat("u", i)), i + 1));
    facts.push_back(Committed(SubjectFact(absl::StrCat("u", i), kAll), i + 1));
  }
  index.OnCommitted(facts, 1000);
  EXPECT_EQ(index.size(), 1000);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(index.IsRevoked(TokenOf(absl::StrCat("u", i), 1)));
}

TEST(Index, WhoeverReadsARevisionSeesItsFactsWhileOthersAreWritten) {
  constexpr int64_t kFacts = 4000;
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
        if (!index.IsRevoked(tokens[static_cast<size_t>(revision)])) ++missed;
        if (!index.IsRevoked(tokens[1])) ++missed;
        if (index.IsRevoked(tokens[0])) ++missed;
      }
    });
  }
  for (int64_t i = 1; i <= kFacts; ++i) {
    index.OnCommitted({Committed(SubjectFact(absl::StrCat("u", i)), i)}, i);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(missed, 0);
}

}  // namespace
}  // namespace gatehouse::revocation
