#include "server/policy/check_table.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::policy {
namespace {

using Kind = Condition::Kind;
using Type = Column::Type;

constexpr absl::string_view kNoName =
    "must be a name of letters, digits and underscores that begins with no digit, 63 at most";

bool ComparesNumbers(Kind kind) {
  return kind == Kind::kLess || kind == Kind::kAtMost || kind == Kind::kGreater ||
         kind == Kind::kAtLeast;
}

bool IsCommand(absl::string_view name) {
  return name == "select" || name == "insert" || name == "update" || name == "delete";
}

class TableChecker {
 public:
  TableChecker(const Resource& resource, const std::string& path)
      : resource_(resource), table_(*resource.table), path_(path + ".table") {}

  std::vector<Finding> Run() {
    CheckTableName(table_.name, path_ + ".name");
    CheckName(table_.id, path_ + ".id");
    if (table_.owner.has_value()) CheckTextColumn(*table_.owner, path_ + ".owner");
    if (table_.tenant.has_value()) CheckTextColumn(*table_.tenant, path_ + ".tenant");
    for (const auto& [name, column] : table_.attributes) {
      CheckName(column.name, absl::StrCat(path_, ".attributes.", log::Escape(name, 64)));
    }
    for (const auto& [name, join] : table_.relations) {
      const std::string inner = absl::StrCat(path_, ".relations.", log::Escape(name, 64));
      CheckTableName(join.table, inner + ".table");
      CheckName(join.resource, inner + ".resource");
      CheckName(join.subject, inner + ".subject");
    }
    for (const auto& [command, action] : table_.commands) CheckCommand(command, action);
    if (resource_.tenancy != Tenancy::kNone && !table_.tenant.has_value()) {
      Need("tenant", "the resource's tenant is looked at");
    }
    for (const Action& action : resource_.actions) {
      for (const Rule& rule : action.allow) CheckRule(rule);
      for (const Rule& rule : action.deny) CheckRule(rule);
    }
    return std::move(out_);
  }

 private:
  void CheckName(const std::string& name, std::string path) {
    if (!IsIdentifier(name)) out_.push_back({std::move(path), std::string(kNoName)});
  }
  // Owners and tenants are only ever compared as text.
  void CheckTextColumn(const Column& column, const std::string& path) {
    CheckName(column.name, path);
    if (column.type == Type::kNumber) {
      out_.push_back({path + ".type", "must be text or integer, since it is compared as text"});
    }
  }
  void CheckTableName(const std::string& name, const std::string& path) {
    const size_t dot = name.find('.');
    if (dot != std::string::npos) CheckName(name.substr(0, dot), path);
    CheckName(dot == std::string::npos ? name : name.substr(dot + 1), path);
  }

  void CheckCommand(const std::string& command, const std::string& action) {
    const std::string path = absl::StrCat(path_, ".commands.", log::Escape(command, 64));
    if (!IsCommand(command)) {
      out_.push_back({path, "must be select, insert, update or delete"});
    }
    const bool is_known = std::any_of(resource_.actions.begin(), resource_.actions.end(),
                                      [&](const Action& one) { return one.name == action; });
    if (!is_known) out_.push_back({path, "must be one of the resource's actions"});
  }

  // Once for each column.
  void Need(absl::string_view column, absl::string_view why) {
    if (needed_.insert(std::string(column)).second) {
      out_.push_back({path_, absl::StrCat("needs ", log::Escape(column, 64), ", since ", why)});
    }
  }

  void CheckRule(const Rule& rule) {
    if (rule.who.kind == Who::Kind::kOwner && !table_.owner.has_value()) {
      Need("owner", "a rule is about the owner");
    }
    if (rule.who.kind == Who::Kind::kRelation && table_.relations.count(rule.who.name) == 0) {
      Need(absl::StrCat("relations.", rule.who.name), "a rule is about this relation");
    }
    for (const Condition& condition : rule.when) CheckCondition(condition);
  }

  void CheckCondition(const Condition& condition) {
    for (const Condition& inner : condition.inner) CheckCondition(inner);
    const bool is_test = condition.inner.empty();
    if (!is_test || condition.of != Condition::Of::kAttribute) return;
    const auto it = table_.attributes.find(condition.name);
    const std::string place = absl::StrCat("attributes.", condition.name);
    if (it == table_.attributes.end()) return Need(place, "a condition tests this attribute");
    const Type type = it->second.type;
    if (ComparesNumbers(condition.kind) && type == Type::kText) {
      Need(place + " of type integer or number", "a condition compares it as a number");
    }
    if (!ComparesNumbers(condition.kind) && condition.kind != Kind::kPresent &&
        type == Type::kNumber) {
      Need(place + " of type text or integer", "a condition compares it as text");
    }
  }

  const Resource& resource_;
  const Table& table_;
  const std::string path_;
  std::set<std::string> needed_;
  std::vector<Finding> out_;
};

}  // namespace

std::vector<Finding> CheckTable(const Resource& resource, const std::string& path) {
  if (!resource.table.has_value()) return {};
  return TableChecker(resource, path).Run();
}

}  // namespace gatehouse::policy
