#include <memory>

#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/facts.h"
#include "client/cli/token_input.h"
#include "client/cli/verdict.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string token_file;
  ResourceFacts facts;
  bool explain = false;
};

int Authorize(const Arguments& arguments, const Options& options) {
  absl::StatusOr<std::string> token = ReadToken(arguments.token_file);
  if (!token.ok()) return Fail(token.status().message());
  v1::AuthorizeRequest request;
  request.set_token(*std::move(token));
  const ResourceFacts& facts = arguments.facts;
  request.set_resource(facts.resource);
  request.set_owner(facts.owner);
  request.set_action(facts.action);
  request.set_tenant(facts.tenant);
  for (const std::string& text : facts.relations) {
    const auto [name, subject] = SplitFact(text);
    if (name.empty()) return Fail(kBadRelation);
    (*request.mutable_relations())[name].add_subjects(subject);
  }
  const auto attributes = AttributesOf(facts);
  if (!attributes.ok()) return Fail(attributes.status().message());
  request.mutable_attributes()->insert(attributes->begin(), attributes->end());
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
  AddResourceFacts(*command, arguments->facts, "--tenant,--resource-tenant");
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
