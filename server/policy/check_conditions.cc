#include "server/policy/check_conditions.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "server/policy/condition.h"
#include "server/policy/truth.h"

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;
using Value = std::pair<Condition::Of, std::string>;

// Of one condition.
constexpr size_t kMaxWorlds = 1024;

// What every token has, as a text or a number. Not `aud`, which may be a list.
bool IsAlwaysThere(const Value& value) {
  constexpr std::array<absl::string_view, 6> kNames = {"sub", "/sub", "iss", "/iss", "exp", "/exp"};
  return value.first == Condition::Of::kClaim &&
         std::find(kNames.begin(), kNames.end(), value.second) != kNames.end();
}

// The texts that each value of the condition is compared with.
using Constants = std::map<Value, std::set<std::string>>;

void AddConstants(const Condition& condition, Constants& out) {
  for (const Condition& inner : condition.inner) AddConstants(inner, out);
  if (!condition.inner.empty()) return;
  std::set<std::string>& of_value = out[{condition.of, condition.name}];
  if (condition.kind == Kind::kEquals || condition.kind == Kind::kIn) {
    of_value.insert(condition.values.begin(), condition.values.end());
  }
}

bool ComparesNumbers(const Condition& test) {
  return test.kind == Kind::kLess || test.kind == Kind::kAtMost || test.kind == Kind::kGreater ||
         test.kind == Kind::kAtLeast;
}

// The numbers that each value of the condition is compared with.
using Numbers = std::map<Value, std::set<double>>;

void AddNumbers(const Condition& condition, Numbers& out) {
  for (const Condition& inner : condition.inner) AddNumbers(inner, out);
  if (condition.inner.empty() && ComparesNumbers(condition)) {
    out[{condition.of, condition.name}].insert(condition.number);
  }
}

// `order`: below 0 where the value is less than what it is compared with, 0 where it equals.
Truth TruthOfOrder(Kind kind, int order) {
  switch (kind) {
    case Kind::kLess:
      return ToTruth(order < 0);
    case Kind::kAtMost:
      return ToTruth(order <= 0);
    case Kind::kGreater:
      return ToTruth(order > 0);
    default:
      return ToTruth(order >= 0);
  }
}

// Everything that a condition may be asked about, world by world: each value is absent,
// one of the texts that it is compared with, any other, or, of a claim, there and not to be
// compared; any other is no number, one of the numbers that it is compared with, or between
// them; and whatever that leaves open is true in one world and false in another. So there are
// more worlds than there can be, never fewer.
class Worlds {
 public:
  explicit Worlds(const Condition& condition) : condition_(condition) {
    Constants constants;
    AddConstants(condition, constants);
    AddNumbers(condition, numbers_);
    for (auto& [value, texts] : constants) {
      constants_.emplace(value, std::vector<std::string>(texts.begin(), texts.end()));
    }
  }

  // Whether `holds` is true of the condition's truth in every world.
  template <typename Holds>
  bool All(const Holds& holds) {
    for (size_t count = 0; count < kMaxWorlds; ++count) {
      next_ = 0;
      values_.clear();
      regions_.clear();
      tests_.clear();
      if (!holds(TruthOf(condition_))) return false;
      if (!Advance()) return true;
    }
    return false;
  }

 private:
  struct Choice {
    size_t chosen = 0;
    size_t of = 1;
  };
  struct Known {
    const std::vector<std::string>* constants = nullptr;
    size_t state = 0;  // 0: absent; i: constants[i - 1]; then: any other; then: opaque

    bool is_opaque() const { return state > constants->size() + 1; }
    bool is_other() const { return state > constants->size(); }
    const std::string& text() const { return (*constants)[state - 1]; }
  };

  // The next choice of this world, 0 up to `of`.
  size_t Choose(size_t of) {
    if (next_ == choices_.size()) choices_.push_back({0, of});
    return choices_[next_++].chosen;
  }
  // To the next world. False after the last.
  bool Advance() {
    while (!choices_.empty() && choices_.back().chosen + 1 == choices_.back().of) {
      choices_.pop_back();
    }
    if (choices_.empty()) return false;
    ++choices_.back().chosen;
    return true;
  }

  Known Look(const Value& value) {
    const std::vector<std::string>& constants = constants_[value];
    for (const Known& known : values_) {
      if (known.constants == &constants) return known;
    }
    const size_t first = IsAlwaysThere(value) ? 1 : 0;
    const size_t states = value.first == Condition::Of::kClaim ? 3 : 2;
    values_.push_back({&constants, first + Choose(constants.size() + states - first)});
    return values_.back();
  }

  Truth TruthOf(const Condition& condition) {
    Truth truth = Truth::kUnknown;
    switch (condition.kind) {
      case Kind::kAll:
        truth = Truth::kTrue;
        for (const Condition& one : condition.inner) truth = And(truth, TruthOf(one));
        return truth;
      case Kind::kAny:
        truth = Truth::kFalse;
        for (const Condition& one : condition.inner) truth = Or(truth, TruthOf(one));
        return truth;
      case Kind::kNot:
        return condition.inner.empty() ? Truth::kUnknown : Not(TruthOf(condition.inner.front()));
      default:
        return TruthOfTest(condition);
    }
  }

  Truth TruthOfTest(const Condition& test) {
    const Known known = Look({test.of, test.name});
    if (test.kind == Kind::kPresent) return ToTruth(known.state != 0);
    if (known.state == 0 || known.is_opaque()) return Truth::kUnknown;
    const auto is = [&](const std::string& value) {
      return !known.is_other() && known.text() == value;
    };
    if (test.kind == Kind::kEquals || test.kind == Kind::kIn) {
      return ToTruth(std::any_of(test.values.begin(), test.values.end(), is));
    }
    if (ComparesNumbers(test)) return TruthOfComparison(test, known);
    if (test.kind == Kind::kPrefix && !known.is_other() && !test.values.empty()) {
      return ToTruth(absl::StartsWith(known.text(), test.values.front()));
    }
    return Open(test);
  }

  Truth TruthOfComparison(const Condition& test, const Known& known) {
    if (!known.is_other()) {
      double number = 0;
      if (!ParseNumber(known.text(), number)) return Truth::kUnknown;
      return TruthOfOrder(test.kind, number < test.number ? -1 : number > test.number ? 1 : 0);
    }
    const std::set<double>& numbers = numbers_[{test.of, test.name}];
    // 0: no number; then in turn below, at and above each of `numbers`.
    const size_t region = RegionOf(numbers);
    if (region == 0) return Truth::kUnknown;
    const auto before =
        static_cast<size_t>(std::distance(numbers.begin(), numbers.find(test.number)));
    const size_t at = 2 * before + 2;
    return TruthOfOrder(test.kind, region < at ? -1 : region > at ? 1 : 0);
  }

  size_t RegionOf(const std::set<double>& numbers) {
    for (const auto& [of, region] : regions_) {
      if (of == &numbers) return region;
    }
    regions_.emplace_back(&numbers, Choose(2 * numbers.size() + 2));
    return regions_.back().second;
  }

  // One of all that it could be, the same wherever it is asked in a world.
  Truth Open(const Condition& test) {
    for (const auto& [before, truth] : tests_) {
      if (IsSame(*before, test)) return truth;
    }
    const size_t chosen = Choose(test.kind == Kind::kPrefix ? 2 : 3);
    const Truth truth = chosen == 2 ? Truth::kUnknown : ToTruth(chosen == 1);
    tests_.emplace_back(&test, truth);
    return truth;
  }

  const Condition& condition_;
  std::map<Value, std::vector<std::string>> constants_;
  Numbers numbers_;
  std::vector<Choice> choices_;
  size_t next_ = 0;
  std::vector<Known> values_;
  std::vector<std::pair<const std::set<double>*, size_t>> regions_;
  std::vector<std::pair<const Condition*, Truth>> tests_;
};

}  // namespace

bool IsSame(const Condition& a, const Condition& b) {
  return a.kind == b.kind && a.of == b.of && a.name == b.name && a.values == b.values &&
         a.number == b.number &&
         std::equal(a.inner.begin(), a.inner.end(), b.inner.begin(), b.inner.end(), IsSame);
}

bool IsAlwaysTrue(const Condition& condition) {
  return Worlds(condition).All([](Truth truth) { return truth == Truth::kTrue; });
}

bool IsNeverTrue(const Condition& condition) {
  return Worlds(condition).All([](Truth truth) { return truth != Truth::kTrue; });
}

bool IsNeverFalse(const Condition& condition) {
  return Worlds(condition).All([](Truth truth) { return truth != Truth::kFalse; });
}

}  // namespace gatehouse::policy
