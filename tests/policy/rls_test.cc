#include "server/policy/rls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/policy/check.h"
#include "server/policy/sql_literal.h"
#include "tests/policy/postgres_fixture.h"

namespace gatehouse::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kIssuer[] = "https://issuer.example";
// Whom the policy's rules let read every row but the locked ones.
constexpr char kSupport[] = R"({"issuer":"https://issuer.example","subject":"sue","tenant":"acme",)"
                            R"("roles":["support"],"scopes":[],"claims":{}})";

Condition Claim(Condition::Kind kind, const std::string& name, std::vector<std::string> values) {
  return {.kind = kind, .of = Condition::Of::kClaim, .name = name, .values = std::move(values)};
}

Definition SmallPolicy() {
  Table table{.name = "app.notes", .id = "id"};
  table.owner = Column{"owner_id"};
  table.tenant = Column{"org"};
  table.commands = {{"select", "read"}, {"update", "write"}};
  const Action read{.name = "read",
                    .allow = {{{Who::Kind::kOwner}}, {{Who::Kind::kRole, "support"}}},
                    .deny = {{{Who::Kind::kRole, "banned"}}}};
  const Action write{.name = "write", .allow = {{{Who::Kind::kOwner}}}};
  Definition out;
  out.roles = {{"admin", {"support"}}, {"banned", {}}};
  out.resources = {{.type = "note",
                    .tenancy = Tenancy::kRequired,
                    .actions = {read, write},
                    .table = std::move(table)}};
  return out;
}

std::string ScriptOf(const Definition& policy) {
  EXPECT_TRUE(Check(policy, {kIssuer}).mistakes.empty());
  const auto script = RowLevelSecurity(policy, {kIssuer}, {"note"});
  EXPECT_TRUE(script.ok()) << script.status();
  return script.value_or("");
}

TEST(RlsTest, SaysTheWholeActionForEachCommand) {
  const std::string script = ScriptOf(SmallPolicy());
  EXPECT_EQ(script.substr(script.find("ALTER TABLE")),
            R"(ALTER TABLE "app"."notes" ENABLE ROW LEVEL SECURITY;
ALTER TABLE "app"."notes" FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS gatehouse_select ON "app"."notes";
DROP POLICY IF EXISTS gatehouse_insert ON "app"."notes";
DROP POLICY IF EXISTS gatehouse_update ON "app"."notes";
DROP POLICY IF EXISTS gatehouse_delete ON "app"."notes";
-- note: read
CREATE POLICY gatehouse_select ON "app"."notes" FOR SELECT
  USING (
    (SELECT gatehouse.is_from(ARRAY['https://issuer.example']::text[]))
    AND (NULLIF(CAST("notes"."org" AS text) COLLATE "C", '') = (SELECT gatehouse.tenant()))
    AND (((SELECT gatehouse.has('roles', ARRAY['banned']::text[]))) IS FALSE)
    AND (((NULLIF(CAST("notes"."owner_id" AS text) COLLATE "C", '') = (SELECT gatehouse.subject())))
      OR ((SELECT gatehouse.has('roles', ARRAY['admin', 'support']::text[])))));
-- note: write
CREATE POLICY gatehouse_update ON "app"."notes" FOR UPDATE
  USING (
    (SELECT gatehouse.is_from(ARRAY['https://issuer.example']::text[]))
    AND (NULLIF(CAST("notes"."org" AS text) COLLATE "C", '') = (SELECT gatehouse.tenant()))
    AND (((NULLIF(CAST("notes"."owner_id" AS text) COLLATE "C", '') = (SELECT gatehouse.subject())))))
  WITH CHECK (
    (SELECT gatehouse.is_from(ARRAY['https://issuer.example']::text[]))
    AND (NULLIF(CAST("notes"."org" AS text) COLLATE "C", '') = (SELECT gatehouse.tenant()))
    AND (((NULLIF(CAST("notes"."owner_id" AS text) COLLATE "C", '') = (SELECT gatehouse.subject())))));
)");
}

TEST(RlsTest, TypesThatCannotBeWrittenAreNamedAllTogether) {
  Definition policy = SmallPolicy();
  policy.resources[0].table->commands.clear();
  policy.resources.push_back(policy.resources[0]);
  policy.resources[1].type = "task";
  policy.resources[1].table.reset();
  const auto script = RowLevelSecurity(policy, {kIssuer}, {"note", "task", "other"});
  EXPECT_EQ(script.status().message(),
            "policy.resources.note: needs `table.commands`, which says for select, insert, update "
            "and delete which action a row must be allowed for\n"
            "policy.resources.task: needs `table`, which says where its rows stand\n"
            "policy.resources.other: the policy has no such resource type");
}

TEST(RlsTest, TwoTypesInOneTableAreRefused) {
  Definition policy = SmallPolicy();
  policy.resources.push_back(policy.resources[0]);
  policy.resources[1].type = "memo";
  const auto script = RowLevelSecurity(policy, {kIssuer}, {"note", "memo"});
  EXPECT_THAT(std::string(script.status().message()), HasSubstr("memo: has the same table"));
  // As the search path says, it may be.
  policy.resources[0].table->name = "notes";
  policy.resources[1].table->name = "public.notes";
  EXPECT_FALSE(RowLevelSecurity(policy, {kIssuer}, {"note", "memo"}).ok());
  policy.resources[0].table->name = "app.notes";
  EXPECT_TRUE(RowLevelSecurity(policy, {kIssuer}, {"note", "memo"}).ok());
}

TEST(RlsTest, TextThatPostgresCannotHoldIsRefused) {
  for (const std::string& text : {std::string("a\0b", 3), std::string("\xFF")}) {
    Definition policy = SmallPolicy();
    policy.resources[0].actions[0].allow[0].when = {Claim(Condition::Kind::kEquals, "a", {text})};
    EXPECT_FALSE(RowLevelSecurity(policy, {kIssuer}, {"note"}).ok());
  }
}

TEST(RlsTest, ACommandNeedsAnActionOfTheResource) {
  Definition policy = SmallPolicy();
  policy.resources[0].table->commands = {{"select", "reed"}, {"truncate", "read"}};
  const Findings findings = Check(policy, {kIssuer});
  ASSERT_EQ(findings.mistakes.size(), 2);
  EXPECT_EQ(findings.mistakes[0].path, "resources.note.table.commands.select");
  EXPECT_EQ(findings.mistakes[0].what, "must be one of the resource's actions");
  EXPECT_EQ(findings.mistakes[1].what, "must be select, insert, update or delete");
}

class RlsPostgresTest : public PostgresFixture {
 protected:
  void SetUp() override {
    PostgresFixture::SetUp();
    if (HasFatalFailure()) return;
    Do("DROP SCHEMA IF EXISTS app CASCADE; CREATE SCHEMA app; DROP ROLE IF EXISTS backend;"
       "CREATE ROLE backend; CREATE TABLE app.notes (id text, owner_id text, org text);"
       "GRANT USAGE ON SCHEMA app TO backend; GRANT ALL ON app.notes TO backend;"
       "INSERT INTO app.notes VALUES ('a', 'ada', 'acme'), ('b', 'bob', 'acme'),"
       " ('c', 'ada', 'evil'), ('d', NULL, NULL), ('e', '', '')");
  }
  void TearDown() override {
    if (connection_ != nullptr) Do("DROP SCHEMA app CASCADE; DROP ROLE backend");
  }

  void Do(const std::string& statements) {
    const absl::Status status = connection_->Run(statements);
    ASSERT_TRUE(status.ok()) << status;
  }

  // How many rows the backend sees; -1 with a failure.
  int CountFor(const std::optional<std::string>& principal) {
    Do("BEGIN; SET LOCAL ROLE backend");
    if (principal.has_value()) {
      EXPECT_TRUE(
          connection_->Query("SELECT set_config('gatehouse.principal', $1, true)", {principal})
              .ok());
    }
    const auto rows = connection_->Query("SELECT id FROM app.notes");
    EXPECT_TRUE(rows.ok()) << rows.status() << principal.value_or("");
    Do("ROLLBACK");
    return rows.ok() ? static_cast<int>(rows->size()) : -1;
  }

  // Whether a principal with these claims passes the one condition.
  bool Passes(const Condition& condition, const std::string& claims) {
    Definition policy = SmallPolicy();
    policy.resources[0].actions[0] = {.name = "read",
                                      .allow = {{{Who::Kind::kAuthenticated}, {condition}}}};
    Do(ScriptOf(policy));
    return CountFor(absl::StrCat(R"({"issuer":"https://issuer.example","subject":"s",)",
                                 R"("tenant":"acme","roles":[],"scopes":[],"claims":)", claims,
                                 "}")) == 2;
  }
};

TEST_F(RlsPostgresTest, WithoutAWholePrincipalThereIsNoRow) {
  Do(ScriptOf(SmallPolicy()));
  EXPECT_EQ(CountFor(std::nullopt), 0);
  EXPECT_EQ(CountFor(kSupport), 2);
  EXPECT_EQ(CountFor(std::nullopt), 0);  // now '' in this session
  const std::string whole = kSupport;
  for (const std::string& bad :
       {std::string(), std::string("null"), std::string("[]"), std::string("{}"), std::string("{"),
        std::string("ada"), std::string("1e999999"), whole + "x", whole.substr(0, whole.size() - 1),
        "[" + whole + "]", std::string(100'000, '['),
        std::string(R"({"issuer":"https://issuer.example","subject":"sue"})"),
        std::string(R"({"issuer":"https://issuer.example","subject":"\u0000"})")}) {
    EXPECT_EQ(CountFor(bad), 0) << bad.substr(0, 200);
  }
}

TEST_F(RlsPostgresTest, EachMemberOfThePrincipalMustBeWhatItIs) {
  Do(ScriptOf(SmallPolicy()));
  const auto with = [](const std::string& part, const std::string& instead) {
    std::string out = kSupport;
    return out.replace(out.find(part), part.size(), instead);
  };
  EXPECT_EQ(CountFor(with("acme", "evil")), 1);
  for (const std::string& bad :
       {with(R"("https://issuer.example")", R"("https://Issuer.example")"),
        with(R"("https://issuer.example")", R"(["https://issuer.example"])"),
        with(R"("https://issuer.example")", "null"),
        with(R"("sue")", R"("")"),
        with(R"("sue")", "1"),
        with(R"("sue")", "null"),
        with(R"("acme")", "null"),
        with(R"("acme")", R"("")"),
        with(R"("acme")", R"(["acme"])"),
        with(R"("acme")", R"("acme ")"),
        with(R"("tenant":"acme",)", ""),
        with(R"(["support"])", R"("support")"),
        with(R"(["support"])", R"({"support":1})"),
        with(R"(["support"])", R"(["support",1])"),
        with(R"(["support"])", R"([["support"]])"),
        with(R"(["support"])", R"(["support","banned"])"),
        with(R"("roles":["support"],)", ""),
        with(R"(["support"])", "null"),
        with(R"("scopes":[])", R"("scopes":null)"),
        with(R"("scopes":[])", R"("scopes":"a")"),
        with(R"("claims":{})", R"("claims":[])"),
        with(R"("claims":{})", R"("claims":null)"),
        with(R"("claims":{})", R"("claims":1)"),
        with(R"("claims":{})", R"("claims":"[]")"),
        with(R"("claims":{})", R"("claims":"null")"),
        with(R"("claims":{})", R"("claims":"{")"),
        with(R"("claims":{})", R"("claims":"{\"a\":\"\\u0000\"}")")}) {
    EXPECT_EQ(CountFor(bad), 0) << bad;
  }
  EXPECT_EQ(CountFor(with("support", "admin")), 2);
  EXPECT_EQ(CountFor(with("support", "supporter")), 0);
}

TEST_F(RlsPostgresTest, ThePrincipalMayBeAsVerifySaysItInProtobufsJson) {
  Do(ScriptOf(SmallPolicy()));
  const std::string ada = R"({"issuer":"https://issuer.example","subject":"ada","tenant":"acme")";
  EXPECT_EQ(CountFor(ada + R"(,"sessionId":"s","claims":""})"), 1);
  EXPECT_EQ(CountFor(ada + "}"), 1);
  EXPECT_EQ(CountFor(ada + R"(,"roles":["support"]})"), 2);
  EXPECT_EQ(CountFor(ada + R"(,"scopes":["a"],"claims":"{\"sub\":\"ada\"}"})"), 1);
  Definition policy = SmallPolicy();
  policy.resources[0].tenancy = Tenancy::kOptional;
  Do(ScriptOf(policy));
  EXPECT_EQ(CountFor(R"({"issuer":"https://issuer.example","subject":"ada"})"), 0);
  EXPECT_EQ(CountFor(R"({"issuer":"https://issuer.example","subject":"ada","roles":["admin"]})"),
            2);
}

TEST_F(RlsPostgresTest, MayBeRunAgainAndTakesAwayWhatThePolicyNoLongerSays) {
  Definition policy = SmallPolicy();
  Do(ScriptOf(policy));
  policy.resources[0].table->commands = {{"update", "write"}};
  Do(ScriptOf(policy));
  EXPECT_EQ(CountFor(kSupport), 0);
}

TEST_F(RlsPostgresTest, TheTablesOwnerIsHeldToo) {
  Do(ScriptOf(SmallPolicy()));
  Do("ALTER TABLE app.notes OWNER TO backend");
  EXPECT_EQ(CountFor(std::nullopt), 0);
}

TEST_F(RlsPostgresTest, ConstantsAreTextWhateverTheyHold) {
  for (const absl::string_view text :
       {"o'pen", "') OR TRUE --", "a\\", "\\'; DROP TABLE app.notes; --", "$gatehouse$", "%", "_",
        "\n", "\xC3\xA9", "e\xCC\x81", "\xF0\x9F\x94\x91", "\"", "E'x'", ":a", "?"}) {
    const auto literal = PostgresLiteral(text);
    ASSERT_TRUE(literal.ok());
    for (const char* setting : {"on", "off"}) {
      Do(absl::StrCat("SET standard_conforming_strings = ", setting));
      const auto rows = connection_->Query(absl::StrCat("SELECT ", *literal));
      ASSERT_TRUE(rows.ok()) << rows.status();
      EXPECT_EQ((*rows)[0][0], std::string(text));
    }
    Do("SET standard_conforming_strings = on");
    Definition policy = SmallPolicy();
    policy.resources[0].actions[0].allow = {{{Who::Kind::kScope, std::string(text)}}};
    if (!Check(policy, {kIssuer}).mistakes.empty()) continue;  // as a name
    Do(ScriptOf(policy));
    EXPECT_EQ(CountFor(kSupport), 0) << text;
  }
}

TEST_F(RlsPostgresTest, ClaimsAreReadAsTheEngineReadsThem) {
  using Kind = Condition::Kind;
  const Condition is_one = Claim(Kind::kEquals, "n", {"1"});
  EXPECT_TRUE(Passes(is_one, R"({"n":"1"})"));
  EXPECT_TRUE(Passes(is_one, R"({"n":1})"));
  EXPECT_FALSE(Passes(is_one, R"({"n":1.0})"));
  EXPECT_FALSE(Passes(is_one, R"({"n":[1]})"));
  EXPECT_FALSE(Passes(is_one, R"({"n":null})"));
  EXPECT_FALSE(Passes(is_one, R"({"N":1})"));
  EXPECT_TRUE(Passes(Claim(Kind::kEquals, "n", {"true"}), R"({"n":true})"));

  const Condition nested = Claim(Kind::kEquals, "/a~1b/0", {"x"});
  EXPECT_TRUE(Passes(nested, R"({"a/b":{"0":"x"}})"));
  EXPECT_FALSE(Passes(nested, R"({"a/b":["x"]})"));
  EXPECT_FALSE(Passes(nested, R"({"a":{"b":{"0":"x"}}})"));
  EXPECT_FALSE(Passes(Claim(Kind::kEquals, "a.b", {"x"}), R"({"a":{"b":"x"}})"));

  const Condition present = Claim(Kind::kPresent, "n", {});
  EXPECT_TRUE(Passes(present, R"({"n":1.50})"));
  EXPECT_TRUE(Passes(present, R"({"n":false})"));
  EXPECT_FALSE(Passes(present, R"({"n":""})"));
  EXPECT_FALSE(Passes(present, R"({"n":null})"));
  // What cannot be compared is there all the same.
  const Condition begins = Claim(Kind::kPrefix, "n", {"x"});
  const std::string longest = absl::StrCat(R"({"n":")", std::string(1024, 'x'), "\"}");
  EXPECT_TRUE(Passes(present, longest));
  EXPECT_TRUE(Passes(begins, longest));
  for (const std::string& opaque :
       {std::string(R"({"n":{"sub":"x"}})"), std::string(R"({"n":["x"]})"),
        std::string(R"({"n":"x\u0007"})"),
        absl::StrCat(R"({"n":")", std::string(1025, 'x'), "\"}")}) {
    EXPECT_TRUE(Passes(present, opaque)) << opaque;
    EXPECT_FALSE(Passes(begins, opaque)) << opaque;
  }

  Condition above = Claim(Kind::kGreater, "n", {});
  above.number = 0.1;
  for (const char* number : {"0.2", "\"0.2\"", "1e3", "\".5\"", "9007199254740992", "\"1.\""}) {
    EXPECT_TRUE(Passes(above, absl::StrCat(R"({"n":)", number, "}"))) << number;
  }
  for (const char* number : {"0.1", "\"+1\"", "\" 1\"", "\"0x10\"", "\"NaN\"", "\"Infinity\"",
                             "1e17", "\"1e999\"", "true", "\"1\\n\"", "1e-999"}) {
    EXPECT_FALSE(Passes(above, absl::StrCat(R"({"n":)", number, "}"))) << number;
  }
}

TEST_F(RlsPostgresTest, AClaimThatWasLeftOutIsNotTakenForAbsent) {
  const Condition absent = {.kind = Condition::Kind::kNot,
                            .inner = {Claim(Condition::Kind::kPresent, "guest", {})}};
  EXPECT_TRUE(Passes(absent, "{}"));
  EXPECT_TRUE(Passes(absent, R"("{}")"));
  EXPECT_TRUE(Passes(absent, R"("{\"a\":1}")"));
  EXPECT_FALSE(Passes(absent, R"("{\"guest\":1}")"));
  EXPECT_FALSE(Passes(absent, R"("")"));

  Definition policy = SmallPolicy();
  policy.resources[0].actions[0].deny[0].when = {Claim(Condition::Kind::kPresent, "guest", {})};
  Do(ScriptOf(policy));
  const std::string ada = R"({"issuer":"https://issuer.example","subject":"ada","tenant":"acme")";
  EXPECT_EQ(CountFor(ada + R"(,"claims":{}})"), 1);
  EXPECT_EQ(CountFor(ada + R"(,"claims":""})"), 0);
  EXPECT_EQ(CountFor(ada + "}"), 0);
}

TEST_F(RlsPostgresTest, ARowsOwnerSeesNoneWithoutClaimsWhereAnyRuleTestsOne) {
  Definition policy = SmallPolicy();
  policy.resources[0].actions[0].allow.push_back(
      {{Who::Kind::kAuthenticated}, {Claim(Condition::Kind::kEquals, "staff", {"yes"})}});
  const std::string script = ScriptOf(policy);
  Do(script);
  const std::string ada = R"({"issuer":"https://issuer.example","subject":"ada","tenant":"acme")";
  EXPECT_EQ(CountFor(ada + R"(,"claims":"{}"})"), 1);
  EXPECT_EQ(CountFor(ada + "}"), 0);
  EXPECT_THAT(script, HasSubstr("so that claims must be given: staff"));
}

TEST_F(RlsPostgresTest, TheHeaderSaysWhatIsNotHeld) {
  const std::string script = ScriptOf(SmallPolicy());
  EXPECT_THAT(script, HasSubstr("Superusers and roles with BYPASSRLS pass"));
  EXPECT_THAT(script, Not(HasSubstr("Claims that the policy tests")));
}

}  // namespace
}  // namespace gatehouse::policy
