#include "server/policy/sql.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/status_macros.h"
#include "server/policy/sql_column.h"

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
  Writer(const Table& table, Dialect dialect) : columns_(table, dialect), dialect_(dialect) {}

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
        return columns_.Related(e.field, Parameter(e.values.front()));
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

  std::string Parameter(std::variant<std::string, double> value) {
    const bool is_text = value.index() == 0;
    parameters_.push_back(std::move(value));
    if (dialect_ == Dialect::kSqlite) return absl::StrCat("?", parameters_.size());
    // Without rounding: a number that is cast to numeric keeps 15 digits.
    return absl::StrCat("CAST($", parameters_.size(),
                        is_text ? " AS text)" : " AS double precision)");
  }

  absl::StatusOr<std::string> TextOf(const Expression& e) const {
    if (e.of == Of::kOwner) return columns_.Owner();
    if (e.of == Of::kTenant) return columns_.Tenant();
    return columns_.Text(e.field);
  }

  absl::StatusOr<std::string> Test(const Expression& e) {
    switch (e.kind) {
      case Kind::kLess:
        return Number(e, " < ");
      case Kind::kAtMost:
        return Number(e, " <= ");
      case Kind::kGreater:
        return Number(e, " > ");
      case Kind::kAtLeast:
        return Number(e, " >= ");
      default:
        break;
    }
    GH_ASSIGN_OR_RETURN(const std::string text, TextOf(e));
    if (e.kind == Kind::kPresent) return absl::StrCat("(", text, " IS NOT NULL)");
    if (e.kind == Kind::kPrefix) {
      const std::string& prefix = e.values.front();
      return columns_.BeginsWith(text, Parameter(prefix), Characters(prefix));
    }
    std::vector<std::string> parameters;
    parameters.reserve(e.values.size());
    for (const std::string& value : e.values) parameters.push_back(Parameter(value));
    if (e.kind == Kind::kEquals) return absl::StrCat("(", text, " = ", parameters.front(), ")");
    return absl::StrCat("(", text, " IN (", absl::StrJoin(parameters, ", "), "))");
  }

  absl::StatusOr<std::string> Number(const Expression& e, absl::string_view sign) {
    GH_ASSIGN_OR_RETURN(const std::string number, columns_.Number(e.field));
    return absl::StrCat("(", number, sign, Parameter(e.number), ")");
  }

  const SqlColumns columns_;
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
