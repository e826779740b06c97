#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/base/status_macros.h"
#include "server/policy/policy.h"
#include "server/policy/rls.h"
#include "tests/policy/cases.h"
#include "tests/policy/postgres_fixture.h"
#include "tests/policy/postgres_rows.h"
#include "tests/policy/random_policy.h"

namespace gatehouse::policy {
namespace {

using Ids = std::set<std::string>;
using Breakage = std::function<std::string(const std::string&)>;

std::string JsonText(absl::string_view text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}}), "\"");
}

std::string JsonList(const Principal::Names& names) {
  std::string out;
  for (const absl::string_view name : names) {
    absl::StrAppend(&out, out.empty() ? "" : ",", JsonText(name));
  }
  return absl::StrCat("[", out, "]");
}

// What no rule can compare.
std::string Opaque(absl::string_view subject) {
  const std::string kinds[] = {R"({"sub":"mallory"})", "[]", R"(["x"])",
                               JsonText(std::string(1025, 'x')), R"("o\u0007pen")"};
  return kinds[subject.size() % std::size(kinds)];
}

// As a backend writes it that has it from Gatehouse. Numbers as numbers where a token may
// have them so.
std::string JsonOf(const Principal& who) {
  int64_t number = 0;
  const absl::string_view department = who.Claim("department");
  std::string claims;
  if (who.IsOpaque("department")) {
    claims = absl::StrCat(R"("department":)", Opaque(who.subject), ",");
  } else if (!department.empty()) {
    const bool is_number = absl::SimpleAtoi(department, &number) && department != "01";
    claims = absl::StrCat(R"("department":)",
                          is_number ? std::string(department) : JsonText(department), ",");
  }
  const absl::string_view inner = who.Claim("/a/b");
  absl::StrAppend(&claims, R"("a":{"b":)",
                  who.IsOpaque("/a/b") ? Opaque(who.subject)
                  : inner.empty()      ? "null"
                                       : JsonText(inner),
                  "}");
  return absl::StrCat(
      R"({"issuer":)", JsonText(who.issuer), R"(,"subject":)", JsonText(who.subject),
      R"(,"tenant":)", who.tenant.empty() ? "null" : JsonText(who.tenant), R"(,"roles":)",
      JsonList(who.roles), R"(,"scopes":)", JsonList(who.scopes), R"(,"claims":{)", claims, "}}");
}

struct Counts {
  Shares selected;
  Shares updated;
  Shares deleted;
  int new_rows_refused = 0;
  int new_rows_taken = 0;
};

// What a backend may do whose role is held by row-level security.
class RlsPropertyTest : public PostgresFixture {
 protected:
  // Where the database and the engine disagree first, or what failed; empty if nowhere.
  std::string FirstDisagreement(const ColumnTypes& types, int policies, const Breakage& breakage,
                                Counts& counts) {
    auto made = RowsInPostgres::Make(*connection_, types);
    if (!made.ok()) return made.status().ToString();
    rows_ = *std::move(made);
    absl::Status status = connection_->Run(
        "DROP ROLE IF EXISTS backend; CREATE ROLE backend NOLOGIN;"
        "GRANT ALL ON tasks, task_editor, task_viewer TO backend");
    if (!status.ok()) return status.ToString();
    RandomPolicies random(5);
    for (int i = 0; i < policies; ++i) {
      const std::vector<Row> rows = rows_->NextRows(random, 20);
      const Definition definition = rows_->NextPolicy(random);
      const auto policy = Policy::Compile(definition, {kIssuer, kOtherIssuer});
      if (!policy.ok()) continue;
      const auto script = RowLevelSecurity(definition, {kIssuer, kOtherIssuer}, {"task"});
      if (!script.ok()) return script.status().ToString();
      status = connection_->Run(breakage(*script));
      if (status.ok()) status = rows_->Fill(rows);
      if (!status.ok()) return absl::StrCat(status.ToString(), *script);
      for (int j = 0; j < 10; ++j) {
        const Principal who = rows_->NextPrincipal(random);
        const auto agrees = AgreesAbout(*policy, who, rows, counts);
        if (!agrees.ok()) return absl::StrCat(agrees.status().ToString(), *script);
        if (!*agrees) return absl::StrCat("policy ", i, " for ", JsonOf(who), ":\n", *script);
      }
    }
    return "";
  }

  absl::Status WorkFor(const Principal& who) {
    return connection_->Query("SELECT set_config('gatehouse.principal', $1, true)", {JsonOf(who)})
        .status();
  }

  absl::StatusOr<bool> AgreesAbout(const Policy& policy, const Principal& who,
                                   const std::vector<Row>& rows, Counts& counts) {
    const Ids read = AllowedRows(policy, who, rows, "read");
    const Ids written = AllowedRows(policy, who, rows, "write");
    GH_RETURN_IF_ERROR(Begin(who));
    GH_ASSIGN_OR_RETURN(const Ids selected, rows_->SelectWhere("TRUE"));
    counts.selected.Count(read.size(), rows.size());

    GH_ASSIGN_OR_RETURN(const Ids updated, Touched("UPDATE tasks SET touched = TRUE", "touched"));
    counts.updated.Count(written.size(), rows.size());

    GH_ASSIGN_OR_RETURN(const Ids left, Touched("DELETE FROM tasks", "TRUE"));
    counts.deleted.Count(read.size(), rows.size());
    GH_RETURN_IF_ERROR(connection_->Run("ROLLBACK"));
    if (selected != read || updated != written || left.size() + read.size() != rows.size()) {
      return false;
    }
    for (const std::string& id : left) {
      if (read.count(id) > 0) return false;
    }
    GH_ASSIGN_OR_RETURN(const bool new_owner, AgreesAboutNewOwner(policy, who, rows, counts));
    GH_ASSIGN_OR_RETURN(const bool new_row, AgreesAboutNewRow(policy, who, rows[0], counts));
    return new_owner && new_row;
  }

  // Begins to work for `who`.
  absl::Status Begin(const Principal& who) {
    GH_RETURN_IF_ERROR(connection_->Run("BEGIN; SET LOCAL ROLE backend"));
    return WorkFor(who);
  }

  // What `condition` selects for a superuser after `statement`, of which nothing stays.
  absl::StatusOr<Ids> Touched(const std::string& statement, const std::string& condition) {
    GH_RETURN_IF_ERROR(
        connection_->Run(absl::StrCat("SAVEPOINT before;", statement, "; RESET ROLE")));
    GH_ASSIGN_OR_RETURN(Ids ids, rows_->SelectWhere(condition));
    GH_RETURN_IF_ERROR(connection_->Run("ROLLBACK TO before"));
    return ids;
  }

  // An update that would leave a row which may not be written then fails as a whole.
  absl::StatusOr<bool> AgreesAboutNewOwner(const Policy& policy, const Principal& who,
                                           std::vector<Row> rows, Counts& counts) {
    const Ids written = AllowedRows(policy, who, rows, "write");
    const std::string owner = rows.back().owner;
    for (Row& row : rows) row.owner = owner;
    const Ids then = AllowedRows(policy, who, rows, "write");
    const bool may = std::includes(then.begin(), then.end(), written.begin(), written.end());
    GH_RETURN_IF_ERROR(Begin(who));
    const absl::Status status =
        connection_
            ->Query("UPDATE tasks SET owner_id = $1",
                    {owner.empty() ? std::nullopt : std::optional<std::string>(owner)})
            .status();
    return IsAsExpected(status, may, counts);
  }

  absl::StatusOr<bool> AgreesAboutNewRow(const Policy& policy, const Principal& who, Row row,
                                         Counts& counts) {
    row.id = "1000";
    GH_RETURN_IF_ERROR(connection_->Run("BEGIN"));
    GH_RETURN_IF_ERROR(rows_->Relate({row}));
    GH_RETURN_IF_ERROR(connection_->Run("SET LOCAL ROLE backend"));
    GH_RETURN_IF_ERROR(WorkFor(who));
    return IsAsExpected(rows_->Insert({row}), Ask(policy, who, row, "task", "write") == Code::kOk,
                        counts);
  }

  absl::StatusOr<bool> IsAsExpected(const absl::Status& status, bool may, Counts& counts) {
    GH_RETURN_IF_ERROR(connection_->Run("ROLLBACK"));
    ++(may ? counts.new_rows_taken : counts.new_rows_refused);
    const bool is_refused = absl::StartsWith(status.message(), "42501: ");  // row-level security
    if (!status.ok() && !is_refused) return status;
    return status.ok() == may;
  }

  std::unique_ptr<RowsInPostgres> rows_;
};

TEST_F(RlsPropertyTest, CommandsTouchExactlyTheRowsThatDecideAllows) {
  Counts counts;
  for (const ColumnTypes& types : AllColumnTypes()) {
    EXPECT_EQ(FirstDisagreement(
                  types, 45, [](const std::string& sql) { return sql; }, counts),
              "")
        << types.name;
  }
  EXPECT_GE(counts.selected.cases(), 2'000);
  EXPECT_GE(counts.selected.Report("select"), 0.1);
  EXPECT_GE(counts.updated.Report("update"), 0.1);
  EXPECT_GE(counts.deleted.Report("delete"), 0.1);
  std::printf("new rows: %d refused, %d taken\n", counts.new_rows_refused, counts.new_rows_taken);
  EXPECT_GE(std::min(counts.new_rows_refused, counts.new_rows_taken), counts.selected.cases() / 5);
}

TEST_F(RlsPropertyTest, PoliciesThatAreBrokenOnPurposeAreFound) {
  struct Engine {
    const char* name;
    size_t columns;
    std::map<std::string, std::string> instead;
  };
  const std::vector<Engine> engines = {
      {"text is compared as the column likes", 2, {{" COLLATE \"C\"", ""}}},
      {"ids are compared as the column likes",
       1,
       {{"CAST(gatehouse_r.\"task\" AS text) COLLATE \"C\" = "
         "CAST(\"tasks\".\"id\" AS text) COLLATE \"C\"",
         "gatehouse_r.\"task\" = \"tasks\".\"id\""}}},
      {"NULL is false where it denies", 0, {{" IS FALSE)", " IS NOT TRUE)"}}},
      {"NULL is false under not", 0, {{"(NOT ", "(TRUE IS DISTINCT FROM "}}},
      {"the issuer is not looked at",
       0,
       {{"(SELECT gatehouse.is_from(ARRAY", "(SELECT TRUE OR ('' = ANY (ARRAY"},
        {"]::text[]))\n", "]::text[])))\n"}}},
      {"the tenant is not looked at", 0, {{" = (SELECT gatehouse.tenant())", " IS NOT NULL"}}},
      {"a role has none of those that it includes", 0, {{"'admin', 'support'", "'support'"}}},
      {"new rows are not looked at", 0, {{"WITH CHECK (", "WITH CHECK (TRUE OR "}}},
      {"a claim that cannot be compared is absent",
       0,
       {{"gatehouse.any_claim(VARIADIC path) IS NOT",
         "gatehouse.claim_json(VARIADIC path) IS NOT"}}},
      {"claims are not read", 0, {{"found := found -> name", "found := NULL"}}}};
  for (const Engine& engine : engines) {
    Counts counts;
    const std::string found = FirstDisagreement(
        AllColumnTypes()[engine.columns], 150,
        [&](const std::string& sql) { return absl::StrReplaceAll(sql, engine.instead); }, counts);
    std::printf("%s: found after %d cases: %.60s\n", engine.name, counts.selected.cases(),
                found.substr(0, found.find('\n')).c_str());
    EXPECT_TRUE(absl::StartsWith(found, "policy ")) << engine.name << ": " << found;
  }
}

}  // namespace
}  // namespace gatehouse::policy
