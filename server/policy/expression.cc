#include "server/policy/expression.h"

#include <utility>

namespace gatehouse::policy {
namespace {

using Kind = Expression::Kind;

// `decides` makes the whole of it so; `neutral` says nothing.
Expression Join(Kind kind, Truth decides, Truth neutral, std::vector<Expression> inner) {
  std::vector<Expression> left;
  for (Expression& one : inner) {
    if (one.is(decides)) return Constant(decides);
    if (one.is(neutral)) continue;
    if (one.kind == kind) {
      for (Expression& nested : one.inner) left.push_back(std::move(nested));
    } else {
      left.push_back(std::move(one));
    }
  }
  if (left.empty()) return Constant(neutral);
  if (left.size() == 1) return std::move(left.front());
  return {.kind = kind, .inner = std::move(left)};
}

}  // namespace

Expression Constant(Truth truth) { return {.kind = Kind::kConstant, .constant = truth}; }

Expression AllOf(std::vector<Expression> inner) {
  return Join(Kind::kAll, Truth::kFalse, Truth::kTrue, std::move(inner));
}

Expression AnyOf(std::vector<Expression> inner) {
  return Join(Kind::kAny, Truth::kTrue, Truth::kFalse, std::move(inner));
}

Expression NotOf(Expression inner) {
  if (inner.kind == Kind::kConstant) return Constant(Not(inner.constant));
  return {.kind = Kind::kNot, .inner = {std::move(inner)}};
}

Expression IsFalse(Expression inner) {
  if (inner.kind == Kind::kConstant) return Constant(ToTruth(inner.constant == Truth::kFalse));
  return {.kind = Kind::kIsFalse, .inner = {std::move(inner)}};
}

}  // namespace gatehouse::policy
