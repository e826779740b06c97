#include <memory>
#include <utility>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/token_input.h"
#include "client/cli/verdict.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string token_file;
  std::string resource;
  std::string owner;
  std::string action;
  std::string tenant;
  std::vector<std::string> relations;
  std::vector<std::string> attributes;
  bool explain = false;
};

// "name=value"; an empty name if it is not that.
std::pair<std::string, std::string> SplitFact(const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return {};
  return {text.substr(0, equals), text.substr(equals + 1)};
}

int Authorize(const Arguments& arguments, const Options& options) {
  absl::StatusOr<std::string> token = ReadToken(arguments.token_file);
  if (!token.ok()) return Fail(token.status().message());
  v1::AuthorizeRequest request;
  request.set_token(*std::move(token));
  request.set_resource(arguments.resource);
  request.set_owner(arguments.owner);
  request.set_action(arguments.action);
  request.set_tenant(arguments.tenant);
  for (const std::string& text : arguments.relations) {
    const auto [name, subject] = SplitFact(text);
    if (name.empty()) return Fail("--relation must be NAME=SUBJECT, such as editor=ada");
    (*request.mutable_relations())[name].add_subjects(subject);
  }
  for (const std::string& text : arguments.attributes) {
    const auto [name, value] = SplitFact(text);
    if (name.empty()) return Fail("--attribute must be NAME=VALUE, such as status=open");
    (*request.mutable_attributes())[name] = value;
  }
  request.set_explain(arguments.explain);
  const auto reply = Connection(options).Call(&v1::AuthorizationService::Stub::Authorize, request);
  if (!reply.has_value()) return kUnknown;
  return PrintReply(*reply, reply->decision(), reply->principal(), options.output);
}

}  // namespace

void AddAuthorize(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      app.add_subcommand("authorize", "Ask whether a token's bearer may do something");
  AddTokenFile(*command, arguments->token_file);
  AddText(*command, "--resource", arguments->resource, "What is to be touched, as type/id")
      ->required();
  AddText(*command, "--owner", arguments->owner, "The subject that owns the resource");
  AddText(*command, "--action", arguments->action, "What is to be done, such as read");
  AddText(*command, "--tenant", arguments->tenant, "The tenant that the resource belongs to");
  AddTexts(*command, "--relation", arguments->relations,
           "NAME=SUBJECT: who stands in which relation to the resource; may be repeated");
  AddTexts(*command, "--attribute", arguments->attributes,
           "NAME=VALUE: what the policy's conditions compare; may be repeated");
  AddExplain(*command, arguments->explain);
  AddExamples(*command,
              "  gatehouse authorize --resource task/7 --owner ada --token-file ada.token\n"
              "  gatehouse authorize --resource task/7 --owner ada --action delete < ada.token\n"
              "  if gatehouse authorize --resource task/7 --owner ada < ada.token; then ...\n",
              kCodesOfAQuestion);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Authorize(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
