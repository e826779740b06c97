#include "server/engine/known_token.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <string>
#include <vector>

#include "absl/strings/str_join.h"
#include "tests/engine/engine_fixture.h"

namespace gatehouse::engine {
namespace {

class KnownTokenTest : public EngineTest {
 protected:
  // `render` as a front end would do it.
  std::shared_ptr<const KnownToken> Make(const std::string& more, const std::string& rendered) {
    issuer_.rules = RulesFor(kIssuer);
    issuer_.rules.claims.client = "azp";
    const std::string token = maker_.Sign(Claims(kNow, kNow + 900, more));
    auto parsed = jose::UnverifiedJwt::Parse(token);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    const auto keys = SetOf({&maker_});
    const auto verified =
        jose::JwtVerifier::Verify(*std::move(parsed), issuer_.rules, keys.keys()[0]);
    EXPECT_TRUE(verified.ok()) << verified.status();
    return MakeKnownToken(token, *verified, issuer_, 5, policy::PrincipalOf(*verified), rendered);
  }

  static void ExpectAll(const KnownToken& known, const std::string& rendered) {
    const policy::Principal& p = known.principal;
    EXPECT_EQ(p.issuer, kIssuer);
    EXPECT_EQ(p.subject, "ada");
    EXPECT_EQ(p.tenant, "acme");
    EXPECT_EQ(absl::StrJoin(p.roles, "|"), "admin|user|ada");
    EXPECT_EQ(absl::StrJoin(p.scopes, "|"), "read|write");
    EXPECT_EQ(p.session_id, "s1");
    EXPECT_EQ(p.token_id, "t1");
    EXPECT_EQ(p.client_id, "web");
    EXPECT_EQ(p.email, "ada@example.com");
    EXPECT_EQ(p.issue_time, absl::FromUnixSeconds(kNow));
    EXPECT_EQ(p.expire_time, absl::FromUnixSeconds(kNow + 900));
    EXPECT_EQ(known.not_before, absl::FromUnixSeconds(kNow + 1));
    EXPECT_EQ(known.rendered, rendered);
    EXPECT_EQ(known.audiences, 5u);
    EXPECT_EQ(known.tags.tags.size(), 7u);
    EXPECT_EQ(known.tags.issued_at, kNow);
  }

  static constexpr char kMore[] =
      R"(,"nbf":1800000001,"roles":["admin","user","ada"],"scope":"read write","azp":"web",)"
      R"("email":"ada@example.com")";
  TrustedIssuer issuer_;
};

// Whatever of it the rendered form holds, and in whatever order.
TEST_F(KnownTokenTest, HoldsThePrincipalAfterEverythingElseIsGone) {
  for (const std::string rendered :
       {"", "ada", "ada acme admin user ada read write s1 t1 web ada@example.com",
        "ada@example.com web t1 s1 write read user admin acme ada", "s1t1"}) {
    ExpectAll(*Make(kMore, rendered), rendered);
  }
}

TEST_F(KnownTokenTest, TheTokenStandsInItWhole) {
  const auto known = Make("", "");
  EXPECT_EQ(known->token.substr(0, known->token.find('.')),
            maker_.Sign("{}").substr(0, known->token.find('.')));
}

TEST_F(KnownTokenTest, CountsWhatTheHeapGives) {
  for (const char* more : {"", kMore}) {
    Make(more, std::string(100, 'r'));
    std::vector<std::shared_ptr<const KnownToken>> kept;
    kept.reserve(100);
    for (int i = 0; i < 100; ++i) kept.push_back(Make(more, std::string(100, 'r')));
    for (const auto& known : kept) {
      // One piece, and one more where there are several roles or scopes.
      const size_t least = known->token.size() + known->rendered.size() + sizeof(KnownToken);
      EXPECT_GT(known->heap_bytes, least);
      EXPECT_LT(known->heap_bytes, least + 256);
    }
  }
}

}  // namespace
}  // namespace gatehouse::engine
