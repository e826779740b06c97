#include "server/policy/check_conditions.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "server/policy/condition.h"
#include "tests/policy/random_policy.h"

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;

Condition Compare(Kind kind, std::vector<std::string> values = {}, const char* name = "a") {
  return {.kind = kind, .name = name, .values = std::move(values)};
}
Condition Number(Kind kind, double number) { return {.kind = kind, .name = "a", .number = number}; }
Condition Present(const char* name = "a") { return Compare(Kind::kPresent, {}, name); }
Condition Equals(const char* value, const char* name = "a") {
  return Compare(Kind::kEquals, {value}, name);
}
Condition Claim(Condition test) {
  test.of = Condition::Of::kClaim;
  return test;
}
Condition All(std::vector<Condition> inner) {
  return {.kind = Kind::kAll, .inner = std::move(inner)};
}
Condition Any(std::vector<Condition> inner) {
  return {.kind = Kind::kAny, .inner = std::move(inner)};
}
Condition Not(Condition one) { return {.kind = Kind::kNot, .inner = {std::move(one)}}; }

TEST(IsAlwaysTrue, OfWhatHoldsWhetherOrNotAValueIsThere) {
  EXPECT_TRUE(IsAlwaysTrue(All({})));
  EXPECT_TRUE(IsAlwaysTrue(Any({Present(), Not(Present())})));
  EXPECT_TRUE(IsAlwaysTrue(Not(All({Present(), Not(Present())}))));
  EXPECT_TRUE(IsAlwaysTrue(Any({Present("b"), Equals("x"), Not(Present("b"))})));
  EXPECT_TRUE(IsAlwaysTrue(Any({Claim(Present()), Not(Claim(Present()))})));
  EXPECT_TRUE(IsAlwaysTrue(Any({Not(Present()), Equals("x"), Not(Equals("x"))})));
  EXPECT_TRUE(IsAlwaysTrue(Any({Not(Present()), Compare(Kind::kIn, {"x", "y"}),
                                All({Not(Equals("x")), Not(Equals("y"))})})));
}

TEST(IsAlwaysTrue, NotOfWhatAnAbsentValueLeavesUnknown) {
  EXPECT_FALSE(IsAlwaysTrue(Any({})));
  EXPECT_FALSE(IsAlwaysTrue(Present()));
  EXPECT_FALSE(IsAlwaysTrue(Any({Equals("x"), Not(Equals("x"))})));
  EXPECT_FALSE(IsAlwaysTrue(Any({Present(), Not(Present("b"))})));
  EXPECT_FALSE(IsAlwaysTrue(Any({Present(), Not(Claim(Present()))})));
  // A claim may be an object.
  EXPECT_TRUE(IsAlwaysTrue(Any({Not(Present()), Equals("x"), Not(Equals("x"))})));
  EXPECT_FALSE(
      IsAlwaysTrue(Any({Not(Claim(Present())), Claim(Equals("x")), Not(Claim(Equals("x")))})));
  // "ten" is neither.
  EXPECT_FALSE(
      IsAlwaysTrue(Any({Not(Present()), Number(Kind::kAtMost, 1), Not(Number(Kind::kAtMost, 1))})));
}

TEST(IsNeverTrue, OfNumbersThatNoNumberIsBetween) {
  EXPECT_TRUE(IsNeverTrue(All({Number(Kind::kAtMost, 1), Number(Kind::kAtLeast, 5)})));
  EXPECT_TRUE(IsNeverTrue(All({Number(Kind::kLess, 1), Number(Kind::kAtLeast, 1)})));
  EXPECT_TRUE(IsNeverTrue(All({Number(Kind::kGreater, 1), Not(Number(Kind::kAtLeast, 1))})));
  EXPECT_TRUE(IsNeverTrue(All({Equals("7"), Number(Kind::kLess, 7)})));
  EXPECT_TRUE(IsNeverTrue(All({Equals("ten"), Number(Kind::kLess, 70)})));
  EXPECT_FALSE(IsNeverTrue(All({Number(Kind::kAtMost, 1), Number(Kind::kAtLeast, 1)})));
  EXPECT_FALSE(IsNeverTrue(All({Number(Kind::kGreater, 1), Number(Kind::kLess, 5)})));
  EXPECT_FALSE(IsNeverTrue(All({Equals("7"), Number(Kind::kAtMost, 7)})));
  EXPECT_FALSE(IsNeverTrue(All({Number(Kind::kAtMost, 1), Claim(Number(Kind::kAtLeast, 5))})));
}

TEST(IsNeverTrue, OfWhatContradictsItself) {
  EXPECT_TRUE(IsNeverTrue(Any({})));
  EXPECT_TRUE(IsNeverTrue(All({Equals("x"), Equals("y")})));
  EXPECT_TRUE(IsNeverTrue(All({Present(), Not(Present())})));
  EXPECT_TRUE(IsNeverTrue(All({Equals("x"), Not(Present())})));
  EXPECT_TRUE(IsNeverTrue(All({Compare(Kind::kIn, {"x", "y"}), Equals("z")})));
  EXPECT_TRUE(IsNeverTrue(All({Equals("ab"), Compare(Kind::kPrefix, {"b"})})));
}

TEST(IsNeverTrue, NotOfWhatMayHold) {
  EXPECT_FALSE(IsNeverTrue(All({})));
  EXPECT_FALSE(IsNeverTrue(All({Equals("x"), Equals("y", "b")})));
  EXPECT_FALSE(IsNeverTrue(All({Equals("x"), Claim(Equals("y"))})));
  EXPECT_FALSE(IsNeverTrue(All({Compare(Kind::kIn, {"x", "y"}), Equals("y")})));
  EXPECT_FALSE(IsNeverTrue(All({Equals("ab"), Compare(Kind::kPrefix, {"a"})})));
  EXPECT_FALSE(IsNeverTrue(All({Not(Equals("x")), Not(Equals("y"))})));
  EXPECT_FALSE(IsNeverTrue(All({Number(Kind::kAtLeast, 1), Equals("5")})));
}

TEST(IsNeverFalse, OfWhatIsTrueOrUnknown) {
  EXPECT_TRUE(IsNeverFalse(Any({Equals("x"), Not(Equals("x"))})));
  EXPECT_TRUE(IsNeverFalse(Any({Present(), Not(Present())})));
  EXPECT_FALSE(IsNeverFalse(Equals("x")));
  EXPECT_FALSE(IsNeverFalse(Not(Present())));
  EXPECT_FALSE(IsNeverFalse(Any({})));
}

TEST(IsNeverTrue, OfALargeConditionIsNotSaid) {
  std::vector<Condition> many;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "v" + std::to_string(i);
    many.push_back(Any({Present(name.c_str()), Not(Equals("x", name.c_str()))}));
  }
  many.push_back(Equals("x"));
  many.push_back(Equals("y"));
  EXPECT_FALSE(IsNeverTrue(All(std::move(many)))) << "but it ends";
}

// What is said of a condition holds for every question that can be asked.
TEST(CheckConditions, AgreesWithTheEngineOnRandomConditions) {
  RandomPolicies random(7);
  int always = 0;
  int never = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<Condition> pool = {Present("status")};
    const Definition policy = random.NextPolicy();
    for (const Action& action : policy.resources[0].actions) {
      for (const Rule& rule : action.allow) {
        pool.insert(pool.end(), rule.when.begin(), rule.when.end());
      }
    }
    const Condition some = pool.back();
    for (const Condition& condition : {All(pool), Any({some, Not(pool.front())}),
                                       Any({Not(Present("status")), some, Not(some)})}) {
      const bool is_always = IsAlwaysTrue(condition);
      const bool is_never = IsNeverTrue(condition);
      const bool is_never_false = IsNeverFalse(condition);
      always += is_always ? 1 : 0;
      never += is_never ? 1 : 0;
      if (!is_always && !is_never && !is_never_false) continue;
      for (int j = 0; j < 20; ++j) {
        const Principal who = random.NextPrincipal();
        const Row row = random.NextRow(j);
        std::vector<std::pair<absl::string_view, absl::string_view>> facts(row.attributes.begin(),
                                                                           row.attributes.end());
        const Truth truth = Evaluate(condition, who, {.resource = "task/1", .attributes = facts});
        if (is_always) ASSERT_EQ(truth, Truth::kTrue) << i;
        if (is_never) ASSERT_NE(truth, Truth::kTrue) << i;
        if (is_never_false) ASSERT_NE(truth, Truth::kFalse) << i;
      }
    }
  }
  EXPECT_GT(always, 30);
  EXPECT_GT(never, 30);
}

}  // namespace
}  // namespace gatehouse::policy
