#include "server/frontend/decision_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"
#include "server/frontend/decision_line.h"
#include "server/jose/json.h"
#include "tests/frontend/decided.h"
#include "tests/revocation/temp_folder.h"
#include "tests/support/fake_clock.h"

namespace gatehouse::frontend {
namespace {

using policy::Code;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr absl::Duration kMicro = absl::Microseconds(1);

class DecisionLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<DecisionLog> Open(size_t queue_bytes = DecisionLog::kQueueBytes) {
    return DecisionLog::Open(options_, counters_, clock_, queue_bytes).value();
  }
  DecidedCall Call() const {
    return {.method = "Authorize",
            .caller = "api",
            .examined = ada_.examined(),
            .policy = policy_,
            .started_nanos = clock_.SteadyNanos() - 7000,
            .now_nanos = clock_.SteadyNanos()};
  }
  void Record(DecisionLog& log, Code code = Code::kInsufficientPermissions) const {
    const policy::Question question{.resource = "task/1", .action = "read"};
    log.Record(Call(), {.code = code, .id = "0123", .question = &question});
  }
  std::vector<std::string> Lines() const {
    return absl::StrSplit(revocation::TempFolder::ReadFile(options_.path), '\n', absl::SkipEmpty());
  }
  int64_t Lost(LostDecision why) const { return counters_.lost[static_cast<size_t>(why)]; }
  void AwaitLost(LostDecision why, int64_t count) const {
    while (Lost(why) < count) std::this_thread::yield();
  }

  const revocation::TempFolder folder_;
  const AdasToken ada_;
  const policy::Policy policy_ = TaskPolicy();
  FakeClock clock_{absl::FromUnixSeconds(1'792'000'000) + 5 * kMicro};
  DecisionLogCounters counters_;
  config::DecisionLog options_{.path = folder_.File("log/d"),
                               .place = "g.yaml:7: decision_log.path"};

  DecisionLogTest() {
    std::filesystem::create_directories(folder_.File("log"));
    clock_.Advance(absl::Seconds(1));
  }
};

TEST_F(DecisionLogTest, ALineSaysWhoWhatAndByWhichRule) {
  options_.allowed_percent = 100;
  {
    const auto log = Open();
    const std::vector<absl::string_view> editors = {"u1", "u2"};
    const std::vector<policy::Relation> relations = {{"editor", editors}};
    const std::vector<std::pair<absl::string_view, absl::string_view>> attributes = {
        {"locked", "no"}};
    const policy::Question question{.resource = "task/1",
                                    .owner = "ada",
                                    .action = "read",
                                    .tenant = "acme",
                                    .relations = relations,
                                    .attributes = attributes};
    log->Record(Call(), {.code = Code::kOk, .id = "0123", .question = &question});
  }
  EXPECT_EQ(
      revocation::TempFolder::ReadFile(options_.path),
      R"({"time":"2026-10-14T17:46:41.000005Z","id":"0123","method":"Authorize","caller":"api",)"
      R"("issuer":"https://issuer.example","subject":"ada","token":"deadbeef","resource":"task/1",)"
      R"("action":"read","verdict":"allow","code":"OK","rule":"allow[0] owner","micros":7,)"
      R"("cache_hit":true,"owner":"ada","resource_tenant":"acme","relations":{"editor":["u1","u2"]},)"
      R"("attributes":{"locked":"no"},"tenant":"acme","roles":["user"],)"
      R"("scopes":["openid","task:read"],"claims":{"team":"blue","/a/b":"","act":{}}})"
      "\n");
  EXPECT_EQ(counters_.written, 1);
}

TEST_F(DecisionLogTest, WithoutFactsNoneStandsInTheLine) {
  options_.without_facts = true;
  Record(*Open());
  ASSERT_THAT(Lines(), SizeIs(1));
  for (const char* fact : {"owner", "tenant", "relations", "attributes", "roles", "claims"}) {
    EXPECT_THAT(Lines()[0], Not(HasSubstr("\"" + std::string(fact) + "\":")));
  }
  EXPECT_THAT(Lines()[0], HasSubstr(R"("rule":"deny[0] authenticated")"));
}

TEST_F(DecisionLogTest, HostileNamesMakeOneLineOfValidJson) {
  {
    const auto log = Open();
    const policy::Question question{.resource = "task/\"},{\n\u2028\x01\\", .action = "r\xff"};
    log->Record(Call(), {.code = Code::kInsufficientPermissions, .id = "1", .question = &question});
  }
  ASSERT_THAT(Lines(), SizeIs(1));
  std::string padded = Lines()[0];
  const size_t size = padded.size();
  padded.resize(size + jose::kJsonPadding);
  jose::JsonParser parser;
  jose::JsonDocument document;
  const auto object = jose::ParseJsonObject(parser, document, padded.data(), size);
  ASSERT_TRUE(object.ok()) << object.status() << Lines()[0];
  EXPECT_EQ(jose::FindString(*object, "resource"), "task/\"},{\n\u2028\x01\\");
  EXPECT_EQ(jose::FindString(*object, "action"), "r\uFFFD");
  EXPECT_TRUE(jose::FindMember(*object, "invalid_utf8").has_value());
}

TEST_F(DecisionLogTest, AVeryLongLineIsWrittenWithoutItsFacts) {
  {
    const auto log = Open();
    const std::string value(4096, 'v');
    const std::vector<std::pair<absl::string_view, absl::string_view>> attributes(64, {"a", value});
    const policy::Question question{
        .resource = "task/1", .action = "read", .attributes = attributes};
    log->Record(Call(), {.code = Code::kInsufficientPermissions, .id = "1", .question = &question});
  }
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0], AllOf(HasSubstr("task/1"), Not(HasSubstr("attributes"))));
}

TEST_F(DecisionLogTest, DenialsOfASecondStopAtTheRateAndTheRestIsTold) {
  options_.denials_per_second = 3;
  {
    const auto log = Open();
    for (int i = 0; i < 1000; ++i) Record(*log);
    EXPECT_EQ(Lost(LostDecision::kRate), 997);
    // A thread that looked at the clock before the second began takes nothing from it.
    constexpr Code kNo = Code::kInsufficientPermissions;
    EXPECT_FALSE(log->Wants(kNo, clock_.SteadyNanos() - 999'999'999));
    clock_.Advance(absl::Seconds(1) - absl::Nanoseconds(1));
    EXPECT_FALSE(log->Wants(kNo, clock_.SteadyNanos()));
    clock_.Advance(absl::Nanoseconds(1));
    for (int i = 0; i < 4; ++i) Record(*log);
  }
  EXPECT_EQ(counters_.written, 6);
  EXPECT_EQ(Lost(LostDecision::kRate), 1000);
  int64_t told = 0;
  for (const std::string& line : Lines()) {
    if (line.find("\"lost\"") == std::string::npos) continue;
    EXPECT_THAT(line, HasSubstr("\"rate\":"));
    told += std::stoll(line.substr(line.find("\"lost\":") + 7));
  }
  EXPECT_EQ(told, 1000);
}

TEST_F(DecisionLogTest, LossesAreToldWithinASecondThoughNothingElseComes) {
  options_.denials_per_second = 0;
  const auto log = Open();
  for (int i = 0; i < 5; ++i) Record(*log);
  while (Lines().empty()) {
    clock_.AwaitIdle();
    clock_.Advance(absl::Seconds(1));
  }
  for (int i = 0; i < 2; ++i) Record(*log);
  while (Lines().size() < 2) {
    clock_.AwaitIdle();
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(Lines()[0], HasSubstr(R"("lost":5,"rate":5})"));
  EXPECT_THAT(Lines()[1], HasSubstr(R"("lost":2,"rate":2})"));
}

TEST_F(DecisionLogTest, BadTokensPushNoDenialOfAGoodOneOut) {
  options_.denials_per_second = 2;
  {
    const auto log = Open();
    for (int i = 0; i < 10; ++i)
      Record(*log, i % 2 == 0 ? Code::kTokenInvalid : Code::kTokenExpired);
    for (int i = 0; i < 3; ++i) Record(*log);
  }
  EXPECT_EQ(counters_.written, 4);
  EXPECT_EQ(Lost(LostDecision::kTokenRate), 8);
  EXPECT_EQ(Lost(LostDecision::kRate), 1);
  int told = 0;
  int denials = 0;
  for (const std::string& line : Lines()) {
    if (line.find("\"rate\":1") != std::string::npos) ++told;
    if (line.find("\"token_rate\":") != std::string::npos) ++told;
    if (line.find("INSUFFICIENT_PERMISSIONS") != std::string::npos) ++denials;
  }
  EXPECT_GE(told, 2);
  EXPECT_EQ(denials, 2);
}

TEST_F(DecisionLogTest, NoneOfTheDenialsIsWrittenAtRateZero) {
  options_.denials_per_second = 0;
  Record(*Open());
  EXPECT_EQ(counters_.written, 0);
  EXPECT_EQ(Lost(LostDecision::kRate), 1);
}

TEST_F(DecisionLogTest, AllowsAreSampled) {
  const auto taken = [&](int percent) {
    options_.allowed_percent = percent;
    const auto log = Open();
    int count = 0;
    for (int i = 0; i < 20'000; ++i) count += log->Wants(Code::kOk, 0) ? 1 : 0;
    return count;
  };
  EXPECT_EQ(taken(0), 0);
  EXPECT_EQ(taken(100), 20'000);
  // Twenty standard deviations.
  EXPECT_NEAR(taken(25), 5'000, 1'225);
  EXPECT_EQ(Lost(LostDecision::kRate), 0) << "what is not sampled is not lost";
}

TEST_F(DecisionLogTest, WhatDoesNotFitIntoTheQueueIsCountedAndTold) {
  Record(*Open(/*queue_bytes=*/100));
  EXPECT_EQ(Lost(LostDecision::kQueue), 1);
  EXPECT_EQ(counters_.written, 0);
  ASSERT_THAT(Lines(), SizeIs(1));
  EXPECT_THAT(Lines()[0],
              AllOf(StartsWith("{\"time\":\"2026-"), HasSubstr(R"("lost":1,"queue":1})")));
}

// Holds up every thread but the one that made it.
class HeldClock final : public Clock {
 public:
  absl::Time Now() const override {
    ++looks;
    while (held && std::this_thread::get_id() != mine_) std::this_thread::yield();
    return absl::UnixEpoch();
  }
  int64_t SteadyNanos() const override { return 0; }
  void WaitUntil(Mutex& mu, CondVar& changed, int64_t /*until*/) const override GH_REQUIRES(mu) {
    changed.Wait(mu);
  }

  mutable std::atomic<int64_t> looks = 0;
  std::atomic<bool> held = true;

 private:
  const std::thread::id mine_ = std::this_thread::get_id();
};

TEST_F(DecisionLogTest, ALineForWhichThereIsNoRoomIsNotMade) {
  options_.denials_per_second = 0;
  options_.allowed_percent = 100;
  HeldClock clock;
  {
    const auto log = DecisionLog::Open(options_, counters_, clock, /*queue_bytes=*/10'000).value();
    Record(*log);  // is lost, so that the thread asks for the time, and is held up, to tell it
    Record(*log, Code::kOk);
    while (clock.looks < 2) std::this_thread::yield();
    while (Lost(LostDecision::kQueue) == 0) Record(*log, Code::kOk);
    const int64_t looks = clock.looks;
    for (int i = 0; i < 1000; ++i) Record(*log, Code::kOk);
    EXPECT_EQ(Lost(LostDecision::kQueue), 1001);
    EXPECT_EQ(clock.looks, looks);
    clock.held = false;
    int64_t lost = 0;
    do {
      lost = Lost(LostDecision::kQueue);
      Record(*log, Code::kOk);
    } while (Lost(LostDecision::kQueue) > lost);  // until there is room again
  }
  EXPECT_GT(counters_.written, 2);
}

TEST_F(DecisionLogTest, LinesOfOneCallSayTheSameOfThePrincipal) {
  const DecidedCall call = Call();
  const policy::Question one{.resource = "task/1", .action = "read"};
  const policy::Question two{.resource = "task/2", .action = "r\xff"};
  const auto line = [&](const policy::Question& question) {
    return DecisionLine(call,
                        {.code = Code::kInsufficientPermissions, .id = "1", .question = &question},
                        clock_.Now(), 0, /*with_facts=*/true);
  };
  const std::string first = line(one);
  const std::string second = line(two);
  const std::string facts = first.substr(first.find(R"("tenant":)"));
  EXPECT_THAT(second, HasSubstr(facts.substr(0, facts.size() - 2)));
  EXPECT_THAT(second, HasSubstr(R"(,"invalid_utf8":true})"));
  EXPECT_EQ(line(one), first);
}

TEST_F(DecisionLogTest, WhatCouldNotBeWrittenIsToldWhenWritingGoesAgain) {
  {
    const auto log = Open();
    std::filesystem::remove_all(folder_.File("log"));
    Record(*log);
    AwaitLost(LostDecision::kFile, 1);
    std::filesystem::create_directories(folder_.File("log"));
    Record(*log);
  }
  ASSERT_THAT(Lines(), SizeIs(2));
  EXPECT_THAT(Lines()[0], HasSubstr(R"("lost":1,"file":1})"));
  EXPECT_THAT(Lines()[1], HasSubstr(R"("resource":"task/1")"));
  EXPECT_EQ(counters_.written, 1);
}

TEST_F(DecisionLogTest, AFileThatCannotGrowHoldsNobodyUp) {
  revocation::TempFolder::WriteFile(options_.path, "{}\n");
  std::filesystem::create_directories(options_.path + ".1/in the way");
  options_.max_bytes = 3;
  options_.keep_files = 1;
  {
    const auto log = Open();
    for (int i = 0; i < 50; ++i) Record(*log);
  }
  EXPECT_EQ(counters_.written, 0);
  EXPECT_EQ(Lost(LostDecision::kFile), 50);
}

TEST_F(DecisionLogTest, EverythingIsWrittenAtTheEnd) {
  options_.denials_per_second = 100'000;
  {
    const auto log = Open();
    std::vector<std::thread> threads;
    threads.reserve(4);
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) Record(*log);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_THAT(Lines(), SizeIs(2000));
  EXPECT_EQ(counters_.written, 2000);
}

TEST_F(DecisionLogTest, IsForTheSameSettingsWhereverTheyStand) {
  const auto log = Open();
  config::DecisionLog other = options_;
  other.place = "g.yaml:8: decision_log.path";
  other.kept = {{"a.db", "the database"}};
  EXPECT_TRUE(log->IsFor(other));
  other.denials_per_second += 1;
  EXPECT_FALSE(log->IsFor(other));
}

TEST_F(DecisionLogTest, AnUnusablePathNamesItsPlace) {
  options_.path = folder_.File("missing/d");
  for (const absl::Status& status :
       {DecisionLog::Open(options_, counters_, clock_).status(), DecisionLog::Check(options_)}) {
    EXPECT_THAT(std::string(status.message()), StartsWith("g.yaml:7: decision_log.path: "));
  }
}

TEST_F(DecisionLogTest, ARefusedTokenHasNoSubjectAndItsReasonIsTheRule) {
  engine::Examination refused;
  refused.reason = "signature is wrong";
  refused.identity = {1, 2, 3, 4};
  const DecidedCall call{
      .method = "Verify", .caller = "api", .examined = refused, .policy = policy_};
  const std::string line = DecisionLine(call, {.code = Code::kTokenInvalid, .id = "1"},
                                        clock_.Now(), 0, /*with_facts=*/true);
  EXPECT_THAT(line, AllOf(HasSubstr(R"("caller":"api","token":"01020304","verdict":"deny")"),
                          HasSubstr(R"("code":"TOKEN_INVALID","rule":"signature is wrong")"),
                          Not(HasSubstr("subject")), Not(HasSubstr("resource"))));
}

}  // namespace
}  // namespace gatehouse::frontend
