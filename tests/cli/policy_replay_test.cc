#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/cli/child.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kConfig[] = R"(issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
revocations: {sqlite: {path: a.db}}
policy:
  roles: {support: {}}
  resources:
    task:
      actions:
        read: {allow: [owner, "role:support", "relation:editor"]}
        close: {allow: [{who: owner, when: [{claim: team, present: true}]}]}
)";

// Ada reads her own task.
constexpr char kAllowed[] =
    R"({"time":"2026-11-21T09:00:00.000001Z","id":"01","method":"Authorize","caller":"api",)"
    R"("issuer":"https://issuer.example","subject":"ada","token":"deadbeef","resource":"task/1",)"
    R"("action":"read","verdict":"allow","code":"OK","rule":"allow[0] owner","micros":7,)"
    R"("cache_hit":true,"owner":"ada","resource_tenant":"","relations":{"editor":["u1","u2"]},)"
    R"("attributes":{"size":"7"},"tenant":"","roles":["user"],"scopes":[],"claims":{}})"
    "\n";

std::string With(const std::vector<std::pair<absl::string_view, absl::string_view>>& changes) {
  return absl::StrReplaceAll(kAllowed, changes);
}
std::string Denied(absl::string_view owner) {
  return With({{R"("verdict":"allow","code":"OK","rule":"allow[0] owner")",
                R"("verdict":"deny","code":"INSUFFICIENT_PERMISSIONS","rule":"no rule allows it")"},
               {R"("owner":"ada")", absl::StrCat(R"("owner":")", owner, "\"")},
               {R"("id":"01")", R"("id":"02")"}});
}

class PolicyReplayTest : public ::testing::Test {
 protected:
  PolicyReplayTest() {
    std::filesystem::create_directories(folder_);
    Write("g.yaml", kConfig);
  }
  ~PolicyReplayTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  Result Replay(const std::string& log, std::vector<std::string> more = {}) {
    more.insert(more.begin(),
                {"policy", "replay", Write("d.jsonl", log), "--config", folder_ / "g.yaml"});
    return RunChild({.arguments = more});
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(PolicyReplayTest, NothingChangesIsExitCode0) {
  const Result result = Replay(kAllowed + Denied("bob"));
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(result.out,
            "2 decisions replayed: 2 unchanged, 0 would be allowed, 0 would be denied\n");
  EXPECT_EQ(result.err, "");
}

TEST_F(PolicyReplayTest, ChangesAreListedWithBothRulesAndAreExitCode1) {
  const std::string lines = With({{R"("owner":"ada")", R"("owner":"bob")"}}) + Denied("ada");
  const Result result = Replay(lines);
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out,
            "allow -> deny  ada read task/1  (2026-11-21T09:00:00.000001Z, 01)\n"
            "      was:      allow[0] owner\n"
            "      would be: no rule allows it\n"
            "deny -> allow  ada read task/1  (2026-11-21T09:00:00.000001Z, 02)\n"
            "      was:      no rule allows it\n"
            "      would be: allow[0] owner\n"
            "2 decisions replayed: 0 unchanged, 1 would be allowed, 1 would be denied\n");
}

TEST_F(PolicyReplayTest, JsonIsALineForEachChangeAndOneForAll) {
  const Result result = Replay(Denied("ada"), {"--output", "json"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out,
            R"({"time":"2026-11-21T09:00:00.000001Z","id":"02","issuer":"https://issuer.example",)"
            R"("subject":"ada","resource":"task/1","action":"read","was":"deny",)"
            R"("was_rule":"no rule allows it","would_be":"allow","would_be_rule":"allow[0] owner"})"
            "\n"
            R"({"replayed":1,"unchanged":0,"would_allow":1,"would_deny":0,"not_replayable":)"
            R"({"without_facts":0,"token":0,"other_method":0,"issuer":0,"claim":0,"text":0},)"
            R"("damaged":0,"first_damaged":"","lost":0})"
            "\n");
}

TEST_F(PolicyReplayTest, WhatCannotBeDecidedAgainIsCountedByReason) {
  const std::string all = kAllowed;
  const Result result = Replay(absl::StrCat(
      kAllowed, all.substr(0, all.find(",\"owner\"")), "}\n",
      With({{"\"Authorize\"", "\"BatchAuthorize\""},
            {R"("verdict":"allow","code":"OK")", R"("verdict":"deny","code":"TOKEN_EXPIRED")"}}),
      With({{"\"Authorize\"", "\"Verify\""}}), With({{"\"Authorize\"", "\"Filter\""}}),
      With({{"https://issuer.example", "https://other.example"}}),
      With({{R"("action":"read")", R"("action":"close")"}}),
      With({{R"("cache_hit":true)", R"("cache_hit":true,"invalid_utf8":true)"}}),
      R"({"time":"2026-11-21T09:00:00.000001Z","lost":12,"rate":12})", "\n",
      R"({"time":"2026-11-21T09:00:00.000001Z","lost":3,"queue":3})", "\n"));
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_EQ(result.out,
            "1 decisions replayed: 1 unchanged, 0 would be allowed, 0 would be denied\n"
            "7 cannot be replayed: 1 without facts, 1 about the token, 2 of other methods, "
            "1 by an issuer that the configuration does not have, 1 without a claim that the "
            "policy tests, 1 asked with what is no UTF-8\n"
            "15 decisions are missing in the log\n");
}

TEST_F(PolicyReplayTest, MoreLostThanCanBeCountedIsTheGreatestNumber) {
  const std::string lost = "{\"time\":\"\",\"lost\":9223372036854775807}\n";
  EXPECT_THAT(Replay(kAllowed + lost + lost).out,
              HasSubstr("9223372036854775807 decisions are missing in the log\n"));
}

TEST_F(PolicyReplayTest, AClaimThatTheTokenLackedIsKnown) {
  const auto close = [](absl::string_view team) {
    return With({{R"("action":"read")", R"("action":"close")"},
                 {R"("claims":{})", absl::StrCat(R"("claims":{"team":)", team, "}")}});
  };
  EXPECT_THAT(Replay(close(R"("blue")")).out, HasSubstr("1 decisions replayed: 1 unchanged"));
  EXPECT_THAT(Replay(close("{}")).out, HasSubstr("1 decisions replayed: 1 unchanged"));
  EXPECT_THAT(Replay(close(R"("")")).out, HasSubstr("0 unchanged, 0 would be allowed, 1 would be"));
}

TEST_F(PolicyReplayTest, DamagedLinesAreCountedAndTheFirstIsNamed) {
  const std::string damaged[] = {
      "{\"time\":\"2026-11-2\n",
      "\n",
      "[]\n",
      "{}\n",
      With({{"\"OK\"", "\"INSUFFICIENT_PERMISSIONS\""}}),
      With({{R"("roles":["user"])", R"("roles":"user")"}}),
      With({{R"("owner":"ada")", R"("owner":7)"}}),
      With({{"task/1", "task"}}),
      With({{R"("subject":"ada")", R"("subject":"ada","subject":"eve")"}}),
      "{\"lost\":\"many\"}\n",
      std::string(size_t{2} * 1024 * 1024, ' ') + kAllowed,
      "\xff\xfe\n",
  };
  std::string log = kAllowed;
  for (const std::string& line : damaged) log += line;
  log += kAllowed;
  log.pop_back();  // the last line may lack its end
  const Result result = Replay(log);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("2 decisions replayed: 2 unchanged"));
  EXPECT_THAT(result.out,
              HasSubstr(absl::StrCat(std::size(damaged), " damaged lines, the first at ",
                                     (folder_ / "d.jsonl").string(), ":2\n")));
}

TEST_F(PolicyReplayTest, AFileThatIsNoLogAtAllIsExitCode2) {
  const Result result = Replay("hello\nworld\n");
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("d.jsonl:1: is no line of a decision log"));
}

TEST_F(PolicyReplayTest, ReadsSeveralFilesAndStandardInput) {
  const std::string more = Write("e.jsonl", kAllowed);
  const Result result = RunChild({.arguments = {"policy", "replay", Write("d.jsonl", kAllowed), "-",
                                                more, "--config", folder_ / "g.yaml"},
                                  .input = kAllowed});
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("3 decisions replayed: 3 unchanged"));
}

TEST_F(PolicyReplayTest, WhereNothingIsReplayedItIsExitCode2) {
  const std::string all = kAllowed;
  for (const std::string& log : {std::string(), all.substr(0, all.find(",\"owner\"")) + "}\n",
                                 With({{"\"Authorize\"", "\"Filter\""}})}) {
    const Result result = Replay(log);
    EXPECT_EQ(result.code, 2);
    EXPECT_THAT(result.out, HasSubstr("0 decisions replayed"));
    EXPECT_THAT(result.err, HasSubstr("no decision was replayed"));
  }
}

TEST_F(PolicyReplayTest, AMissingLogIsExitCode2) {
  const Result result = RunChild(
      {.arguments = {"policy", "replay", folder_ / "none", "--config", folder_ / "g.yaml"}});
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.err, HasSubstr("none: No such file or directory"));
  EXPECT_EQ(
      RunChild({.arguments = {"policy", "replay", folder_, "--config", folder_ / "g.yaml"}}).code,
      2);
}

TEST_F(PolicyReplayTest, NoNameInTheLogDrivesATerminal) {
  const Result result =
      Replay(absl::StrReplaceAll(Denied("ada"), {{R"("id":"02")", R"("id":"\u001b[31m\u202e\n")"},
                                                 {"no rule allows it", R"(\u0007)"}}));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\u202e")),
                                Not(HasSubstr("\x07")), HasSubstr("\\x1b[31m")));
}

}  // namespace
}  // namespace gatehouse::cli
