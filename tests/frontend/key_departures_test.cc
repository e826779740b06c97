#include "server/frontend/key_departures.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/jose/jwt_verifier.h"
#include "server/revocation/index.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_key_source.h"
#include "tests/support/token_maker.h"

namespace gatehouse::frontend {
namespace {

constexpr char kIssuer[] = "https://issuer.example";

using KeyList = std::vector<std::shared_ptr<const jose::VerificationKey>>;

std::vector<revocation::Tag> TagsOf(const KeyList& keys) {
  std::vector<revocation::Tag> tags;
  for (const auto& key : keys) {
    tags.push_back(revocation::MakeTag(revocation::TagKind::kKey, kIssuer, key->name()));
  }
  return tags;
}

class KeyDeparturesTest : public ::testing::Test {
 protected:
  KeyDeparturesTest() : rules_(RulesOf(keys_)) {}

  Ruleset RulesOf(const std::shared_ptr<FakeKeySource>& keys) {
    jose::IssuerRules issuer;
    issuer.issuer = kIssuer;
    const auto authorizer = std::make_shared<engine::Authorizer>(
        std::vector<engine::TrustedIssuer>{{issuer, keys}}, index_, clock_,
        engine::Authorizer::Options{.render = [](const policy::Principal&) { return ""; }});
    return {.callers = {},
            .authorizer = authorizer,
            .policy = nullptr,
            .revoker = engine::Revoker(*authorizer, absl::Hours(720), clock_)};
  }

  static KeyList KeysOf(const TokenMaker& maker) {
    auto parsed = jose::ParseJwks(maker.Jwks());
    EXPECT_TRUE(parsed.ok());
    return parsed->keys.keys();
  }

  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  revocation::RevocationIndex index_;
  std::shared_ptr<FakeKeySource> keys_ = std::make_shared<FakeKeySource>();
  Ruleset rules_;
  KeyDepartures departures_;
  const KeyList a_ = KeysOf(TokenMaker(jose::Algorithm::kEdDsa, "one"));
  const KeyList b_ = KeysOf(TokenMaker(jose::Algorithm::kEs256, "two"));
};

TEST_F(KeyDeparturesTest, NoKeyIsGoneBeforeTheFirstHaveCome) {
  EXPECT_TRUE(departures_.Look(rules_).empty());
  keys_->Set(jose::KeySet(a_));
  EXPECT_TRUE(departures_.Look(rules_).empty());
}

TEST_F(KeyDeparturesTest, AKeyThatIsAddedIsNoneThatHasGone) {
  keys_->Set(jose::KeySet(a_));
  departures_.Look(rules_);
  keys_->Set(jose::KeySet({a_[0], b_[0]}));
  EXPECT_TRUE(departures_.Look(rules_).empty());
}

TEST_F(KeyDeparturesTest, AKeyThatHasLeftIsToldOnce) {
  keys_->Set(jose::KeySet({a_[0], b_[0]}));
  departures_.Look(rules_);
  keys_->Set(jose::KeySet(b_));
  EXPECT_EQ(departures_.Look(rules_), TagsOf(a_));
  EXPECT_TRUE(departures_.Look(rules_).empty());
}

TEST_F(KeyDeparturesTest, AnotherKeyOfTheSameNameIsToldByThatName) {
  const KeyList other = KeysOf(TokenMaker(jose::Algorithm::kEdDsa, "one"));
  ASSERT_EQ(other[0]->name(), a_[0]->name());
  ASSERT_NE(other[0]->thumbprint(), a_[0]->thumbprint());
  keys_->Set(jose::KeySet(a_));
  departures_.Look(rules_);
  keys_->Set(jose::KeySet(other));
  EXPECT_EQ(departures_.Look(rules_), TagsOf(a_));
}

TEST_F(KeyDeparturesTest, WithoutASetAllHaveGone) {
  keys_->Set(jose::KeySet(a_));
  departures_.Look(rules_);
  keys_->Clear();
  EXPECT_EQ(departures_.Look(rules_), TagsOf(a_));
}

TEST_F(KeyDeparturesTest, TheSameKeysFromAnotherSourceHaveNotGone) {
  keys_->Set(jose::KeySet(a_));
  departures_.Look(rules_);
  const auto next = std::make_shared<FakeKeySource>();
  next->Set(jose::KeySet(a_));
  EXPECT_TRUE(departures_.Look(RulesOf(next)).empty());
}

}  // namespace
}  // namespace gatehouse::frontend
