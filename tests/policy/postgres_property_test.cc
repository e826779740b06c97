#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "server/policy/policy.h"
#include "server/policy/sql.h"
#include "tests/policy/cases.h"
#include "tests/policy/postgres_fixture.h"
#include "tests/policy/postgres_rows.h"
#include "tests/policy/random_policy.h"

namespace gatehouse::policy {
namespace {

// Changes the SQL of the engine into that of a broken one.
using Breakage = std::function<std::string(const std::string&)>;

struct Counts {
  Tally tally;
  Shares shares;
  int refused = 0;
};

class PolicyPostgresTest : public PostgresFixture {
 protected:
  // Where filter and engine disagree first, or what failed; empty if nowhere.
  std::string FirstDisagreement(const ColumnTypes& types, int policies, const Breakage& breakage,
                                Counts& counts) {
    auto made = RowsInPostgres::Make(*connection_, types);
    if (!made.ok()) return made.status().ToString();
    RowsInPostgres& rows_in = **made;
    RandomPolicies random(3);
    for (int i = 0; i < policies; ++i) {
      const std::vector<Row> rows = rows_in.NextRows(random, 25);
      const Definition definition = rows_in.NextPolicy(random);
      const auto policy = Policy::Compile(definition, {kIssuer, kOtherIssuer});
      if (!policy.ok()) {
        if (absl::StrContains(policy.status().message(), ".table: ")) ++counts.refused;
        continue;
      }
      if (const absl::Status status = rows_in.Fill(rows); !status.ok()) return status.ToString();
      for (int j = 0; j < 10; ++j) {
        const Principal who = rows_in.NextPrincipal(random);
        const std::string action = j % 2 == 0 ? "read" : "write";
        auto sql = ToSql(policy->Filter(who, "task", action), *policy->TableOf("task"),
                         Dialect::kPostgres);
        if (!sql.ok()) return sql.status().ToString();
        sql->text = breakage(sql->text);
        const std::set<std::string> expected = AllowedRows(*policy, who, rows, action);
        const auto selected = rows_in.Select(*sql);
        if (!selected.ok()) return absl::StrCat(selected.status().ToString(), sql->text);
        if (*selected != expected) return absl::StrCat("policy ", i, ": ", sql->text);
        counts.shares.Count(expected.size(), rows.size());
        for (const Row& row : rows) {
          counts.tally.Count(definition, action, expected.count(row.id) > 0);
        }
      }
    }
    return "";
  }
};

TEST_F(PolicyPostgresTest, FilterSelectsExactlyTheRowsThatDecideAllows) {
  Counts counts;
  for (const ColumnTypes& types : AllColumnTypes()) {
    const int before = counts.shares.cases();
    EXPECT_EQ(FirstDisagreement(
                  types, 230, [](const std::string& sql) { return sql; }, counts),
              "")
        << types.name;
    std::printf("%s: %d filters\n", types.name.c_str(), counts.shares.cases() - before);
  }
  std::printf("%d policies refused for their columns\n", counts.refused);
  EXPECT_GE(counts.shares.cases(), 10'000);
  EXPECT_GE(counts.shares.Report("filters over 25 rows"), 0.1);
  EXPECT_GE(counts.tally.Report(), 0.1);
}

TEST_F(PolicyPostgresTest, AnEngineThatIsBrokenOnPurposeIsFound) {
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
      {"empty is a value", 0, {{"NULLIF(", "COALESCE("}}},
      {"a number of any size is compared",
       1,
       {{"9007199254740993 THEN", "9223372036854775807 THEN"}}},
      {"numbers are compared beyond their precision", 2, {{"AS double precision)", "AS numeric)"}}},
      {"a prefix has wildcards", 0, {{"starts_with(", "textlike("}}}};
  for (const Engine& engine : engines) {
    Counts counts;
    const std::string found = FirstDisagreement(
        AllColumnTypes()[engine.columns], 300,
        [&](const std::string& sql) { return absl::StrReplaceAll(sql, engine.instead); }, counts);
    std::printf("%s: found after %d filters: %.60s\n", engine.name, counts.shares.cases(),
                found.c_str());
    EXPECT_TRUE(absl::StartsWith(found, "policy ")) << engine.name << ": " << found;
  }
}

}  // namespace
}  // namespace gatehouse::policy
