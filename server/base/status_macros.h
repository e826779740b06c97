#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define GH_CONCAT_INNER(a, b) a##b
#define GH_CONCAT(a, b) GH_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` is an absl::Status that is not OK.
#define GH_RETURN_IF_ERROR(expr)                                               \
  do {                                                                         \
    if (absl::Status gh_status_ = (expr); !gh_status_.ok()) return gh_status_; \
  } while (false)

// NOLINTBEGIN(bugprone-macro-parentheses): `lhs` may be a declaration.
// GH_ASSIGN_OR_RETURN(auto x, F()): x is F()'s value, or the function returns its error.
#define GH_ASSIGN_OR_RETURN(lhs, expr) \
  GH_ASSIGN_OR_RETURN_IMPL(GH_CONCAT(gh_or_, __LINE__), lhs, expr)
#define GH_ASSIGN_OR_RETURN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)
// NOLINTEND(bugprone-macro-parentheses)
