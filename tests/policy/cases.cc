#include "tests/policy/cases.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"

namespace gatehouse::policy {

namespace {

// What `asked` returns of the question about `row`.
template <typename Asked>
auto With(const Row& row, const std::string& type, const std::string& action, const Asked& asked) {
  const std::string resource = absl::StrCat(type, "/", row.id);
  std::vector<std::pair<absl::string_view, absl::string_view>> attributes;
  for (const auto& [name, value] : row.attributes) attributes.emplace_back(name, value);
  std::vector<std::vector<absl::string_view>> subjects;
  for (const auto& [name, list] : row.relations) subjects.emplace_back(list.begin(), list.end());
  std::vector<Relation> relations;
  for (size_t i = 0; i < subjects.size(); ++i) {
    relations.push_back({row.relations[i].first, subjects[i]});
  }
  return asked({.resource = resource,
                .owner = row.owner,
                .action = action,
                .tenant = row.tenant,
                .relations = relations,
                .attributes = attributes});
}

const std::vector<std::string>& Whos() {
  static const auto* const all =
      new std::vector<std::string>{"owner", "role", "scope", "relation", "any"};
  return *all;
}

std::string KindOf(const Condition& condition) {
  using Kind = Condition::Kind;
  switch (condition.kind) {
    case Kind::kAll:
      return "all";
    case Kind::kAny:
      return "any";
    case Kind::kNot:
      return "not";
    case Kind::kPresent:
      return "present";
    case Kind::kEquals:
      return "equals";
    case Kind::kIn:
      return "in";
    case Kind::kPrefix:
      return "prefix";
    case Kind::kEqualsClaim:
      return "equals_claim";
    default:
      return "numbers";
  }
}

void AddKinds(const std::vector<Condition>& conditions, std::set<std::string>& kinds) {
  for (const Condition& one : conditions) {
    kinds.insert(KindOf(one));
    AddKinds(one.inner, kinds);
  }
}

// Those that RandomPolicies makes.
std::set<std::string> AllKinds() {
  std::set<std::string> out;
  for (const char* list : {"allow", "deny"}) {
    for (const std::string& who : Whos()) {
      if (absl::string_view(list) == "deny" && who == "any") continue;
      out.insert(absl::StrCat(list, " ", who));
      out.insert(absl::StrCat(list, " ", who, " when"));
    }
    for (const char* kind :
         {"all", "any", "not", "present", "equals", "in", "prefix", "equals_claim", "numbers"}) {
      out.insert(absl::StrCat(list, " condition ", kind));
    }
  }
  return out;
}

}  // namespace

Code Ask(const Policy& policy, const Principal& who, const Row& row, const std::string& type,
         const std::string& action) {
  return With(row, type, action,
              [&](const Question& question) { return policy.Decide(who, question); });
}

Told AskAll(const Policy& policy, const Principal& who, const Row& row, const std::string& action) {
  return With(row, "task", action, [&](const Question& question) {
    return Told{policy.Decide(who, question) == Code::kOk,
                std::string(policy.WhyDenied(who, question)), policy.Explain(who, question)};
  });
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
  for (const std::string& kind : AllKinds()) {
    if (counts_.count(kind) > 0) continue;
    std::printf("%-28s never\n", kind.c_str());
    least = 0;
  }
  for (const auto& [kind, counts] : counts_) {
    const double share = static_cast<double>(counts.second) / (counts.first + counts.second);
    std::printf("%-28s %8d denied %8d allowed (%.0f%%)\n", kind.c_str(), counts.first,
                counts.second, share * 100);
    least = std::min({least, share, 1 - share});
  }
  return least;
}

void Tally::Add(const char* list, const Rule& rule, bool allowed) {
  const std::string& who = Whos()[static_cast<size_t>(rule.who.kind)];
  Add(absl::StrCat(list, " ", who, rule.when.empty() ? "" : " when"), allowed);
  std::set<std::string> kinds;
  AddKinds(rule.when, kinds);
  for (const std::string& kind : kinds) Add(absl::StrCat(list, " condition ", kind), allowed);
}

void Tally::Add(const std::string& kind, bool allowed) {
  auto& counts = counts_[kind];
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
