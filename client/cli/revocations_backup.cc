#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/connection.h"
#include "client/cli/revocations.h"

namespace gatehouse::cli {
namespace {

// A large store takes its time.
constexpr absl::Duration kTimeout = absl::Minutes(10);

struct Arguments {
  std::string name;
};

int Backup(const Arguments& arguments, Options options) {
  if (options.timeout == Options::kTimeout) options.timeout = kTimeout;
  v1::BackupRevocationsRequest request;
  request.set_name(arguments.name);
  const auto reply =
      Connection(options).Call(&v1::AuthorizationService::Stub::BackupRevocations, request);
  if (!reply.has_value()) return kUnknown;
  if (options.output == Output::kJson) {
    const absl::Status written = PrintJson(*reply);
    return written.ok() ? kYes : Fail(written.message());
  }
  std::cout << Coloured(Colour::kGreen, "backed up") << "\n";
  PrintRows({
      {"file", reply->path()},
      {"bytes", absl::StrCat(reply->bytes())},
      {"revision", absl::StrCat(reply->revision())},
      {"store", reply->store_id()},
  });
  return kYes;
}

}  // namespace

void AddBackup(CLI::App& revocations, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = revocations.add_subcommand(
      "backup", "Copy the store, while the server runs, into a file on the server's machine");
  AddText(*command, "--name", arguments->name,
          "The file's name: letters, digits and \"-_.\". Without it: made from the time");
  AddExamples(*command,
              "  gatehouse revocations backup\n"
              "  gatehouse revocations backup --name before-the-move.db\n"
              "\nThe folder is revocations.backups of the server's configuration. The file is put "
              "in the place\nof a lost database with `gatehouse-server --restore FILE`. Waits 10 "
              "minutes unless --timeout\nsays otherwise.\n",
              kCodesOfADeed);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Backup(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
