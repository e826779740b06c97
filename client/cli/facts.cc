#include "client/cli/facts.h"

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/output.h"

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

absl::StatusOr<std::map<std::string, std::string>> AttributesOf(const ResourceFacts& facts) {
  std::map<std::string, std::string> out;
  for (const std::string& text : facts.attributes) {
    auto [name, value] = SplitFact(text);
    if (name.empty()) {
      return absl::InvalidArgumentError("--attribute must be NAME=VALUE, such as status=open");
    }
    const auto [at, is_new] = out.emplace(std::move(name), std::move(value));
    if (!is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat("--attribute ", Printable(at->first), " is given twice"));
    }
  }
  return out;
}

}  // namespace gatehouse::cli
