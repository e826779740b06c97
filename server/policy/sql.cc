#include "server/policy/sql.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/base/status_macros.h"

namespace gatehouse::policy {
namespace {

using Kind = Expression::Kind;
using Of = Expression::Of;

// The characters of UTF-8 text, as SQL counts them.
size_t Characters(const std::string& text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

class Writer {
 public:
  Writer(const Table& table, Dialect dialect) : table_(table), dialect_(dialect) {}

  absl::StatusOr<std::string> Write(const Expression& e) {
    switch (e.kind) {
      case Kind::kConstant:
        return Constant(e.constant);
      case Kind::kAll:
        return Join(e.inner, " AND ");
      case Kind::kAny:
        return Join(e.inner, " OR ");
      case Kind::kNot: {
        GH_ASSIGN_OR_RETURN(const std::string inner, Write(e.inner.front()));
        return absl::StrCat("(NOT ", inner, ")");
      }
      case Kind::kIsFalse: {
        GH_ASSIGN_OR_RETURN(const std::string inner, Write(e.inner.front()));
        return absl::StrCat("(", inner, " IS FALSE)");
      }
      case Kind::kRelated:
        return Related(e);
      default:
        return Test(e);
    }
  }

  std::vector<std::variant<std::string, double>> TakeParameters() { return std::move(parameters_); }

 private:
  std::string Constant(Truth truth) const {
    if (truth == Truth::kUnknown) return dialect_ == Dialect::kPostgres ? "NULL::boolean" : "NULL";
    return truth == Truth::kTrue ? "TRUE" : "FALSE";
  }

  absl::StatusOr<std::string> Join(const std::vector<Expression>& inner,
                                   absl::string_view between) {
    std::vector<std::string> parts;
    parts.reserve(inner.size());
    for (const Expression& one : inner) {
      GH_ASSIGN_OR_RETURN(std::string part, Write(one));
      parts.push_back(std::move(part));
    }
    return absl::StrCat("(", absl::StrJoin(parts, between), ")");
  }

  absl::StatusOr<const Column*> Find(const Expression& e) const {
    if (e.of == Of::kOwner && table_.owner.has_value()) return &*table_.owner;
    if (e.of == Of::kTenant && table_.tenant.has_value()) return &*table_.tenant;
    if (const auto it = table_.attributes.find(e.field);
        e.of == Of::kAttribute && it != table_.attributes.end()) {
      return &it->second;
    }
    return absl::FailedPreconditionError(
        absl::StrCat("the policy's table ", table_.name, " has no column for ",
                     e.of == Of::kAttribute ? "the attribute " : "the ", e.field));
  }

  // The column as text that compares byte by byte; NULL where it is empty.
  std::string TextOf(const Column& column) const {
    if (dialect_ == Dialect::kPostgres) {
      return absl::StrCat("NULLIF(CAST(", Qualified(column.name), " AS text) COLLATE \"C\", '')");
    }
    return absl::StrCat("NULLIF(CAST(", Qualified(column.name), " AS TEXT), '') COLLATE BINARY");
  }

  // Within the range that the engine compares in; else NULL.
  std::string NumberOf(const Column& column) const {
    const std::string name = Qualified(column.name);
    return absl::StrCat("CASE WHEN ", name, " BETWEEN -9007199254740992 AND 9007199254740992 THEN ",
                        name, " END");
  }

  std::string Qualified(absl::string_view column) const {
    const size_t dot = table_.name.find('.');
    const absl::string_view table =
        absl::string_view(table_.name).substr(dot == std::string::npos ? 0 : dot + 1);
    return absl::StrCat("\"", table, "\".\"", column, "\"");
  }

  static std::string QuotedTable(const std::string& table) {
    return absl::StrCat("\"", absl::StrJoin(absl::StrSplit(table, '.'), "\".\""), "\"");
  }

  std::string Parameter(std::variant<std::string, double> value) {
    const bool is_text = value.index() == 0;
    parameters_.push_back(std::move(value));
    if (dialect_ == Dialect::kSqlite) return absl::StrCat("?", parameters_.size());
    return absl::StrCat("CAST($", parameters_.size(), is_text ? " AS text)" : " AS numeric)");
  }

  absl::StatusOr<std::string> Test(const Expression& e) {
    GH_ASSIGN_OR_RETURN(const Column* const column, Find(e));
    switch (e.kind) {
      case Kind::kPresent:
        return absl::StrCat("(", TextOf(*column), " IS NOT NULL)");
      case Kind::kEquals:
        return absl::StrCat("(", TextOf(*column), " = ", Parameter(e.values.front()), ")");
      case Kind::kIn: {
        std::vector<std::string> parameters;
        parameters.reserve(e.values.size());
        for (const std::string& value : e.values) parameters.push_back(Parameter(value));
        return absl::StrCat("(", TextOf(*column), " IN (", absl::StrJoin(parameters, ", "), "))");
      }
      case Kind::kPrefix: {
        const std::string& prefix = e.values.front();
        return absl::StrCat("(substr(", TextOf(*column), ", 1, ", Characters(prefix),
                            dialect_ == Dialect::kPostgres ? ")" : ") COLLATE BINARY", " = ",
                            Parameter(prefix), ")");
      }
      default:
        return Number(e, *column);
    }
  }

  absl::StatusOr<std::string> Number(const Expression& e, const Column& column) {
    if (column.type == Column::Type::kText) {
      return absl::FailedPreconditionError(absl::StrCat("the attribute ", e.field,
                                                        " is compared as a number, but its column ",
                                                        column.name, " is text"));
    }
    const absl::string_view sign = e.kind == Kind::kLess      ? " < "
                                   : e.kind == Kind::kAtMost  ? " <= "
                                   : e.kind == Kind::kGreater ? " > "
                                                              : " >= ";
    return absl::StrCat("(", NumberOf(column), sign, Parameter(e.number), ")");
  }

  absl::StatusOr<std::string> Related(const Expression& e) {
    const auto it = table_.relations.find(e.field);
    if (it == table_.relations.end()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the policy's table ", table_.name, " has no join table for the relation ", e.field));
    }
    const JoinTable& join = it->second;
    const bool postgres = dialect_ == Dialect::kPostgres;
    return absl::StrCat("EXISTS (SELECT 1 FROM ", QuotedTable(join.table),
                        " AS gatehouse_r WHERE gatehouse_r.\"", join.resource,
                        "\" = ", Qualified(table_.id), " AND CAST(gatehouse_r.\"", join.subject,
                        postgres ? "\" AS text) COLLATE \"C\" = " : "\" AS TEXT) COLLATE BINARY = ",
                        Parameter(e.values.front()), ")");
  }

  const Table& table_;
  const Dialect dialect_;
  std::vector<std::variant<std::string, double>> parameters_;
};

}  // namespace

absl::StatusOr<Sql> ToSql(const Expression& expression, const Table& table, Dialect dialect) {
  Writer writer(table, dialect);
  Sql out;
  GH_ASSIGN_OR_RETURN(out.text, writer.Write(expression));
  out.parameters = writer.TakeParameters();
  return out;
}

}  // namespace gatehouse::policy
