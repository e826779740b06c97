#include <memory>

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
  bool explain = false;
};

int Authorize(const Arguments& arguments, const Options& options) {
  absl::StatusOr<std::string> token = ReadToken(arguments.token_file);
  if (!token.ok()) return Fail(token.status().message());
  v1::AuthorizeRequest request;
  request.set_token(*std::move(token));
  request.set_resource(arguments.resource);
  request.set_owner(arguments.owner);
  request.set_action(arguments.action);
  request.set_tenant(arguments.tenant);
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
