#include "server/policy/policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/policy/check.h"
#include "server/policy/compiled.h"
#include "server/policy/condition.h"
#include "server/policy/residue.h"

namespace gatehouse::policy {
namespace {

bool SameAndSet(absl::string_view a, absl::string_view b) { return !a.empty() && a == b; }

bool TenantFits(Tenancy tenancy, const Principal& principal, const Question& question) {
  switch (tenancy) {
    case Tenancy::kNone:
      return true;
    case Tenancy::kOptional:
      if (question.tenant.empty()) return true;
      break;
    case Tenancy::kRequired:
      break;
  }
  return SameAndSet(question.tenant, principal.tenant);
}

bool IsKnownIssuer(const CompiledResource& resource, const Principal& principal) {
  return resource.issuers.empty() ||
         std::any_of(resource.issuers.begin(), resource.issuers.end(),
                     [&](const std::string& one) { return principal.issuer == one; });
}

std::vector<CompiledRule> CompileRules(const std::vector<Rule>& rules, const CompiledRoles& roles,
                                       bool& needs_roles) {
  std::vector<CompiledRule> out;
  out.reserve(rules.size());
  for (const Rule& rule : rules) {
    CompiledRule compiled{rule.who, 0, rule.when};
    if (rule.who.kind == Who::Kind::kRole) {
      compiled.role = roles.at(rule.who.name).number;
      needs_roles = true;
    }
    out.push_back(std::move(compiled));
  }
  return out;
}

std::string RuleName(absl::string_view list, size_t number, const CompiledRule& rule) {
  return absl::StrCat(list, "[", number, "] ", Describe(rule.who));
}

std::string Lacking(const CompiledRule& rule, const RoleSet& roles, const Principal& principal,
                    const Question& question) {
  const Truth who = Evaluate(rule.who, rule.role, roles, principal, question);
  if (who == Truth::kFalse) return absl::StrCat("not ", Describe(rule.who));
  if (who == Truth::kUnknown) {
    return absl::StrCat(Describe(rule.who), " is unknown: the request does not say it");
  }
  for (const Condition& condition : rule.when) {
    const Truth truth = Evaluate(condition, principal, question);
    if (truth == Truth::kTrue) continue;
    return absl::StrCat(truth == Truth::kFalse ? "it is not so that " : "it is unknown whether ",
                        Describe(condition));
  }
  return "";
}

}  // namespace

struct Policy::Compiled {
  CompiledRoles roles;
  absl::flat_hash_map<std::string, CompiledResource> resources;
  // Without rules: of every type and action.
  bool owner_may_all = false;

  const CompiledResource* Find(const Question& question) const {
    const auto it = resources.find(question.resource.substr(0, question.resource.find('/')));
    return it == resources.end() ? nullptr : &it->second;
  }
  static const CompiledAction* Find(const CompiledResource& resource, const Question& question) {
    const auto it = resource.actions.find(question.action);
    return it == resource.actions.end() ? nullptr : &it->second;
  }
};

Policy::Policy(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}
Policy::~Policy() = default;
Policy::Policy(Policy&&) noexcept = default;
Policy& Policy::operator=(Policy&&) noexcept = default;

Policy Policy::Default(int issuers) {
  if (issuers != 1) return Policy(nullptr);
  auto compiled = std::make_unique<Compiled>();
  compiled->owner_may_all = true;
  return Policy(std::move(compiled));
}

absl::StatusOr<Policy> Policy::Compile(const Definition& policy,
                                       const std::vector<std::string>& issuers) {
  const Findings findings = Check(policy, issuers);
  if (!findings.mistakes.empty()) {
    const Finding& first = findings.mistakes.front();
    return absl::InvalidArgumentError(absl::StrCat(first.path, ": ", first.what));
  }
  auto compiled = std::make_unique<Compiled>();
  compiled->roles = CompileRoles(policy.roles);
  for (const Resource& resource : policy.resources) {
    CompiledResource& out = compiled->resources[resource.type];
    out.issuers = resource.issuers;
    out.tenancy = resource.tenancy;
    out.table = resource.table;
    for (const Action& action : resource.actions) {
      CompiledAction& rules = out.actions[action.name];
      rules.allow = CompileRules(action.allow, compiled->roles, rules.needs_roles);
      rules.deny = CompileRules(action.deny, compiled->roles, rules.needs_roles);
    }
  }
  return Policy(std::move(compiled));
}

bool RuleVerdict::is_good() const {
  return truth == (absl::StartsWith(rule, "deny") ? Truth::kFalse : Truth::kTrue);
}

Code Policy::Decide(const Principal& principal, const Question& question) const {
  constexpr Code kNo = Code::kInsufficientPermissions;
  if (compiled_ == nullptr) return kNo;
  if (compiled_->owner_may_all) {
    return TenantFits(Tenancy::kOptional, principal, question) &&
                   SameAndSet(question.owner, principal.subject)
               ? Code::kOk
               : kNo;
  }
  const CompiledResource* resource = compiled_->Find(question);
  if (resource == nullptr || !IsKnownIssuer(*resource, principal) ||
      !TenantFits(resource->tenancy, principal, question)) {
    return kNo;
  }
  const CompiledAction* action = Compiled::Find(*resource, question);
  if (action == nullptr) return kNo;
  const RoleSet roles = action->needs_roles ? RolesOf(principal, compiled_->roles) : RoleSet();
  const auto says = [&](const CompiledRule& rule) {
    return Evaluate(rule, roles, principal, question);
  };
  const bool denied = std::any_of(action->deny.begin(), action->deny.end(),
                                  [&](const auto& rule) { return says(rule) != Truth::kFalse; });
  if (denied) return kNo;
  const bool allowed = std::any_of(action->allow.begin(), action->allow.end(),
                                   [&](const auto& rule) { return says(rule) == Truth::kTrue; });
  return allowed ? Code::kOk : kNo;
}

absl::string_view Policy::WhyDenied(const Principal& principal, const Question& question) const {
  if (compiled_ == nullptr) return "several issuers: nothing says whose subject an owner is";
  Tenancy tenancy = Tenancy::kOptional;
  const CompiledResource* resource = nullptr;
  if (!compiled_->owner_may_all) {
    resource = compiled_->Find(question);
    if (resource == nullptr) return "the policy has no such resource type";
    if (!IsKnownIssuer(*resource, principal)) {
      return "the issuer is not one whose subjects this resource type knows";
    }
    tenancy = resource->tenancy;
  }
  if (!TenantFits(tenancy, principal, question)) {
    if (question.tenant.empty()) return "the resource has no tenant, and needs one";
    return "the resource's tenant is not the token's";
  }
  if (resource != nullptr) {
    const CompiledAction* action = Compiled::Find(*resource, question);
    if (action == nullptr) return "the policy has no such action for this resource type";
    const RoleSet roles = RolesOf(principal, compiled_->roles);
    for (const CompiledRule& rule : action->deny) {
      if (Evaluate(rule, roles, principal, question) != Truth::kFalse) return kARuleDenies;
    }
    return "no rule allows it";
  }
  if (question.owner.empty()) return "the resource has no owner";
  return "the subject is not the owner";
}

Expression Policy::Filter(const Principal& principal, absl::string_view type,
                          absl::string_view action) const {
  if (compiled_ == nullptr) return Constant(Truth::kFalse);
  if (compiled_->owner_may_all) {
    const CompiledRule owner{{Who::Kind::kOwner}, 0, {}};
    return AllOf({Residue(Tenancy::kOptional, principal), Residue(owner, RoleSet(), principal)});
  }
  const auto resource = compiled_->resources.find(type);
  if (resource == compiled_->resources.end() || !IsKnownIssuer(resource->second, principal)) {
    return Constant(Truth::kFalse);
  }
  const auto found = resource->second.actions.find(action);
  if (found == resource->second.actions.end()) return Constant(Truth::kFalse);
  const RoleSet roles = RolesOf(principal, compiled_->roles);
  std::vector<Expression> all = {Residue(resource->second.tenancy, principal)};
  for (const CompiledRule& rule : found->second.deny) {
    all.push_back(IsFalse(Residue(rule, roles, principal)));
  }
  std::vector<Expression> any;
  any.reserve(found->second.allow.size());
  for (const CompiledRule& rule : found->second.allow) {
    any.push_back(Residue(rule, roles, principal));
  }
  all.push_back(AnyOf(std::move(any)));
  Expression out = AllOf(std::move(all));
  return out.is(Truth::kUnknown) ? Constant(Truth::kFalse) : out;
}

const Table* Policy::TableOf(absl::string_view type) const {
  if (compiled_ == nullptr) return nullptr;
  const auto it = compiled_->resources.find(type);
  return it == compiled_->resources.end() || !it->second.table.has_value() ? nullptr
                                                                           : &*it->second.table;
}

std::vector<RuleVerdict> Policy::Explain(const Principal& principal,
                                         const Question& question) const {
  std::vector<RuleVerdict> out;
  const CompiledAction* const action = ActionOf(question);
  if (action == nullptr) return out;
  const RoleSet roles = RolesOf(principal, compiled_->roles);
  const auto add = [&](absl::string_view list, const std::vector<CompiledRule>& rules) {
    for (size_t i = 0; i < rules.size(); ++i) {
      const Truth truth = Evaluate(rules[i], roles, principal, question);
      out.push_back({RuleName(list, i, rules[i]), truth,
                     truth == Truth::kTrue ? "" : Lacking(rules[i], roles, principal, question)});
    }
  };
  add("deny", action->deny);
  add("allow", action->allow);
  return out;
}

const CompiledAction* Policy::ActionOf(const Question& question) const {
  if (compiled_ == nullptr || compiled_->owner_may_all) return nullptr;
  const CompiledResource* const resource = compiled_->Find(question);
  return resource == nullptr ? nullptr : Compiled::Find(*resource, question);
}

std::string Policy::FirstThatAllows(const Principal& principal, const Question& question) const {
  const CompiledAction* const action = ActionOf(question);
  if (action == nullptr) return "";
  const RoleSet roles = action->needs_roles ? RolesOf(principal, compiled_->roles) : RoleSet();
  for (size_t i = 0; i < action->allow.size(); ++i) {
    const CompiledRule& rule = action->allow[i];
    if (Evaluate(rule, roles, principal, question) == Truth::kTrue) {
      return RuleName("allow", i, rule);
    }
  }
  return "";
}

std::string Policy::FirstThatDenies(const Principal& principal, const Question& question) const {
  const CompiledAction* const action = ActionOf(question);
  if (action == nullptr) return "";
  const RoleSet roles = action->needs_roles ? RolesOf(principal, compiled_->roles) : RoleSet();
  for (size_t i = 0; i < action->deny.size(); ++i) {
    const CompiledRule& rule = action->deny[i];
    if (Evaluate(rule, roles, principal, question) != Truth::kFalse) {
      return RuleName("deny", i, rule);
    }
  }
  return "";
}

}  // namespace gatehouse::policy
