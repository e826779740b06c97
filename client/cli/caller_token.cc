#include "client/cli/caller_token.h"

#include <algorithm>
#include <iostream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/output.h"
#include "client/cli/token_input.h"
#include "server/base/read_file.h"

namespace gatehouse::cli {
namespace {

void WarnIfOthersCanRead(const std::string& file) {
  if (!OthersMayRead(file)) return;
  std::cerr << "gatehouse: warning: others than its owner can read " << Printable(file)
            << ", which holds a caller's token; chmod 600 mends that\n";
}

}  // namespace

absl::StatusOr<Secret> ReadCallerToken(const std::string& file) {
  if (file.empty()) return Secret();
  if (LooksLikeToken(file)) {
    return absl::InvalidArgumentError("--caller-token-file takes the name of a file, no token");
  }
  absl::StatusOr<std::string> bytes = ReadSmallFileOrPipe(file, kMaxInputBytes);
  if (!bytes.ok() && MayBeSecret(file)) {
    return absl::InvalidArgumentError(
        "the caller's token: there is no such file; its name is not shown, since it may be the "
        "token itself: put the token into a file and give the name of that");
  }
  if (!bytes.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the caller's token: the file ", Printable(bytes.status().message())));
  }
  const Secret text(*std::move(bytes));
  WarnIfOthersCanRead(file);
  for (const absl::string_view line : absl::StrSplit(text.Reveal(), '\n')) {
    const absl::string_view token = absl::StripTrailingAsciiWhitespace(line);
    if (token.empty()) continue;
    const bool printable = std::all_of(token.begin(), token.end(), [](char c) {
      return absl::ascii_isgraph(static_cast<unsigned char>(c));
    });
    if (printable) return Secret(std::string(token));
    return absl::InvalidArgumentError(
        absl::StrCat("the file ", Printable(file), " holds what no caller's token has"));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no caller's token in the file ", Printable(file)));
}

}  // namespace gatehouse::cli
