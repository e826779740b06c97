#include "tests/policy/random_policy.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace gatehouse::policy {
namespace {

const std::vector<std::string>& Subjects() {
  static const auto* const list = new std::vector<std::string>{"ada", "Ada", "bob", "1", "01", "%"};
  return *list;
}
const std::vector<std::string>& Tenants() {
  static const auto* const list = new std::vector<std::string>{"acme", "evil", "ACME"};
  return *list;
}
const std::vector<std::string>& RoleNames() {
  static const auto* const list =
      new std::vector<std::string>{"admin", "support", "editor", "banned"};
  return *list;
}
const std::vector<std::string>& Statuses() {
  static const auto* const list = new std::vector<std::string>{"open", "Open", "op", "done", "1"};
  return *list;
}
const std::vector<std::string>& Numbers() {
  static const auto* const list = new std::vector<std::string>{
      "-1", "-1", "0", "0", "1", "1", "2", "2", "10", "10", "9007199254740992", "9007199254740993"};
  return *list;
}
// Ids that a database may take for one another, and then others.
std::string IdOf(int number) {
  static const auto* const near =
      new std::vector<std::string>{"a", "A", "1", "01", "1.0", " 1", "2", "02", "b", "B"};
  const auto place = static_cast<size_t>(number);
  if (place < near->size()) return (*near)[place];
  return absl::StrCat(number % 2 == 0 ? "" : "r", number);
}
// What a database may take for something else, or for the same: wildcards, quotes,
// another case or form of Unicode, look-alikes, padding, and a long one.
const std::vector<std::string>& Traps() {
  static const auto* const list =
      new std::vector<std::string>{"a_a",
                                   "a%",
                                   "o'pen",
                                   "op\\en",
                                   "OPEN",
                                   "open ",
                                   "' OR TRUE --",
                                   "\xC3\xA9t\xC3\xA9",    // in one character each
                                   "e\xCC\x81te\xCC\x81",  // with combining accents
                                   "\xC3\x89T\xC3\x89",    // in capitals
                                   "\xD0\xB0"
                                   "da",  // in part Cyrillic
                                   "\xF0\x9F\x94\x91",
                                   "$1",
                                   "NULL",
                                   "7f0c3b1e-94d7-4b0c-8a27-1f2e3d4c5b6a",
                                   "7F0C3B1E-94D7-4B0C-8A27-1F2E3D4C5B6A",
                                   std::string(1000, 'x'),
                                   std::string(1000, 'x') + "y"};
  return *list;
}

}  // namespace

const std::string& RandomPolicies::Text(const std::vector<std::string>& list) {
  return OneOf(OneIn(12) ? Traps() : list);
}

Who RandomPolicies::NextWho(bool is_deny) {
  switch (Below(is_deny ? 4 : 5)) {
    case 0:
      return {Who::Kind::kOwner};
    case 1:
      return {Who::Kind::kRole, OneOf(RoleNames())};
    case 2:
      return {Who::Kind::kScope, OneIn(2) ? "read" : "write"};
    case 3:
      return {Who::Kind::kRelation, OneIn(2) ? "editor" : "viewer"};
    default:
      return {Who::Kind::kAuthenticated};
  }
}

Condition RandomPolicies::NextCondition(int depth) {
  using Kind = Condition::Kind;
  Condition out;
  if (depth < 3 && OneIn(3)) {
    out.kind = std::vector{Kind::kAll, Kind::kAny, Kind::kNot}[static_cast<size_t>(Below(3))];
    const int count = out.kind == Kind::kNot ? 1 : 1 + Below(2);
    for (int i = 0; i < count; ++i) out.inner.push_back(NextCondition(depth + 1));
    return out;
  }
  if (OneIn(3)) {
    out.kind = std::vector{Kind::kLess, Kind::kAtMost, Kind::kGreater,
                           Kind::kAtLeast}[static_cast<size_t>(Below(4))];
    out.name = "level";
    out.number =
        std::vector{-1.0, 0.0, 1.0, 2.0, 0.1, 9007199254740992.0}[static_cast<size_t>(Below(6))];
  } else {
    out.kind = std::vector{Kind::kPresent, Kind::kEquals, Kind::kIn, Kind::kPrefix,
                           Kind::kEqualsClaim}[static_cast<size_t>(Below(5))];
    out.name = OneIn(4) ? "level" : "status";
    if (out.kind == Kind::kIn) {
      out.values = {Text(Statuses()), Text(Statuses())};
    } else if (out.kind == Kind::kEqualsClaim) {
      out.values = {OneIn(2) ? "department" : "/a/b"};
    } else if (out.kind != Kind::kPresent) {
      out.values = {Text(Statuses())};
    }
  }
  if (OneIn(4)) {
    out.of = Condition::Of::kClaim;
    out.name = "department";
  }
  return out;
}

std::vector<Rule> RandomPolicies::NextRules(int count, bool is_deny) {
  std::vector<Rule> out;
  for (int i = 0; i < count; ++i) {
    Rule rule{.who = NextWho(is_deny)};
    while (OneIn(2)) rule.when.push_back(NextCondition(0));
    if (is_deny && rule.who.kind == Who::Kind::kAuthenticated && rule.when.empty()) continue;
    out.push_back(std::move(rule));
  }
  return out;
}

Definition RandomPolicies::NextPolicy() {
  Definition out;
  for (const std::string& role : RoleNames()) out.roles.push_back({.name = role});
  if (OneIn(2)) out.roles[0].includes = {"support"};
  if (OneIn(2)) out.roles[1].includes = {"editor"};
  Resource task{.type = "task",
                .issuers = {kIssuer},
                .tenancy = std::vector{Tenancy::kRequired, Tenancy::kOptional,
                                       Tenancy::kNone}[static_cast<size_t>(Below(3))],
                .actions = {}};
  if (OneIn(8)) task.issuers.emplace_back(kOtherIssuer);
  for (const char* name : {"read", "write"}) {
    task.actions.push_back({.name = name,
                            .allow = NextRules(1 + Below(3), false),
                            .deny = NextRules(OneIn(2) ? 0 : 1, true),
                            .is_public = true});
  }
  out.resources = {std::move(task)};
  return out;
}

Principal RandomPolicies::NextPrincipal() {
  Principal out;
  out.issuer = OneIn(10) ? kOtherIssuer : kIssuer;
  out.subject = Text(Subjects());
  if (!OneIn(4)) out.tenant = Text(Tenants());
  while (OneIn(2)) out.roles.push_back(OneOf(RoleNames()));
  while (OneIn(2)) out.scopes.push_back(OneIn(2) ? "read" : "write");
  if (OneIn(6)) {
    out.opaque_claims.emplace_back("department");
  } else if (!OneIn(3)) {
    out.claims.emplace_back("department", Text(OneIn(2) ? Statuses() : Numbers()));
  }
  if (OneIn(8)) {
    out.opaque_claims.emplace_back("/a/b");
  } else if (OneIn(3)) {
    out.claims.emplace_back("/a/b", Text(Statuses()));
  }
  return out;
}

Row RandomPolicies::NextRow(int number) {
  Row out{.id = IdOf(number)};
  if (!OneIn(5)) out.owner = Text(Subjects());
  if (!OneIn(3)) out.tenant = Text(Tenants());
  out.attributes = {{"status", OneIn(4) ? "" : Text(Statuses())},
                    {"level", OneIn(4) ? "" : OneOf(Numbers())}};
  for (const char* name : {"editor", "viewer"}) {
    std::vector<std::string> subjects;
    while (OneIn(2)) subjects.push_back(Text(Subjects()));
    out.relations.emplace_back(name, std::move(subjects));
  }
  return out;
}

bool IsPlainInteger(const std::string& id) {
  int64_t number = 0;
  return absl::SimpleAtoi(id, &number) && absl::StrCat(number) == id;
}

Table RandomPolicies::TableOfRows() {
  Table table{.name = "tasks", .id = "id"};
  table.owner = Column{"owner_id"};
  table.tenant = Column{"org"};
  table.attributes = {{"status", Column{"status"}},
                      {"level", Column{"level", Column::Type::kInteger}}};
  table.relations = {{"editor", {"task_editor", "task", "member"}},
                     {"viewer", {"task_viewer", "task", "member"}}};
  return table;
}

}  // namespace gatehouse::policy
