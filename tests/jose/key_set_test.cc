#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

KeySet SetOf(std::initializer_list<const TokenMaker*> makers) {
  absl::StatusOr<ParsedKeySet> parsed = ParseJwks(TokenMaker::JwksOf(makers));
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->refused, IsEmpty());
  return parsed->keys;
}

TEST(KeySet, FindsTheKeyWithExactlyThisKidAndAlgorithm) {
  const TokenMaker a(Algorithm::kEdDsa, "shared");
  const TokenMaker b(Algorithm::kEs256, "shared");
  const TokenMaker c(Algorithm::kEdDsa, "Shared");
  const KeySet set = SetOf({&a, &b, &c});
  EXPECT_EQ(set.Find("shared", Algorithm::kEdDsa)->thumbprint(), a.thumbprint());
  EXPECT_EQ(set.Find("shared", Algorithm::kEs256)->thumbprint(), b.thumbprint());
  EXPECT_EQ(set.Find("Shared", Algorithm::kEdDsa)->thumbprint(), c.thumbprint());
  EXPECT_EQ(set.Find("shared", Algorithm::kRs256), nullptr);
  EXPECT_EQ(set.Find("share", Algorithm::kEdDsa), nullptr);
  EXPECT_EQ(set.Find("", Algorithm::kEdDsa), nullptr);
}

TEST(KeySet, CandidatesAreTheAlgorithmsKeysInOrderSixteenAtMost) {
  std::vector<std::unique_ptr<TokenMaker>> makers;
  std::vector<Key> keys;
  for (int i = 0; i < 17; ++i) {
    makers.push_back(std::make_unique<TokenMaker>(Algorithm::kEdDsa));
    keys.push_back(KeyOf(*makers.back()));
    keys.push_back(KeyOf(Maker(Algorithm::kEs256)));
  }
  bool more = false;
  const std::vector<Key> candidates = KeySet(keys).Candidates(Algorithm::kEdDsa, &more);
  ASSERT_THAT(candidates, SizeIs(16));
  EXPECT_TRUE(more);
  for (size_t i = 0; i < 16; ++i) EXPECT_EQ(candidates[i], keys[2 * i]);
  keys.resize(32);
  EXPECT_THAT(KeySet(keys).Candidates(Algorithm::kEdDsa, &more), SizeIs(16));
  EXPECT_FALSE(more);
  EXPECT_THAT(KeySet(keys).Candidates(Algorithm::kRs256), IsEmpty());
}

TEST(KeySet, AKeyThatStaysKeepsItsObject) {
  const TokenMaker a(Algorithm::kEdDsa);
  const TokenMaker b(Algorithm::kEs256);
  const KeySet before = SetOf({&a});
  const KeySet after = SetOf({&b, &a}).Succeed(before);
  EXPECT_EQ(after.keys()[1], before.keys()[0]);
  EXPECT_EQ(after.keys()[0]->thumbprint(), b.thumbprint());
  EXPECT_FALSE(before.keys()[0]->retired());
}

TEST(KeySet, AKeyThatHasLeftIsRetired) {
  const TokenMaker a(Algorithm::kEdDsa);
  const TokenMaker b(Algorithm::kEdDsa);
  const KeySet before = SetOf({&a, &b});
  const KeySet after = SetOf({&b}).Succeed(before);
  EXPECT_TRUE(before.keys()[0]->retired());
  EXPECT_FALSE(before.keys()[1]->retired());
  EXPECT_THAT(after.keys(), ElementsAre(before.keys()[1]));
}

TEST(KeySet, AChangedKeyOfAnEqualKidReplacesTheOldOne) {
  const TokenMaker a(Algorithm::kEdDsa, "k");
  const TokenMaker b(Algorithm::kEdDsa, "k");
  const KeySet before = SetOf({&a});
  const KeySet after = SetOf({&b}).Succeed(before);
  EXPECT_TRUE(before.keys()[0]->retired());
  EXPECT_EQ(after.Find("k", Algorithm::kEdDsa)->thumbprint(), b.thumbprint());
  EXPECT_FALSE(after.keys()[0]->retired());
}

TEST(KeySet, AnEqualKeyOfAnotherKidIsAnotherKey) {
  const TokenMaker a(Algorithm::kEdDsa, "one");
  const KeySet before = SetOf({&a});
  std::string renamed = a.Jwks();
  renamed.replace(renamed.find("one"), 3, "two");
  const KeySet after = ParseJwks(renamed)->keys.Succeed(before);
  EXPECT_TRUE(before.keys()[0]->retired());
  EXPECT_FALSE(after.keys()[0]->retired());
}

TEST(KeySet, AKeyThatComesBackIsInForceAgain) {
  const TokenMaker a(Algorithm::kEdDsa);
  const KeySet first = SetOf({&a});
  const KeySet second = KeySet({}).Succeed(first);
  EXPECT_TRUE(second.empty());
  EXPECT_FALSE(SetOf({&a}).Succeed(second).keys()[0]->retired());
  EXPECT_FALSE(SetOf({&a}).Succeed(first).keys()[0]->retired());
}

}  // namespace
}  // namespace gatehouse::jose
