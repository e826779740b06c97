#include "server/policy/sql_column.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/status_macros.h"

namespace gatehouse::policy {
namespace {

absl::Status NoColumn(const Table& table, absl::string_view fact) {
  return absl::FailedPreconditionError(
      absl::StrCat("the policy's table ", table.name, " has no column for the ", fact));
}

}  // namespace

absl::StatusOr<std::string> SqlColumns::Owner() const {
  if (!table_.owner.has_value()) return NoColumn(table_, "owner");
  return TextOf(*table_.owner);
}

absl::StatusOr<std::string> SqlColumns::Tenant() const {
  if (!table_.tenant.has_value()) return NoColumn(table_, "tenant");
  return TextOf(*table_.tenant);
}

absl::StatusOr<std::string> SqlColumns::Text(const std::string& attribute) const {
  GH_ASSIGN_OR_RETURN(const Column* const column, Find(attribute));
  return TextOf(*column);
}

absl::StatusOr<std::string> SqlColumns::Number(const std::string& attribute) const {
  GH_ASSIGN_OR_RETURN(const Column* const column, Find(attribute));
  if (column->type == Column::Type::kText) {
    return absl::FailedPreconditionError(absl::StrCat("the attribute ", attribute,
                                                      " is compared as a number, but its column ",
                                                      column->name, " is text"));
  }
  const std::string name = Qualified(column->name);
  // 2^53 + 1 is the last that the engine rounds to 2^53.
  const std::string range =
      absl::StrCat("CASE WHEN ", name, " BETWEEN -9007199254740993 AND 9007199254740993");
  if (dialect_ == Dialect::kSqlite)
    return absl::StrCat(range, " THEN CAST(", name, " AS REAL) END");
  // Of the type numeric, what would be rounded to zero fails to convert, and the whole
  // query with it.
  const std::string tiny =
      absl::StrCat(" AND (", name, " = 0 OR ", name, " >= 2.48e-324 OR ", name, " <= -2.48e-324)");
  return absl::StrCat(range, column->type == Column::Type::kNumber ? tiny : "", " THEN CAST(", name,
                      " AS double precision) END");
}

absl::StatusOr<std::string> SqlColumns::Related(const std::string& relation,
                                                absl::string_view subject) const {
  const auto it = table_.relations.find(relation);
  if (it == table_.relations.end()) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the policy's table ", table_.name, " has no join table for the relation ", relation));
  }
  const JoinTable& join = it->second;
  // Must not hide the table's own name.
  const absl::string_view alias =
      UnqualifiedTable() == "gatehouse_r" ? "gatehouse_s" : "gatehouse_r";
  const auto joined = [&](const std::string& column) {
    return Bytes(absl::StrCat(alias, ".\"", column, "\""));
  };
  return absl::StrCat("EXISTS (SELECT 1 FROM ", QuotedTable(join.table), " AS ", alias, " WHERE ",
                      joined(join.resource), " = ", Bytes(Qualified(table_.id)), " AND ",
                      joined(join.subject), " = ", subject, ")");
}

std::vector<std::string> SqlColumns::Indexes() const {
  const auto quoted = [](const std::string& column) { return absl::StrCat("\"", column, "\""); };
  std::vector<std::string> out;
  out.reserve(table_.relations.size() + 2);
  for (const auto& column : {table_.tenant, table_.owner}) {
    if (!column.has_value()) continue;
    out.push_back(
        absl::StrCat(QuotedTable(table_.name), " ((", NotEmpty(quoted(column->name)), "))"));
  }
  for (const auto& [name, join] : table_.relations) {
    std::string one = absl::StrCat(QuotedTable(join.table), " ((", Bytes(quoted(join.subject)),
                                   "), (", Bytes(quoted(join.resource)), "))");
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(std::move(one));
  }
  return out;
}

std::string SqlColumns::BeginsWith(absl::string_view text, absl::string_view prefix,
                                   size_t characters) const {
  if (dialect_ == Dialect::kPostgres) return absl::StrCat("starts_with(", text, ", ", prefix, ")");
  return absl::StrCat("(substr(", text, ", 1, ", characters, ") COLLATE BINARY = ", prefix, ")");
}

absl::StatusOr<const Column*> SqlColumns::Find(const std::string& attribute) const {
  const auto it = table_.attributes.find(attribute);
  if (it == table_.attributes.end()) {
    return NoColumn(table_, absl::StrCat("attribute ", attribute));
  }
  return &it->second;
}

std::string SqlColumns::TextOf(const Column& column) const {
  return NotEmpty(Qualified(column.name));
}

std::string SqlColumns::NotEmpty(const std::string& column) const {
  if (dialect_ == Dialect::kPostgres) return absl::StrCat("NULLIF(", Bytes(column), ", '')");
  return absl::StrCat("NULLIF(CAST(", column, " AS TEXT), '') COLLATE BINARY");
}

std::string SqlColumns::Bytes(const std::string& column) const {
  return dialect_ == Dialect::kPostgres ? absl::StrCat("CAST(", column, " AS text) COLLATE \"C\"")
                                        : absl::StrCat("CAST(", column, " AS TEXT) COLLATE BINARY");
}

std::string SqlColumns::Qualified(absl::string_view column) const {
  return absl::StrCat("\"", UnqualifiedTable(), "\".\"", column, "\"");
}

absl::string_view SqlColumns::UnqualifiedTable() const {
  const size_t dot = table_.name.find('.');
  return absl::string_view(table_.name).substr(dot == std::string::npos ? 0 : dot + 1);
}

std::string QuotedTable(const std::string& table) {
  return absl::StrCat("\"", absl::StrJoin(absl::StrSplit(table, '.'), "\".\""), "\"");
}

}  // namespace gatehouse::policy
