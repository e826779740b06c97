#pragma once

#include <algorithm>

namespace gatehouse::policy {

// Three-valued logic, as in SQL. In this order: and is the lesser, or the greater.
enum class Truth { kFalse, kUnknown, kTrue };

constexpr Truth ToTruth(bool value) { return value ? Truth::kTrue : Truth::kFalse; }
constexpr Truth And(Truth a, Truth b) { return std::min(a, b); }
constexpr Truth Or(Truth a, Truth b) { return std::max(a, b); }
constexpr Truth Not(Truth a) {
  if (a == Truth::kUnknown) return a;
  return a == Truth::kTrue ? Truth::kFalse : Truth::kTrue;
}

}  // namespace gatehouse::policy
