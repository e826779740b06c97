#include "server/policy/condition.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;

Truth Of(const Condition& condition, absl::string_view value) {
  const std::vector<std::pair<absl::string_view, absl::string_view>> attributes = {{"a", value}};
  Principal principal;
  principal.claims = {{"level", "7"}, {"empty", ""}};
  return Evaluate(condition, principal, {.resource = "t/1", .attributes = attributes});
}

Truth Without(const Condition& condition) {
  return Evaluate(condition, Principal(), {.resource = "t/1"});
}

Condition Text(Kind kind, std::vector<std::string> values) {
  return {.kind = kind, .name = "a", .values = std::move(values)};
}

Condition Number(Kind kind, double number) { return {.kind = kind, .name = "a", .number = number}; }

TEST(ConditionTest, TextIsComparedByteByByte) {
  const Condition is = Text(Kind::kEquals, {"open"});
  EXPECT_EQ(Of(is, "open"), Truth::kTrue);
  for (const char* other : {"Open", "open ", " open", "ope", "opens"}) {
    EXPECT_EQ(Of(is, other), Truth::kFalse) << other;
  }
  const Condition in = Text(Kind::kIn, {"open", "done"});
  EXPECT_EQ(Of(in, "done"), Truth::kTrue);
  EXPECT_EQ(Of(in, "opendone"), Truth::kFalse);
  const Condition prefix = Text(Kind::kPrefix, {"eu-"});
  EXPECT_EQ(Of(prefix, "eu-"), Truth::kTrue);
  EXPECT_EQ(Of(prefix, "eu-west"), Truth::kTrue);
  EXPECT_EQ(Of(prefix, "eu"), Truth::kFalse);
  EXPECT_EQ(Of(prefix, "%eu-"), Truth::kFalse);
}

TEST(ConditionTest, AnAbsentOrEmptyValueIsUnknownToEveryComparison) {
  for (const Condition& one :
       {Text(Kind::kEquals, {"x"}), Text(Kind::kIn, {"x"}), Text(Kind::kPrefix, {"x"}),
        Text(Kind::kEqualsClaim, {"level"}), Number(Kind::kLess, 1), Number(Kind::kAtLeast, 1)}) {
    EXPECT_EQ(Without(one), Truth::kUnknown);
    EXPECT_EQ(Of(one, ""), Truth::kUnknown);
    EXPECT_EQ(Without({.kind = Kind::kNot, .inner = {one}}), Truth::kUnknown);
  }
}

TEST(ConditionTest, AClaimThatCannotBeComparedIsPresentAndElseUnknown) {
  Principal principal;
  principal.opaque_claims = {"act"};
  const auto truth = [&](Condition condition) {
    condition.of = Condition::Of::kClaim;
    condition.name = "act";
    return Evaluate(condition, principal, {.resource = "t/1"});
  };
  EXPECT_EQ(truth(Text(Kind::kPresent, {})), Truth::kTrue);
  EXPECT_EQ(truth(Text(Kind::kEquals, {"x"})), Truth::kUnknown);
  EXPECT_EQ(truth(Text(Kind::kIn, {""})), Truth::kUnknown);
  EXPECT_EQ(truth(Text(Kind::kPrefix, {""})), Truth::kUnknown);
  EXPECT_EQ(truth(Text(Kind::kEqualsClaim, {"act"})), Truth::kUnknown);
  EXPECT_EQ(truth(Number(Kind::kLess, 1)), Truth::kUnknown);
}

TEST(ConditionTest, OnlyPresentAlwaysKnows) {
  const Condition present = Text(Kind::kPresent, {});
  EXPECT_EQ(Without(present), Truth::kFalse);
  EXPECT_EQ(Of(present, ""), Truth::kFalse);
  EXPECT_EQ(Of(present, "x"), Truth::kTrue);
  EXPECT_EQ(Without({.kind = Kind::kNot, .inner = {present}}), Truth::kTrue);
}

TEST(ConditionTest, NumbersAreComparedAsNumbers) {
  EXPECT_EQ(Of(Number(Kind::kLess, 10), "9"), Truth::kTrue);
  EXPECT_EQ(Of(Number(Kind::kLess, 10), "10"), Truth::kFalse);
  EXPECT_EQ(Of(Number(Kind::kAtMost, 10), "10.0"), Truth::kTrue);
  EXPECT_EQ(Of(Number(Kind::kGreater, 10), "10"), Truth::kFalse);
  EXPECT_EQ(Of(Number(Kind::kGreater, -1), "-0.5"), Truth::kTrue);
  EXPECT_EQ(Of(Number(Kind::kAtLeast, 10), "1e1"), Truth::kTrue);
}

TEST(ConditionTest, WhatIsNoNumberIsUnknownToAComparisonOfNumbers) {
  for (const char* text : {"ten", "1 ", " 1", "1,5", "0x10", "nan", "inf", "-inf", "1e400", "+1",
                           "9007199254740994"}) {
    EXPECT_EQ(Of(Number(Kind::kAtLeast, 0), text), Truth::kUnknown) << text;
  }
}

TEST(ConditionTest, AnAttributeMayBeComparedWithAClaim) {
  EXPECT_EQ(Of(Text(Kind::kEqualsClaim, {"level"}), "7"), Truth::kTrue);
  EXPECT_EQ(Of(Text(Kind::kEqualsClaim, {"level"}), "8"), Truth::kFalse);
  EXPECT_EQ(Of(Text(Kind::kEqualsClaim, {"empty"}), "8"), Truth::kUnknown);
  EXPECT_EQ(Of(Text(Kind::kEqualsClaim, {"none"}), "8"), Truth::kUnknown);
}

TEST(ConditionTest, AClaimMayBeTested) {
  Condition level = Number(Kind::kAtLeast, 7);
  level.of = Condition::Of::kClaim;
  level.name = "level";
  EXPECT_EQ(Of(level, ""), Truth::kTrue);
  level.name = "other";
  EXPECT_EQ(Of(level, "9"), Truth::kUnknown);
}

TEST(ConditionTest, AllAndAnyAreThoseOfSql) {
  const Condition yes = Text(Kind::kPresent, {});
  const Condition no = {.kind = Kind::kNot, .inner = {yes}};
  const Condition unknown = {.kind = Kind::kEquals, .name = "missing", .values = {"x"}};
  const auto all = [](std::vector<Condition> inner) {
    return Of({.kind = Kind::kAll, .inner = std::move(inner)}, "x");
  };
  const auto any = [](std::vector<Condition> inner) {
    return Of({.kind = Kind::kAny, .inner = std::move(inner)}, "x");
  };
  EXPECT_EQ(all({yes, yes}), Truth::kTrue);
  EXPECT_EQ(all({yes, unknown}), Truth::kUnknown);
  EXPECT_EQ(all({unknown, no}), Truth::kFalse);
  EXPECT_EQ(any({no, no}), Truth::kFalse);
  EXPECT_EQ(any({no, unknown}), Truth::kUnknown);
  EXPECT_EQ(any({unknown, yes}), Truth::kTrue);
}

}  // namespace
}  // namespace gatehouse::policy
