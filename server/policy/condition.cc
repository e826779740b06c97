#include "server/policy/condition.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/match.h"

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;

// Empty if it is absent or cannot be compared.
absl::string_view ValueOf(const Condition& condition, const Principal& principal,
                          const Question& question) {
  if (condition.of == Condition::Of::kClaim) return principal.Claim(condition.name);
  for (const auto& [name, value] : question.attributes) {
    if (name == condition.name) return value;
  }
  return {};
}

Truth CompareNumber(const Condition& condition, absl::string_view value) {
  double number = 0;
  if (!ParseNumber(value, number)) return Truth::kUnknown;
  switch (condition.kind) {
    case Kind::kLess:
      return ToTruth(number < condition.number);
    case Kind::kAtMost:
      return ToTruth(number <= condition.number);
    case Kind::kGreater:
      return ToTruth(number > condition.number);
    case Kind::kAtLeast:
      return ToTruth(number >= condition.number);
    default:
      return Truth::kUnknown;
  }
}

Truth Compare(const Condition& condition, const Principal& principal, const Question& question) {
  const absl::string_view value = ValueOf(condition, principal, question);
  if (condition.kind == Kind::kPresent) {
    return ToTruth(!value.empty() ||
                   (condition.of == Condition::Of::kClaim && principal.IsOpaque(condition.name)));
  }
  if (value.empty()) return Truth::kUnknown;
  switch (condition.kind) {
    case Kind::kEquals:
      return ToTruth(value == condition.values.front());
    case Kind::kIn:
      return ToTruth(std::any_of(condition.values.begin(), condition.values.end(),
                                 [value](const std::string& one) { return value == one; }));
    case Kind::kPrefix:
      return ToTruth(absl::StartsWith(value, condition.values.front()));
    case Kind::kEqualsClaim: {
      const absl::string_view other = principal.Claim(condition.values.front());
      return other.empty() ? Truth::kUnknown : ToTruth(value == other);
    }
    default:
      return CompareNumber(condition, value);
  }
}

}  // namespace

Truth Evaluate(const Condition& condition, const Principal& principal, const Question& question) {
  Truth truth = Truth::kUnknown;
  switch (condition.kind) {
    case Kind::kAll:
      truth = Truth::kTrue;
      for (const Condition& one : condition.inner) {
        truth = And(truth, Evaluate(one, principal, question));
      }
      return truth;
    case Kind::kAny:
      truth = Truth::kFalse;
      for (const Condition& one : condition.inner) {
        truth = Or(truth, Evaluate(one, principal, question));
      }
      return truth;
    case Kind::kNot:
      return Not(Evaluate(condition.inner.front(), principal, question));
    default:
      return Compare(condition, principal, question);
  }
}

bool ParseNumber(absl::string_view text, double& out) {
  constexpr double kMax = 9007199254740992.0;  // 2^53
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && stop == end && std::isfinite(out) && std::fabs(out) <= kMax;
}

}  // namespace gatehouse::policy
