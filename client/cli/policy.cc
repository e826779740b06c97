#include "client/cli/policy.h"

#include <filesystem>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/arguments.h"
#include "client/cli/output.h"
#include "server/base/json_writer.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr char kTextAlone[] = "this command writes text alone: leave --output json out";
constexpr size_t kMostBytes = size_t{1} << 20;

struct Arguments {
  std::string config = "gatehouse.yaml";
  std::string tests;
  std::vector<std::string> types;
};

void CheckAsJson(const LoadedPolicy& loaded) {
  std::string out;
  JsonWriter json(out);
  json.BeginObject();
  json.Key("ok");
  json.Bool(true);
  json.Key("warnings");
  json.BeginArray();
  for (const std::string& warning : loaded.config.warnings) json.String(warning);
  json.EndArray();
  json.EndObject();
  std::cout << out << "\n";
}

int Check(const Arguments& arguments, Output output) {
  const auto loaded = LoadPolicy(arguments.config);
  if (!loaded.ok()) return Fail(PrintableLines(loaded.status().message()));
  if (output == Output::kJson) {
    CheckAsJson(*loaded);
    return kYes;
  }
  for (const std::string& warning : loaded->config.warnings) {
    std::cout << "warning: " << Printable(warning) << "\n";
  }
  size_t actions = 0;
  const policy::Definition& policy = *loaded->config.policy;
  for (const policy::Resource& resource : policy.resources) actions += resource.actions.size();
  std::cout << Printable(arguments.config) << ": OK: " << policy.resources.size()
            << " resource types, " << actions << " actions, " << policy.roles.size() << " roles\n";
  return kYes;
}

// Whether `file` has a policy's fields at its top, and none of a configuration's.
bool IsPolicyFile(const std::string& file) {
  const auto text = ReadSmallFile(file, kMostBytes);
  if (!text.ok()) return false;
  bool found = false;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (absl::StartsWith(line, "issuers:") || absl::StartsWith(line, "policy:")) return false;
    if (absl::StartsWith(line, "roles:") || absl::StartsWith(line, "resources:")) found = true;
  }
  return found;
}

template <typename Run>
void AddOffline(CLI::App& command, std::shared_ptr<Arguments> arguments, Action& action, Run run) {
  AddConfig(command, arguments->config);
  command.callback([arguments = std::move(arguments), &action, run] {
    action = [arguments, run](const Options& options) { return run(*arguments, options); };
  });
}

}  // namespace

absl::Status LoadedPolicy::KeepAsserted(config::PolicyUser& who) const {
  for (const config::Issuer& issuer : config.issuers) {
    if (issuer.rules.issuer == who.issuer) return who.KeepAsserted(issuer.rules.may_assert);
  }
  return absl::InvalidArgumentError("the configuration has no such issuer");
}

absl::StatusOr<LoadedPolicy> LoadPolicy(const std::string& config_file) {
  auto read = config::LoadConfig(config_file);
  if (!read.ok() && IsPolicyFile(config_file)) {
    return absl::InvalidArgumentError(absl::StrCat(
        config_file, ": is a policy and no configuration: name it there with `policy: {path: ",
        std::filesystem::path(config_file).filename().string(),
        "}`, and give the configuration with --config"));
  }
  GH_ASSIGN_OR_RETURN(config::Config config, std::move(read));
  if (!config.policy.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(config_file,
                     ": there is no `policy:` in it: the owner of a thing may do "
                     "everything with it, others nothing"));
  }
  std::vector<std::string> issuers;
  issuers.reserve(config.issuers.size());
  for (const config::Issuer& issuer : config.issuers) issuers.push_back(issuer.rules.issuer);
  GH_ASSIGN_OR_RETURN(policy::Policy policy, policy::Policy::Compile(*config.policy, issuers));
  return LoadedPolicy{std::move(config), std::move(issuers), std::move(policy)};
}

void AddConfig(CLI::App& subcommand, std::string& config_file) {
  subcommand.add_option("--config", config_file, "The server's configuration file, with `policy:`")
      ->capture_default_str()
      ->type_name("FILE");
}

std::string VerdictWord(bool allow) {
  return allow ? Coloured(Colour::kGreen, "allow") : Coloured(Colour::kRed, "deny");
}

void AddPolicy(CLI::App& app, Action& action) {
  CLI::App* const policy =
      app.add_subcommand("policy", "Check, test and show the policy of a configuration file");
  policy->require_subcommand(1);
  AddExamples(*policy,
              "  gatehouse policy check --config gatehouse.yaml\n"
              "  gatehouse policy test policy-tests.yaml\n"
              "  gatehouse policy matrix\n"
              "  gatehouse policy explain --subject ada --resource task/7 --owner ada --action "
              "read\n"
              "  gatehouse policy replay decisions.jsonl --config new.yaml\n"
              "  gatehouse policy rls > rls.sql\n",
              "0 good, 1 a test failed, 2 failed or wrong usage");

  CLI::App* const check =
      policy->add_subcommand("check", "Look for mistakes, and for rules that can hardly be meant");
  AddExamples(*check, "  gatehouse policy check --config gatehouse.yaml\n", kCodesOfADeed);
  AddOffline(*check, std::make_shared<Arguments>(), action,
             [](const Arguments& arguments, const Options& options) {
               return Check(arguments, options.output);
             });

  CLI::App* const test =
      policy->add_subcommand("test", "Ask the policy a table of questions, and compare");
  const auto of_test = std::make_shared<Arguments>();
  test->add_option("tests", of_test->tests, "A YAML file of who, what and what is expected")
      ->required()
      ->type_name("FILE");
  AddExamples(*test, "  gatehouse policy test policy-tests.yaml --config gatehouse.yaml\n",
              "0 all as expected, 1 some are not, 2 failed or wrong usage");
  AddOffline(*test, of_test, action, [](const Arguments& arguments, const Options& options) {
    const auto loaded = LoadPolicy(arguments.config);
    if (!loaded.ok()) return Fail(PrintableLines(loaded.status().message()));
    return RunPolicyTests(*loaded, arguments.tests, options.output);
  });

  CLI::App* const matrix =
      policy->add_subcommand("matrix", "Show which role may do what, as a table");
  AddExamples(*matrix, "  gatehouse policy matrix --config gatehouse.yaml\n", kCodesOfADeed);
  AddOffline(*matrix, std::make_shared<Arguments>(), action,
             [](const Arguments& arguments, const Options& options) {
               if (options.output == Output::kJson) return Fail(kTextAlone);
               const auto loaded = LoadPolicy(arguments.config);
               if (!loaded.ok()) return Fail(PrintableLines(loaded.status().message()));
               return PrintPolicyMatrix(*loaded);
             });

  CLI::App* const rls = policy->add_subcommand(
      "rls", "Write PostgreSQL row-level security that holds the policy in the database");
  const auto of_rls = std::make_shared<Arguments>();
  AddTexts(*rls, "--table", of_rls->types,
           "A resource type whose table is meant; all with `commands` if not given")
      ->type_name("TYPE");
  AddExamples(*rls,
              "  gatehouse policy rls --config gatehouse.yaml > rls.sql\n"
              "  psql -v ON_ERROR_STOP=1 --single-transaction -f rls.sql\n",
              kCodesOfADeed);
  AddOffline(*rls, of_rls, action, [](const Arguments& arguments, const Options& options) {
    if (options.output == Output::kJson) return Fail(kTextAlone);
    const auto loaded = LoadPolicy(arguments.config);
    if (!loaded.ok()) return Fail(PrintableLines(loaded.status().message()));
    return PrintPolicyRls(*loaded, arguments.types);
  });
  AddPolicyExplain(*policy, action);
  AddPolicyReplay(*policy, action);
}

}  // namespace gatehouse::cli
