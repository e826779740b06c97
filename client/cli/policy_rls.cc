#include <algorithm>
#include <iostream>

#include "client/cli/output.h"
#include "client/cli/policy.h"
#include "server/policy/rls.h"

namespace gatehouse::cli {

int PrintPolicyRls(const LoadedPolicy& loaded, std::vector<std::string> types) {
  const policy::Definition& policy = *loaded.config.policy;
  if (types.empty()) {
    for (const policy::Resource& resource : policy.resources) {
      if (resource.table.has_value() && !resource.table->commands.empty()) {
        types.push_back(resource.type);
      }
    }
  }
  if (types.empty()) return Fail("no resource type of the policy has a `table` with `commands`");
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  const auto script = policy::RowLevelSecurity(policy, loaded.issuers, types);
  if (!script.ok()) return Fail(script.status().message());
  std::cout << *script;
  return kYes;
}

}  // namespace gatehouse::cli
