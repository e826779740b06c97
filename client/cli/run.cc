#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/output.h"
#include "server/version.h"

namespace gatehouse::cli {
namespace {

// "gatehouse revoke token" of what was parsed so far.
std::string NameOfParsed(const CLI::App& app) {
  std::string name = app.get_name();
  const std::vector<const CLI::App*> parsed = app.get_subcommands(nullptr);
  for (const CLI::App* subcommand : parsed) {
    if (subcommand->parsed()) return absl::StrCat(name, " ", NameOfParsed(*subcommand));
  }
  return name;
}

int FailUsage(const CLI::App& app, absl::string_view message) {
  return Fail(
      absl::StrCat(Printable(WithoutTokens(message)), "\nSee `", NameOfParsed(app), " --help`."));
}

std::string ExplainRequired(const CLI::App& app, const CLI::RequiredError& error) {
  if (absl::string_view(error.what()) != "A subcommand is required") return error.what();
  std::string message = "a command is needed";
  for (const std::string& word : app.remaining(/*recurse=*/true)) {
    if (IsPlainWord(word)) message = absl::StrCat("there is no command ", word);
  }
  return message;
}

void Describe(CLI::App& app) {
  app.name("gatehouse");
  app.set_version_flag("--version", std::string("gatehouse ") + kVersion);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  gatehouse verify --token-file ada.token\n"
      "  gatehouse authorize --resource task/7 --owner ada < ada.token\n"
      "  gatehouse revoke token --reason stolen < ada.token\n"
      "  gatehouse authorize --help\n"
      "\n"
      "Exit codes: 0 allowed or done, 1 denied, 2 could not tell, failed or wrong usage.\n");
}

}  // namespace

int Run(int argc, const char* const* argv) {
  CLI::App app("Asks a Gatehouse server who a token is, what it may do, and revokes it.");
  Options options;
  Action action;
  Describe(app);
  AddGlobalOptions(app, options);
  AddVerify(app, action);
  AddAuthorize(app, action);
  AddRevoke(app, action);
  AddReinstate(app, action);
  AddRevocations(app, action);
  AddPolicy(app, action);
  AddDevToken(app, action);
  AddToken(app, action);
  AddLintEnvoy(app, action);
  AddRoute(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ExtrasError&) {
    return FailUsage(app, ExplainExtras(app));
  } catch (const CLI::RequiredError& error) {
    return FailUsage(app, ExplainRequired(app, error));
  } catch (const CLI::ParseError& error) {
    return FailUsage(app, error.what());
  }
  return action(options);
}

}  // namespace gatehouse::cli
