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
  bool claims = false;
  bool explain = false;
};

int Verify(const Arguments& arguments, const Options& options) {
  absl::StatusOr<std::string> token = ReadToken(arguments.token_file);
  if (!token.ok()) return Fail(token.status().message());
  v1::VerifyRequest request;
  request.set_token(*std::move(token));
  request.set_with_claims(arguments.claims);
  request.set_explain(arguments.explain);
  const auto reply = Connection(options).Call(&v1::AuthorizationService::Stub::Verify, request);
  if (!reply.has_value()) return kUnknown;
  return PrintReply(*reply, reply->decision(), reply->principal(), options.output);
}

}  // namespace

void AddVerify(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      app.add_subcommand("verify", "Ask whether a token is good now, and whose it is");
  AddTokenFile(*command, arguments->token_file);
  command->add_flag("--claims", arguments->claims, "Also show all claims of the token");
  AddExplain(*command, arguments->explain);
  AddExamples(*command,
              "  gatehouse verify --token-file ada.token\n"
              "  gatehouse verify --claims < ada.token\n"
              "  gatehouse verify --explain --caller-token-file admin.token < ada.token\n"
              "  GATEHOUSE_TOKEN=$(cat ada.token) gatehouse verify --output json\n",
              kCodesOfAQuestion);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Verify(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
