#include "client/cli/policy_test_warnings.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/base/suggestion.h"

namespace gatehouse::cli {
namespace {

using Names = std::set<std::string>;

// What the rules of one resource type look at.
struct Facts {
  Names relations;
  Names attributes;
};

void Add(const policy::Condition& condition, Facts& facts) {
  for (const policy::Condition& inner : condition.inner) Add(inner, facts);
  if (condition.inner.empty() && condition.of == policy::Condition::Of::kAttribute) {
    facts.attributes.insert(condition.name);
  }
}

void Add(const std::vector<policy::Rule>& rules, Facts& facts) {
  for (const policy::Rule& rule : rules) {
    if (rule.who.kind == policy::Who::Kind::kRelation) facts.relations.insert(rule.who.name);
    for (const policy::Condition& condition : rule.when) Add(condition, facts);
  }
}

// Takes notes of the names that are not among those that are known.
class Notes {
 public:
  void Look(absl::string_view field, const std::string& name, const Names& known,
            absl::string_view what) {
    if (known.count(name) > 0) return;
    const std::string meant = Nearest(name, {known.begin(), known.end()});
    out_.push_back(absl::StrCat(field, ": ", what, " \"", name, "\"",
                                meant.empty() ? "" : absl::StrCat("; did you mean ", meant, "?")));
  }
  std::vector<std::string> Take() { return std::move(out_); }

 private:
  std::vector<std::string> out_;
};

void LookAtRoles(const policy::Definition& policy, const config::PolicyUser& who, Notes& notes) {
  Names known;
  for (const policy::Role& role : policy.roles) {
    known.insert(role.name);
    known.insert(role.includes.begin(), role.includes.end());
  }
  for (const std::string& role : who.roles) {
    notes.Look("who.roles", role, known, "the policy has no role");
  }
}

void LookAtResource(const policy::Resource& resource, const config::PolicyTest& test,
                    Notes& notes) {
  Names actions;
  Facts facts;
  for (const policy::Action& action : resource.actions) {
    actions.insert(action.name);
    Add(action.allow, facts);
    Add(action.deny, facts);
  }
  notes.Look("action", test.action, actions, absl::StrCat(resource.type, " has no action"));
  for (const auto& [name, subjects] : test.relations) {
    notes.Look("relations", name, facts.relations,
               absl::StrCat("no rule of ", resource.type, " names the relation"));
  }
  for (const auto& [name, value] : test.attributes) {
    notes.Look("attributes", name, facts.attributes,
               absl::StrCat("no rule of ", resource.type, " tests the attribute"));
  }
}

}  // namespace

std::vector<std::string> UnknownNames(const policy::Definition& policy,
                                      const config::PolicyTest& test) {
  Notes notes;
  LookAtRoles(policy, test.who, notes);
  const std::string type = test.resource.substr(0, test.resource.find('/'));
  Names types;
  for (const policy::Resource& resource : policy.resources) {
    types.insert(resource.type);
    if (resource.type == type) LookAtResource(resource, test, notes);
  }
  notes.Look("resource", type, types, "the policy has no resource type");
  return notes.Take();
}

}  // namespace gatehouse::cli
