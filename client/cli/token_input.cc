#include "client/cli/token_input.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/output.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

bool IsBase64Url(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
}

absl::StatusOr<std::string> ReadStandardInput() {
  std::string text;
  char buffer[16 * 1024];
  while (true) {
    const ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot read standard input: ", std::generic_category().message(errno)));
    }
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxInputBytes) {
      return absl::InvalidArgumentError("standard input holds more than 4 MiB: that is no token");
    }
  }
}

absl::StatusOr<std::string> Checked(absl::string_view text, absl::string_view place) {
  absl::ConsumeSuffix(&text, "\n");
  absl::ConsumeSuffix(&text, "\r");
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat("no token in ", place));
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!ascii) {
    return absl::InvalidArgumentError(absl::StrCat(place, " holds bytes that no token has"));
  }
  return std::string(text);
}

}  // namespace

void AddTokenFile(CLI::App& subcommand, std::string& file) {
  subcommand
      .add_option("--token-file", file,
                  "The file that holds the token, - for standard input. Without it: the "
                  "environment variable GATEHOUSE_TOKEN, then standard input")
      ->type_name("FILE")
      ->check(CLI::Validator(
          [](const std::string& name) {
            return std::string(name.empty() ? "the name of a file is needed" : "");
          },
          ""));
}

absl::StatusOr<std::string> ReadToken(const std::string& file) {
  if (LooksLikeToken(file)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--token-file takes the name of a file: ", kTokensAreNoArguments));
  }
  if (!file.empty() && file != "-") {
    const absl::StatusOr<std::string> text = ReadSmallFileOrPipe(file, kMaxInputBytes);
    if (text.ok()) return Checked(*text, absl::StrCat("the file ", Printable(file)));
    return absl::InvalidArgumentError(
        absl::StrCat("the file ", Printable(text.status().message())));
  }
  if (file.empty()) {
    const char* const token = std::getenv("GATEHOUSE_TOKEN");  // NOLINT(concurrency-mt-unsafe)
    if (token != nullptr && *token != '\0') return Checked(token, "GATEHOUSE_TOKEN");
    if (isatty(STDIN_FILENO) != 0) {
      return absl::InvalidArgumentError(
          "no token given: use --token-file FILE, the environment variable GATEHOUSE_TOKEN or "
          "standard input");
    }
  }
  GH_ASSIGN_OR_RETURN(const std::string text, ReadStandardInput());
  return Checked(text, "standard input");
}

bool LooksLikeToken(absl::string_view text) {
  // Every JWS header is a JSON object, and {" is eyJ in base64url.
  for (size_t at = text.find("eyJ"); at != text.npos; at = text.find("eyJ", at + 1)) {
    const absl::string_view header = text.substr(at);
    const auto end = std::find_if_not(header.begin(), header.end(), IsBase64Url);
    if (end - header.begin() >= 12 && end != header.end() && *end == '.') return true;
  }
  return false;
}

}  // namespace gatehouse::cli
