#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/lint_envoy_rules.h"
#include "client/cli/output.h"
#include "server/base/json_writer.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::vector<std::string> files;
  std::vector<std::string> identity_headers = {"x-auth-subject", "x-auth-roles", "x-auth-tenant"};
  std::vector<std::string> more_headers;
  bool json = false;
};

absl::StatusOr<std::string> Read(const std::string& path) {
  if (path != "-") return ReadSmallFileOrPipe(path, kMaxLintBytes);
  std::string text(kMaxLintBytes + 1, '\0');
  std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (std::cin.bad() || (std::cin.fail() && !std::cin.eof())) {
    return absl::InvalidArgumentError("standard input cannot be read");
  }
  text.resize(static_cast<size_t>(std::cin.gcount()));
  return text;
}

absl::StatusOr<LintModel> Load(const std::vector<std::string>& files) {
  LintModel model;
  for (const std::string& file : files) {
    GH_ASSIGN_OR_RETURN(const std::string text, Read(file));
    GH_RETURN_IF_ERROR(model.Add(file, text));
  }
  model.Connect();
  if (model.chains.empty() && !model.Asks()) {
    return absl::InvalidArgumentError(absl::StrCat(
        absl::StrJoin(files, ", "),
        ": neither an HTTP connection manager nor anything that asks for an authorization is in "
        "there, so nothing is known; name the files with the listeners too"));
  }
  return model;
}

const char* Word(Severity severity) { return severity == Severity::kDanger ? "danger" : "warning"; }

int64_t Count(const std::vector<LintFinding>& findings, Severity severity) {
  return std::count_if(findings.begin(), findings.end(),
                       [&](const LintFinding& finding) { return finding.severity == severity; });
}

// What was looked at, by name.
struct Seen {
  const char* key;  // in JSON
  const char* one;
  const char* many;
  size_t count;
};

std::vector<Seen> AllSeen(const LintModel& model) {
  const auto to_gatehouse = static_cast<size_t>(std::count_if(
      model.clusters.begin(), model.clusters.end(),
      [&](const auto& cluster) { return model.authz_clusters.contains(cluster.first); }));
  const auto gateways =
      static_cast<size_t>(std::count_if(model.providers.begin(), model.providers.end(),
                                        [](const Provider& provider) { return provider.gateway; }));
  return {
      {"files", "file", "files", model.files.size()},
      {"listeners", "listener", "listeners", static_cast<size_t>(model.listeners)},
      {"connection_managers", "HTTP connection manager", "HTTP connection managers",
       model.chains.size()},
      {"ext_authz_filters", "ext_authz filter", "ext_authz filters", model.authz.size()},
      {"route_configurations", "route configuration", "route configurations",
       model.route_configs.size()},
      {"clusters_to_gatehouse", "cluster to Gatehouse", "clusters to Gatehouse", to_gatehouse},
      {"istio_providers", "Istio provider", "Istio providers", model.providers.size() - gateways},
      {"custom_policies", "CUSTOM policy", "CUSTOM policies", model.custom_policies.size()},
      {"security_policies", "SecurityPolicy with extAuth", "SecurityPolicies with extAuth",
       gateways},
  };
}

void PrintText(const LintModel& model, const std::vector<LintFinding>& findings) {
  for (const LintFinding& finding : findings) {
    const std::string word = Word(finding.severity);
    std::cout << Printable(model.files[static_cast<size_t>(finding.file)]) << ":" << finding.line
              << ": "
              << (finding.severity == Severity::kDanger ? Coloured(Colour::kRed, word) : word)
              << ": " << finding.rule << ": " << Printable(finding.danger)
              << "\n    write: " << Printable(finding.mend) << "\n";
  }
  std::vector<std::string> seen;
  for (const Seen& one : AllSeen(model)) {
    if (one.count > 0) {
      seen.push_back(absl::StrCat(one.count, " ", one.count == 1 ? one.one : one.many));
    }
  }
  std::cout << "looked at " << absl::StrJoin(seen, ", ") << "\n";
  const int64_t dangers = Count(findings, Severity::kDanger);
  const int64_t warnings = Count(findings, Severity::kWarning);
  if (findings.empty()) {
    std::cout << Coloured(Colour::kGreen, "nothing found") << "\n";
  } else {
    std::cout << dangers << (dangers == 1 ? " danger, " : " dangers, ") << warnings
              << (warnings == 1 ? " warning\n" : " warnings\n");
  }
}

void PrintJson(const LintModel& model, const std::vector<LintFinding>& findings) {
  for (const LintFinding& finding : findings) {
    std::string out;
    JsonWriter json(out);
    json.BeginObject();
    json.Member("file", model.files[static_cast<size_t>(finding.file)]);
    json.Key("line");
    json.Int(finding.line);
    json.Member("severity", Word(finding.severity));
    json.Member("rule", finding.rule);
    json.Member("danger", finding.danger);
    json.Member("mend", finding.mend);
    json.EndObject();
    std::cout << out << "\n";
  }
  std::string out;
  JsonWriter json(out);
  const auto number = [&](absl::string_view key, int64_t value) {
    json.Key(key);
    json.Int(value);
  };
  json.BeginObject();
  number("dangers", Count(findings, Severity::kDanger));
  number("warnings", Count(findings, Severity::kWarning));
  for (const Seen& one : AllSeen(model)) number(one.key, static_cast<int64_t>(one.count));
  json.EndObject();
  std::cout << out << "\n";
}

int RunLint(const Arguments& arguments, Output output) {
  const absl::StatusOr<LintModel> model = Load(arguments.files);
  if (!model.ok()) return Fail(Printable(model.status().message()));
  std::vector<std::string> headers = arguments.identity_headers;
  headers.reserve(headers.size() + arguments.more_headers.size());
  for (const std::string& header : arguments.more_headers) {
    headers.push_back(absl::AsciiStrToLower(header));
  }
  const std::vector<LintFinding> findings = Lint(*model, headers);
  if (arguments.json || output == Output::kJson) {
    PrintJson(*model, findings);
  } else {
    PrintText(*model, findings);
  }
  return findings.empty() ? kYes : kNo;
}

}  // namespace

void AddLintEnvoy(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      app.add_subcommand("lint-envoy",
                         "Point at what opens doors in the configuration of Envoy, Istio or Envoy "
                         "Gateway. Offline");
  command
      ->add_option("files", arguments->files,
                   "Files of YAML or JSON that belong together; - is standard input")
      ->required()
      ->type_name("FILE...");
  AddTexts(*command, "--identity-header", arguments->more_headers,
           "A further header that the upstream takes a caller's identity from; may be given more "
           "than once");
  command->add_flag("--json", arguments->json, "The same as --output json: a line a finding");
  AddExamples(*command,
              "  gatehouse lint-envoy envoy.yaml\n"
              "  gatehouse lint-envoy listeners.yaml clusters.yaml --identity-header x-user-email\n"
              "  kubectl get -n istio-system cm/istio -o yaml | gatehouse lint-envoy - "
              "policies.yaml --json\n",
              "0 nothing found, 1 a danger or a warning, 2 a file cannot be read or holds nothing "
              "that is known, or wrong usage");
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return RunLint(*arguments, options.output); };
  });
}

}  // namespace gatehouse::cli
