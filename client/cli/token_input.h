#pragma once

#include <CLI/App.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse::cli {

inline constexpr absl::string_view kTokensAreNoArguments =
    "tokens are not taken from the command line, where other users and the shell's history can "
    "read them; use --token-file FILE, the environment variable GATEHOUSE_TOKEN or standard input";

// Longer input is refused before it is sent.
inline constexpr size_t kMaxInputBytes = size_t{4} * 1024 * 1024;

// Adds --token-file.
void AddTokenFile(CLI::App& subcommand, std::string& file);

// The token, without the line end behind it: from `file` ("-": standard input) if it
// is not empty, else from GATEHOUSE_TOKEN if that is set and not empty, else from
// standard input if that is no terminal. Never empty. INVALID_ARGUMENT, with a
// message that names the place and holds nothing of what was read.
absl::StatusOr<std::string> ReadToken(const std::string& file);

// Whether `text` has the beginning of a JWT in it, so that it must not be shown.
bool LooksLikeToken(absl::string_view text);

}  // namespace gatehouse::cli
