#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/commands.h"

namespace gatehouse::cli {

// Adds the options that every subcommand takes, also behind its own name.
void AddGlobalOptions(CLI::App& app, Options& options);

// A positive, finite duration such as "2s" or "15m".
CLI::Option* AddDuration(CLI::App& app, const std::string& name, absl::Duration& value,
                         const std::string& help);

// An option (or, without dashes, a positional argument) whose value goes to the
// server or into a token: must be UTF-8 and must not be a token.
CLI::Option* AddText(CLI::App& app, const std::string& name, std::string& value,
                     const std::string& help);

// The same for an option that may be given more than once.
CLI::Option* AddTexts(CLI::App& app, const std::string& name, std::vector<std::string>& values,
                      const std::string& help);

// What a subcommand's exit codes mean: one that asks, and one that does something.
inline constexpr absl::string_view kCodesOfAQuestion =
    "0 allowed, 1 denied, 2 could not tell, failed or wrong usage";
inline constexpr absl::string_view kCodesOfADeed = "0 done, 2 failed or wrong usage";

// The lines under a subcommand's help.
void AddExamples(CLI::App& subcommand, const std::string& examples, absl::string_view exit_codes);

// What is wrong with the arguments that no option of `app`, as far as it was parsed, took.
// Shows no argument but the names of options: one may be a token.
std::string ExplainExtras(const CLI::App& app);

// Whether `word` is so short and plain that it is a misspelt command and no secret.
bool IsPlainWord(absl::string_view word);

// `message` without words that look like a token.
std::string WithoutTokens(absl::string_view message);

}  // namespace gatehouse::cli
