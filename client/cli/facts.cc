#include "client/cli/facts.h"

#include "client/cli/arguments.h"

namespace gatehouse::cli {

void AddResourceFacts(CLI::App& subcommand, ResourceFacts& facts,
                      const std::string& tenant_option) {
  AddText(subcommand, "--resource", facts.resource, "What is to be touched, as type/id")
      ->required();
  AddText(subcommand, "--owner", facts.owner, "The subject that owns the resource");
  AddText(subcommand, "--action", facts.action, "What is to be done, such as read");
  AddText(subcommand, tenant_option, facts.tenant, "The tenant that the resource belongs to");
  AddTexts(subcommand, "--relation", facts.relations,
           "NAME=SUBJECT: who stands in which relation to the resource; may be repeated");
  AddTexts(subcommand, "--attribute", facts.attributes,
           "NAME=VALUE: what the policy's conditions compare; may be repeated");
}

std::pair<std::string, std::string> SplitFact(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace gatehouse::cli
