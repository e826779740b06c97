#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gatehouse/question.h"

namespace gatehouse::client {

enum class Method { kVerify, kAuthorize, kBatchAuthorize, kFilter, kRevoke, kReinstate };
constexpr size_t kMethods = 6;
// As in the service's description.
const char* MethodName(Method method);

// A whole question, as it is looked up. Points into what its maker holds.
struct QuestionView {
  Method method;
  std::string_view token;
  // None for Verify. A filter's is its resource type and action.
  const Check* checks;
  size_t count;
};

// The same, held.
struct Question {
  explicit Question(const QuestionView& view)
      : method(view.method), token(view.token), checks(view.checks, view.checks + view.count) {}

  QuestionView view() const { return {method, token, checks.data(), checks.size()}; }

  const Method method;
  const std::string token;
  const std::vector<Check> checks;
};

// Seeded anew in each process, so that nobody can choose questions that collide.
uint64_t HashOf(const QuestionView& question);
// In every byte.
bool Same(const QuestionView& a, const QuestionView& b);
// The same with one that Flatten wrote, in one run of bytes: to compare with it touches no
// more memory than that.
std::string Flatten(const QuestionView& question);
bool SameAsFlat(const QuestionView& question, const char* flat);

}  // namespace gatehouse::client
