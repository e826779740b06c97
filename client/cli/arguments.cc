#include "client/cli/arguments.h"

#include <simdjson.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/token_input.h"
#include "server/base/read_file.h"

namespace gatehouse::cli {
namespace {

std::string CheckText(const std::string& text) {
  if (LooksLikeToken(text)) return std::string(kTokensAreNoArguments);
  if (!simdjson::validate_utf8(text)) return "the value is not UTF-8 text";
  return "";
}

// One that was given and is empty, as of a variable that is not set, must not be as one that was
// not.
std::string CheckFile(const std::string& name) {
  if (name.empty()) return "is empty: name a file, or leave the option out";
  if (HoldsDer(name)) return "takes the name of a file, no key or certificate (not shown)";
  return CheckText(name);
}

// gRPC would take "http" for the name of a host.
std::string CheckTarget(const std::string& target) {
  for (const absl::string_view scheme : {"http://", "https://"}) {
    if (!absl::StartsWithIgnoreCase(target, scheme)) continue;
    return absl::StrCat(
        "a target (also in GATEHOUSE_TARGET) is host:port or unix:PATH; ", scheme,
        " is for the HTTP port (listen.http), which no command asks. For TLS say --ca-file");
  }
  return CheckText(target);
}

bool IsOptionName(absl::string_view word) {
  return absl::ConsumePrefix(&word, "-") && IsPlainWord(word);
}

}  // namespace

CLI::Option* AddDuration(CLI::App& app, const std::string& name, absl::Duration& value,
                         const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [name, &value](const std::string& text) {
            absl::Duration parsed;
            if (!absl::ParseDuration(text, &parsed) || parsed <= absl::ZeroDuration() ||
                parsed == absl::InfiniteDuration()) {
              throw CLI::ValidationError(name, "must be a time such as 500ms, 2s or 15m");
            }
            value = parsed;
          },
          help)
      ->type_name("TIME")
      ->default_str(absl::FormatDuration(value));
}

CLI::Option* AddText(CLI::App& app, const std::string& name, std::string& value,
                     const std::string& help) {
  return app.add_option(name, value, help)->check(CLI::Validator(CheckText, ""));
}

CLI::Option* AddTexts(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const std::string& help) {
  return app.add_option(name, values, help)
      ->type_name("TEXT")
      ->allow_extra_args(false)
      ->check(CLI::Validator(CheckText, ""));
}

void AddGlobalOptions(CLI::App& app, Options& options) {
  app.add_option("--target", options.target, "The server's gRPC address, host:port or unix:/path")
      ->envname("GATEHOUSE_TARGET")
      ->capture_default_str()
      ->type_name("ADDRESS")
      ->take_last()
      ->check(CLI::Validator(CheckTarget, ""));
  app.add_option("--caller-token-file", options.caller_token_file,
                 "The file that holds the token by which the server knows who calls")
      ->envname("GATEHOUSE_CALLER_TOKEN_FILE")
      ->type_name("FILE")
      ->take_last();
  const auto add_file = [&app](const char* name, std::string& value, const char* variable,
                               const char* help) {
    app.add_option(name, value, help)
        ->envname(variable)
        ->type_name("FILE")
        ->take_last()
        ->check(CLI::Validator(CheckFile, ""));
  };
  add_file("--ca-file", options.tls.ca_file, "GATEHOUSE_CA_FILE",
           "The certificates, in PEM, that vouch for the server; with them calls are encrypted");
  add_file("--cert-file", options.tls.cert_file, "GATEHOUSE_CERT_FILE",
           "The certificate by which the server knows who calls");
  add_file("--key-file", options.tls.key_file, "GATEHOUSE_KEY_FILE", "Its private key");
  app.add_option("--server-name", options.tls.server_name,
                 "The name in the server's certificate, where --target has another")
      ->envname("GATEHOUSE_SERVER_NAME")
      ->type_name("NAME")
      ->take_last()
      ->check(CLI::Validator(CheckText, ""));
  AddDuration(app, "--timeout", options.timeout, "How long to wait for an answer")->take_last();
  app.add_option_function<std::string>(
         "--output",
         [&options](const std::string& name) {
           if (name != "text" && name != "json") {
             throw CLI::ValidationError("--output", "must be text or json");
           }
           options.output = name == "json" ? Output::kJson : Output::kText;
         },
         "text for people, json for programs: the reply in protobuf's JSON, on one line")
      ->type_name("text|json")
      ->take_last()
      ->default_str("text");
}

void AddExamples(CLI::App& subcommand, const std::string& examples, absl::string_view exit_codes) {
  subcommand.fallthrough();
  subcommand.footer(
      absl::StrCat("Examples:\n", examples, "\nExit codes: ", exit_codes,
                   ".\nThe options of `gatehouse --help` (--target, --timeout, "
                   "--caller-token-file, --ca-file, --output) may stand here too.\n"));
}

std::string ExplainExtras(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining(/*recurse=*/true);
  const CLI::App* const policy = app.get_subcommand("policy");
  std::vector<std::string> unknown;
  for (const std::string& extra : extras) {
    const std::string name = extra.substr(0, extra.find('='));
    if (IsOptionName(name)) unknown.push_back(name);
  }
  if (policy->parsed() && std::none_of(extras.begin(), extras.end(), LooksLikeToken)) {
    if (unknown.empty()) {
      return "an argument too many (not shown here); the configuration is named with --config FILE";
    }
    if (policy->got_subcommand("explain") && unknown.front() == "--tenant") {
      return "unknown option --tenant: say --token-tenant or --resource-tenant";
    }
  }
  const bool token =
      unknown.empty() || std::any_of(unknown.begin(), unknown.end(), [](const auto& n) {
        return n == "--token" || n == "-t" || n == "--jwt" || n == "--bearer";
      });
  std::string message = unknown.empty()
                            ? "an argument too many (not shown here)"
                            : absl::StrCat("unknown option ", absl::StrJoin(unknown, ", "));
  if (token) absl::StrAppend(&message, ": ", kTokensAreNoArguments);
  return message;
}

bool IsPlainWord(absl::string_view word) {
  return !word.empty() && word.size() <= 20 && std::all_of(word.begin(), word.end(), [](char c) {
    return c == '-' || absl::ascii_islower(static_cast<unsigned char>(c));
  });
}

std::string WithoutTokens(absl::string_view message) {
  std::vector<std::string> words;
  for (absl::string_view word : absl::StrSplit(message, ' ')) {
    words.emplace_back(LooksLikeToken(word) ? "(not shown)" : word);
  }
  return absl::StrJoin(words, " ");
}

}  // namespace gatehouse::cli
