#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/revocation_text.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string id;
  std::string reason;
};

int Reinstate(const Arguments& arguments, const Options& options) {
  v1::ReinstateRequest request;
  request.set_id(arguments.id);
  request.set_reason(arguments.reason);
  const auto reply = Connection(options).Call(&v1::AuthorizationService::Stub::Reinstate, request);
  if (!reply.has_value()) return kUnknown;
  if (options.output == Output::kJson) {
    if (const absl::Status written = PrintJson(*reply); !written.ok()) {
      return Fail(written.message());
    }
  }
  if (!reply->revocation().has_reinstatement()) {
    return Fail("the answer holds no reinstatement: take it as not done, and ask again");
  }
  if (options.output == Output::kText) {
    std::cout << Coloured(Colour::kGreen, reply->existed() ? "already taken back" : "taken back")
              << "\n";
    PrintRevocation(reply->revocation());
  }
  if (reply->still_revoked()) {
    Note(
        absl::StrCat("still refused by another revocation of the same target: `gatehouse "
                     "revocations --kind ",
                     KindOf(reply->revocation()), "` lists it"));
  }
  return kYes;
}

}  // namespace

void AddReinstate(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      app.add_subcommand("reinstate", "Take a revocation back; what others refuse stays refused");
  AddText(*command, "id", arguments->id, "The revocation's id, as `gatehouse revocations` shows it")
      ->required();
  AddText(*command, "--reason", arguments->reason, "Why, for people; 256 bytes at most");
  AddExamples(*command,
              "  gatehouse reinstate 6f1c0c7f5d2e4b0f9a3b1c2d3e4f5a6b --reason \"phone found\"\n",
              kCodesOfADeed);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Reinstate(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
