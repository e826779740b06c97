#include "tests/policy/cases.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace gatehouse::policy {

Code Ask(const Policy& policy, const Principal& who, const Row& row, const std::string& type,
         const std::string& action) {
  const std::string resource = absl::StrCat(type, "/", row.id);
  std::vector<std::pair<absl::string_view, absl::string_view>> attributes;
  for (const auto& [name, value] : row.attributes) attributes.emplace_back(name, value);
  std::vector<std::vector<absl::string_view>> subjects;
  for (const auto& [name, list] : row.relations) subjects.emplace_back(list.begin(), list.end());
  std::vector<Relation> relations;
  for (size_t i = 0; i < subjects.size(); ++i) {
    relations.push_back({row.relations[i].first, subjects[i]});
  }
  return policy.Decide(who, {.resource = resource,
                             .owner = row.owner,
                             .action = action,
                             .tenant = row.tenant,
                             .relations = relations,
                             .attributes = attributes});
}

std::set<std::string> AllowedRows(const Policy& policy, const Principal& who,
                                  const std::vector<Row>& rows, const std::string& action) {
  std::set<std::string> out;
  for (const Row& row : rows) {
    if (Ask(policy, who, row, "task", action) == Code::kOk) out.insert(row.id);
  }
  return out;
}

void Tally::Count(const Definition& policy, const std::string& action, bool allowed) {
  for (const Action& one : policy.resources[0].actions) {
    if (one.name != action) continue;
    for (const Rule& rule : one.allow) Add("allow", rule, allowed);
    for (const Rule& rule : one.deny) Add("deny", rule, allowed);
  }
}

double Tally::Report() const {
  double least = 1;
  for (const auto& [kind, counts] : counts_) {
    const double share = static_cast<double>(counts.second) / (counts.first + counts.second);
    std::printf("%-28s %8d denied %8d allowed (%.0f%%)\n", kind.c_str(), counts.first,
                counts.second, share * 100);
    least = std::min({least, share, 1 - share});
  }
  return least;
}

void Tally::Add(const char* list, const Rule& rule, bool allowed) {
  static const auto* const names =
      new std::map<Who::Kind, const char*>{{Who::Kind::kOwner, "owner"},
                                           {Who::Kind::kRole, "role"},
                                           {Who::Kind::kScope, "scope"},
                                           {Who::Kind::kRelation, "relation"},
                                           {Who::Kind::kAuthenticated, "any"}};
  auto& counts =
      counts_[absl::StrCat(list, " ", names->at(rule.who.kind), rule.when.empty() ? "" : " when")];
  ++(allowed ? counts.second : counts.first);
}

void Shares::Count(size_t allowed, size_t rows) {
  ++(allowed == rows ? all_ : allowed == 0 ? none_ : some_);
}

double Shares::Report(const char* what) const {
  std::printf("%-28s %8d all rows %8d none %8d some\n", what, all_, none_, some_);
  return static_cast<double>(std::min({all_, none_, some_})) / std::max(cases(), 1);
}

}  // namespace gatehouse::policy
