#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/policy/check.h"
#include "server/policy/definition.h"
#include "server/policy/principal.h"
#include "server/policy/question.h"
#include "server/policy/truth.h"

// A policy as it is decided by. Inside of this folder only.
namespace gatehouse::policy {

// A set of roles, a bit each.
class RoleSet {
 public:
  void Add(size_t role) { words_[role / 64] |= uint64_t{1} << (role % 64); }
  bool Has(size_t role) const { return (words_[role / 64] >> (role % 64) & 1) != 0; }
  void Add(const RoleSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

 private:
  std::array<uint64_t, kMaxRoles / 64> words_{};
};

struct CompiledRule {
  Who who;
  size_t role = 0;  // where `who` is one
  std::vector<Condition> when;
};

struct CompiledAction {
  std::vector<CompiledRule> allow;
  std::vector<CompiledRule> deny;
  bool needs_roles = false;
};

struct CompiledResource {
  std::vector<std::string> issuers;
  Tenancy tenancy = Tenancy::kOptional;
  std::optional<Table> table;
  absl::flat_hash_map<std::string, CompiledAction> actions;
};

// The role's number, and all roles that it stands for, itself included.
struct CompiledRole {
  size_t number = 0;
  RoleSet stands_for;
};

using CompiledRoles = absl::flat_hash_map<std::string, CompiledRole>;

// Numbers the roles and follows what they include. `roles` has passed Check().
CompiledRoles CompileRoles(const std::vector<Role>& roles);

// All roles of the token and those that they include.
RoleSet RolesOf(const Principal& principal, const CompiledRoles& roles);

// What a rule says. `roles` is RolesOf(principal) where the rule is about one.
Truth Evaluate(const CompiledRule& rule, const RoleSet& roles, const Principal& principal,
               const Question& question);
Truth Evaluate(const Who& who, size_t role, const RoleSet& roles, const Principal& principal,
               const Question& question);

// "role:support", "owner".
std::string Describe(const Who& who);
// "status is one of open, done". Holds nothing of a token or a request.
std::string Describe(const Condition& condition);

}  // namespace gatehouse::policy
