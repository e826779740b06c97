#include "server/policy/check_conditions.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "server/policy/truth.h"

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;
using Value = std::pair<Condition::Of, std::string>;

// Of one condition.
constexpr size_t kMaxWorlds = 1024;

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

// Everything that a condition may be asked about, world by world: each value is absent,
// one of the texts that it is compared with, any other, or, of a claim, there and not to be
// compared; and whatever that leaves open
// is true in one world and false in another. So there are more worlds than there can be,
// never fewer.
class Worlds {
 public:
  explicit Worlds(const Condition& condition) : condition_(condition) {
    Constants constants;
    AddConstants(condition, constants);
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
    const size_t states = value.first == Condition::Of::kClaim ? 3 : 2;
    values_.push_back({&constants, Choose(constants.size() + states)});
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
    if (test.kind == Kind::kPrefix && !known.is_other() && !test.values.empty()) {
      return ToTruth(absl::StartsWith(known.text(), test.values.front()));
    }
    return Open(test);
  }

  // One of all that it could be, the same wherever it is asked in a world.
  Truth Open(const Condition& test) {
    for (const auto& [before, truth] : tests_) {
      if (IsSame(*before, test)) return truth;
    }
    const bool is_text = test.kind == Kind::kPrefix;
    const size_t chosen = Choose(is_text ? 2 : 3);
    const Truth truth = chosen == 2 ? Truth::kUnknown : ToTruth(chosen == 1);
    tests_.emplace_back(&test, truth);
    return truth;
  }

  const Condition& condition_;
  std::map<Value, std::vector<std::string>> constants_;
  std::vector<Choice> choices_;
  size_t next_ = 0;
  std::vector<Known> values_;
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
