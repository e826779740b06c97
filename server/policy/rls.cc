#include "server/policy/rls.h"

#include <algorithm>
#include <array>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/policy/claims_of.h"
#include "server/policy/rls_functions.h"
#include "server/policy/rls_rule.h"
#include "server/policy/sql_column.h"

namespace gatehouse::policy {
namespace {

constexpr absl::string_view kHeader =
    R"(-- Row-level security, written by `gatehouse policy rls`. Run it as the owner of the
-- tables, in one transaction, and again after each change of the policy:
--   psql -v ON_ERROR_STOP=1 --single-transaction -f FILE
--
-- The backend says in each transaction for whom it works, from the principal that
-- Gatehouse gave it:
--   SELECT set_config('gatehouse.principal', $1, true)
-- where $1 is the JSON text
--   {"issuer": "", "subject": "", "tenant": "", "roles": [], "scopes": [], "claims": {}}
-- or protobuf's JSON of what Verify said of it. Issuer and subject must be there; without
-- a tenant, roles or scopes there are none of them. "claims" are the token's, as an object
-- or as its text, which Verify gives on request (with_claims); where rules test claims,
-- without any there is no row. What is malformed selects no row.
--
-- What this does not hold:
-- * Superusers and roles with BYPASSRLS pass: the backend must be neither.
-- * The setting is believed. The backend must be the only one that can make it: whoever
--   can run SQL of their own, through an injection too, can name any principal.
-- * Another permissive policy on the same table lets in more. TRUNCATE and foreign keys
--   are not held, a view is read with the rights of its owner, and a partition that is
--   named by itself is not held by its parent's policies.
-- * Columns of type char(n) lose their trailing blanks, and real is not the decimal that a
--   client reads: use text, and numeric or double precision.
-- * Join tables are read with the backend's rights: it needs SELECT on them, and
--   whoever may write to them can give rights.
-- * UPDATE and DELETE with a WHERE or RETURNING see only what SELECT allows too.
)";

struct Command {
  absl::string_view name;
  bool using_rows;  // that are there
  bool checks_new;
};
constexpr std::array<Command, 4> kCommands = {{{"select", true, false},
                                               {"insert", false, true},
                                               {"update", true, true},
                                               {"delete", true, false}}};

std::string UpperCase(absl::string_view name) {
  std::string out(name);
  for (char& c : out) c = static_cast<char>(c - 'a' + 'A');
  return out;
}

const Resource* Find(const Definition& policy, const std::string& type) {
  const auto it = std::find_if(policy.resources.begin(), policy.resources.end(),
                               [&](const Resource& one) { return one.type == type; });
  return it == policy.resources.end() ? nullptr : &*it;
}

const Action* Find(const Resource& resource, const std::string& action) {
  const auto it = std::find_if(resource.actions.begin(), resource.actions.end(),
                               [&](const Action& one) { return one.name == action; });
  return it == resource.actions.end() ? nullptr : &*it;
}

// Empty if row-level security can be written.
absl::string_view WhatIsMissing(const Resource* resource) {
  if (resource == nullptr) return "the policy has no such resource type";
  if (!resource->table.has_value()) return "needs `table`, which says where its rows stand";
  if (resource->table->commands.empty()) {
    return "needs `table.commands`, which says for select, insert, update and delete which "
           "action a row must be allowed for";
  }
  return "";
}

// "tasks" is "public.tasks" or another one's, as the search path says.
bool MayBeTheSame(absl::string_view a, absl::string_view b) {
  const auto is_qualified = [](absl::string_view name) { return absl::StrContains(name, '.'); };
  const auto last = [](absl::string_view name) { return name.substr(name.rfind('.') + 1); };
  return a == b || (is_qualified(a) != is_qualified(b) && last(a) == last(b));
}

absl::Status CheckTypes(const Definition& policy, const std::vector<std::string>& types) {
  std::vector<std::string> wrong;
  std::set<std::string> tables;
  for (const std::string& type : types) {
    const Resource* const resource = Find(policy, type);
    absl::string_view what = WhatIsMissing(resource);
    if (what.empty() && std::any_of(tables.begin(), tables.end(), [&](const std::string& table) {
          return MayBeTheSame(table, resource->table->name);
        })) {
      what = "has the same table as another type, so that one's policies would replace the other's";
    }
    if (what.empty()) {
      tables.insert(resource->table->name);
      continue;
    }
    wrong.push_back(absl::StrCat("policy.resources.", log::Escape(type, 64), ": ", what));
  }
  return wrong.empty() ? absl::OkStatus()
                       : absl::FailedPreconditionError(absl::StrJoin(wrong, "\n"));
}

absl::StatusOr<std::string> PolicyOf(const Resource& resource, const Command& command,
                                     const Action& action, const std::vector<std::string>& issuers,
                                     const CompiledRoles& roles) {
  GH_ASSIGN_OR_RETURN(const std::string condition, RlsCondition(resource, action, issuers, roles));
  const std::string body = absl::StrCat(" (\n    ", condition, ")");
  return absl::StrCat("CREATE POLICY gatehouse_", command.name, " ON ",
                      QuotedTable(resource.table->name), " FOR ", UpperCase(command.name),
                      command.using_rows ? absl::StrCat("\n  USING", body) : "",
                      command.checks_new ? absl::StrCat("\n  WITH CHECK", body) : "", ";\n");
}

absl::StatusOr<std::string> PoliciesOf(const Resource& resource,
                                       const std::vector<std::string>& issuers,
                                       const CompiledRoles& roles) {
  const Table& table = *resource.table;
  const std::string name = QuotedTable(table.name);
  std::string out = "\n";
  const std::vector<std::string> indexes = SqlColumns(table, Dialect::kPostgres).Indexes();
  if (!indexes.empty()) out += "-- An index on the plain column does not serve these policies:\n";
  for (const std::string& index : indexes) {
    absl::StrAppend(&out, "--   CREATE INDEX ON ", index, ";\n");
  }
  absl::StrAppend(&out, "ALTER TABLE ", name, " ENABLE ROW LEVEL SECURITY;\nALTER TABLE ", name,
                  " FORCE ROW LEVEL SECURITY;\n");
  for (const Command& command : kCommands) {
    absl::StrAppend(&out, "DROP POLICY IF EXISTS gatehouse_", command.name, " ON ", name, ";\n");
  }
  for (const Command& command : kCommands) {
    const auto it = table.commands.find(std::string(command.name));
    if (it == table.commands.end()) continue;
    const Action* const action = Find(resource, it->second);
    if (action == nullptr) {
      return absl::FailedPreconditionError("a command's action is none of the resource's");
    }
    GH_ASSIGN_OR_RETURN(const std::string policy,
                        PolicyOf(resource, command, *action, issuers, roles));
    absl::StrAppend(&out, "-- ", log::Escape(resource.type, 256), ": ",
                    log::Escape(action->name, 256), "\n", policy);
  }
  return out;
}

}  // namespace

absl::StatusOr<std::string> RowLevelSecurity(const Definition& policy,
                                             const std::vector<std::string>& issuers,
                                             const std::vector<std::string>& types) {
  GH_RETURN_IF_ERROR(CheckTypes(policy, types));

  const CompiledRoles roles = CompileRoles(policy.roles);
  std::string out(kHeader);
  if (const std::vector<std::string> claims = ClaimsOf(policy); !claims.empty()) {
    absl::StrAppend(&out, "-- Claims that the policy tests, so that claims must be given: ",
                    log::Escape(absl::StrJoin(claims, ", "), 4096), "\n");
  }
  absl::StrAppend(&out, "\n", RlsFunctions());
  for (const std::string& type : types) {
    const Resource& resource = *Find(policy, type);
    GH_ASSIGN_OR_RETURN(
        const std::string policies,
        PoliciesOf(resource, resource.issuers.empty() ? issuers : resource.issuers, roles));
    out += policies;
  }
  return out;
}

}  // namespace gatehouse::policy
