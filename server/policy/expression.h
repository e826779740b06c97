#pragma once

#include <string>
#include <vector>

#include "server/policy/truth.h"

namespace gatehouse::policy {

// What is left of the rules when the token is known and the rows are not: a
// condition on a row, three-valued as SQL's. A row is selected where it is true.
struct Expression {
  enum class Kind {
    kConstant,  // `constant`
    kAll,       // every one of `inner`
    kAny,       // one of `inner`
    kNot,       // of inner[0]
    kIsFalse,   // inner[0] is false: neither true nor unknown; never unknown itself
    kPresent,   // `field` is neither NULL nor empty; never unknown itself
    kEquals,    // `field` is values[0]; these are unknown where it is NULL or empty
    kIn,        // `field` is one of `values`
    kPrefix,    // `field` begins with values[0]
    kLess,      // `field` is a number below `number`; and so on
    kAtMost,
    kGreater,
    kAtLeast,
    kRelated,  // values[0] is among the subjects of the relation `field`
  };
  // Which name space `field` is of: an attribute may be called "owner".
  enum class Of { kOwner, kTenant, kAttribute, kRelation };

  Kind kind = Kind::kConstant;
  Truth constant = Truth::kFalse;
  Of of = Of::kAttribute;
  std::string field = {};
  std::vector<std::string> values = {};
  double number = 0;
  std::vector<Expression> inner = {};

  bool is(Truth truth) const { return kind == Kind::kConstant && constant == truth; }
};

// Makes expressions and leaves out what decides nothing.
Expression Constant(Truth truth);
Expression AllOf(std::vector<Expression> inner);
Expression AnyOf(std::vector<Expression> inner);
Expression NotOf(Expression inner);
Expression IsFalse(Expression inner);

}  // namespace gatehouse::policy
