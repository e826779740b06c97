#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/policy/decision.h"
#include "server/policy/definition.h"
#include "server/policy/expression.h"
#include "server/policy/principal.h"
#include "server/policy/question.h"
#include "server/policy/truth.h"

namespace gatehouse::policy {

// What one rule said, for people.
struct RuleVerdict {
  std::string rule;  // allow[0] role:support
  Truth truth = Truth::kUnknown;
  std::string lacking;  // empty where it is true

  // Whether it speaks for the caller: an allow that is true, a deny that is false.
  bool is_good() const;
};

// What WhyDenied says where a rule of `deny` has fired.
inline constexpr absl::string_view kARuleDenies = "a rule denies it";

struct CompiledAction;

// The rules in force, compiled: a decision allocates nothing and reads no text but
// the request's. Immutable; thread-safe.
class Policy {
 public:
  // No rules were written. With one issuer: the owner of a resource may do
  // everything with it, others nothing. With several, nothing says whose subject
  // an owner is, and nobody may do anything.
  static Policy Default(int issuers);

  // INVALID_ARGUMENT with the first mistake of Check(), if there is one.
  static absl::StatusOr<Policy> Compile(const Definition& policy,
                                        const std::vector<std::string>& issuers);

  ~Policy();
  Policy(Policy&&) noexcept;
  Policy& operator=(Policy&&) noexcept;

  // kOk or kInsufficientPermissions. Empty values equal nothing, not even each
  // other. `question` has passed CheckQuestion.
  Code Decide(const Principal& principal, const Question& question) const;

  // For the log: what was lacking where Decide gave kInsufficientPermissions. In
  // general words.
  absl::string_view WhyDenied(const Principal& principal, const Question& question) const;

  // The rows of resource type `type` on which Decide would say kOk, for a backend
  // that gives every fact of a row: owner, tenant, attributes, relations. Constant
  // true or false where that does not depend on the row; false for an unknown type
  // or action.
  Expression Filter(const Principal& principal, absl::string_view type,
                    absl::string_view action) const;

  // Where things of this type stand in the backend's database; null if the policy does
  // not say.
  const Table* TableOf(absl::string_view type) const;

  // Each rule that Decide looks at, for those who may know.
  std::vector<RuleVerdict> Explain(const Principal& principal, const Question& question) const;

  // The first of them that allows, or that denies, in the words of Explain; empty if none
  // does.
  std::string FirstThatAllows(const Principal& principal, const Question& question) const;
  std::string FirstThatDenies(const Principal& principal, const Question& question) const;

 private:
  struct Compiled;
  explicit Policy(std::unique_ptr<const Compiled> compiled);

  // Null if there are no rules about it.
  const CompiledAction* ActionOf(const Question& question) const;

  std::unique_ptr<const Compiled> compiled_;  // null: nobody may
};

}  // namespace gatehouse::policy
