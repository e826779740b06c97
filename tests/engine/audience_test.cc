#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

using policy::Code;
using ::testing::HasSubstr;

constexpr AudienceMask kApi = 1;
constexpr AudienceMask kTodo = 2;
constexpr AudienceMask kNotes = 4;

class AudienceTest : public EngineTest {
 protected:
  AudienceTest() {
    Build({RulesFor(kIssuer)}, {"api", "todo", "notes"});
    sources_[0]->Set(SetOf({&maker_}));
  }

  std::string TokenFor(const std::string& aud, int64_t exp = kNow + 900) const {
    return maker_.Sign(absl::StrCat(R"({"iss":")", kIssuer, R"(","sub":"ada","iat":)",
                                    std::min(kNow, exp - 900), R"(,"exp":)", exp, R"(,"aud":)", aud,
                                    "}"));
  }
};

// On first sight, and from the memory.
TEST_F(AudienceTest, OneOfTheCallersMustBeOneOfTheTokens) {
  const std::string token = TokenFor(R"(["other","api","todo"])");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(authorizer_->Examine(token, {.audiences = kNotes}).code, Code::kTokenInvalid);
    EXPECT_EQ(authorizer_->Examine(token, {.audiences = kTodo}).code, Code::kOk);
    EXPECT_EQ(authorizer_->Examine(token, {.audiences = kNotes | kApi}).code, Code::kOk);
    EXPECT_EQ(authorizer_->Examine(token, {.audiences = ~(kApi | kTodo)}).code,
              Code::kTokenInvalid);
  }
}

TEST_F(AudienceTest, ACallerWithoutAudiencesTakesTheIssuers) {
  EXPECT_EQ(authorizer_->Examine(TokenFor(R"("api")")).code, Code::kOk);
}

TEST_F(AudienceTest, TheIssuersListCountsWhateverTheCallers) {
  EXPECT_EQ(authorizer_->Examine(TokenFor(R"("todo")"), {.audiences = kTodo}).code,
            Code::kTokenInvalid);
}

TEST_F(AudienceTest, AnAudienceIsOnlyItselfAndAnEmptyOneIsNone) {
  Build({RulesFor(kIssuer)}, {"todo", ""});
  sources_[0]->Set(SetOf({&maker_}));
  const std::string token = TokenFor(R"(["api","Todo","todo ","tod",""])");
  EXPECT_EQ(authorizer_->Examine(token, {.audiences = 1}).code, Code::kTokenInvalid);
  EXPECT_EQ(authorizer_->Examine(token, {.audiences = 2}).code, Code::kTokenInvalid);
}

TEST_F(AudienceTest, TheRefusalShowsNoPrincipalAndNamesTheTokenForTheLog) {
  const std::string token = TokenFor(R"("api")");
  for (int i = 0; i < 2; ++i) {
    const Examination out = authorizer_->Examine(token, {.audiences = kTodo});
    EXPECT_EQ(out.cache_hit, i == 1);
    EXPECT_EQ(out.token, nullptr);
    EXPECT_EQ(out.issuer, authorizer_->FindIssuer(kIssuer));
    EXPECT_TRUE(out.identity.has_value());
    EXPECT_THAT(out.reason, HasSubstr("caller's audiences"));
  }
}

TEST_F(AudienceTest, ATokenForAnotherIsInvalidAlsoWhenItIsExpiredOrRevoked) {
  const std::string expired = TokenFor(R"("api")", kNow - 100);
  EXPECT_EQ(authorizer_->Examine(expired, {.audiences = kTodo}).code, Code::kTokenInvalid);
  EXPECT_EQ(authorizer_->Examine(expired, {.audiences = kApi}).code, Code::kTokenExpired);
  const std::string revoked = TokenFor(R"("api")");
  Commit(revocation::TagKind::kSubject, "ada");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(authorizer_->Examine(revoked, {.audiences = kTodo}).code, Code::kTokenInvalid);
    EXPECT_EQ(authorizer_->Examine(revoked, {.audiences = kApi}).code, Code::kTokenRevoked);
  }
}

TEST_F(AudienceTest, TheLastOfSixtyFourHasItsBitAndOneMoreHasNone) {
  std::vector<std::string> audiences;
  audiences.reserve(65);
  for (int i = 0; i < 65; ++i) audiences.push_back(absl::StrCat("a", i));
  Build({RulesFor(kIssuer)}, audiences);
  sources_[0]->Set(SetOf({&maker_}));
  EXPECT_EQ(
      authorizer_->Examine(TokenFor(R"(["api","a63"])"), {.audiences = AudienceMask{1} << 63}).code,
      Code::kOk);
  EXPECT_EQ(
      authorizer_->Examine(TokenFor(R"(["api","a64"])"), {.audiences = ~AudienceMask{0}}).code,
      Code::kTokenInvalid);
}

}  // namespace
}  // namespace gatehouse::engine
