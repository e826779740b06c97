#include "server/frontend/caller_tokens.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/read_file.h"
#include "server/base/secret.h"
#include "server/jose/openssl.h"
#include "server/jose/weak_secret.h"

namespace gatehouse::frontend {
namespace {

constexpr size_t kMaxFileBytes = size_t{64} * 1024;
constexpr size_t kMinToken = 32;
constexpr size_t kMaxToken = 512;
constexpr absl::string_view kAdvice = "; `openssl rand -hex 32` makes a good one";

// What is wrong with it; empty if nothing. Shows nothing of it.
std::string Wrong(absl::string_view token) {
  const bool printable = std::all_of(token.begin(), token.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (!printable) {
    return "a token is printable ASCII characters without white space, one token a line";
  }
  if (token.size() < kMinToken || token.size() > kMaxToken) {
    return absl::StrCat("a token has ", kMinToken, " to ", kMaxToken, " characters, and not ",
                        token.size(), kAdvice);
  }
  if (!jose::CheckHmacSecret(token, jose::Algorithm::kHs256).ok()) {
    return absl::StrCat("this token can be guessed: it is a pattern or a well-known example",
                        kAdvice);
  }
  return "";
}

}  // namespace

absl::StatusOr<std::vector<CallerToken>> ReadCallerTokens(const std::string& path) {
  absl::StatusOr<std::string> bytes = ReadSmallFile(path, kMaxFileBytes);
  if (!bytes.ok() && MayBeSecret(absl::string_view(path).substr(path.rfind('/') + 1))) {
    return absl::Status(bytes.status().code(),
                        "there is no such file; its name is not shown, since it may be the token "
                        "itself: put the token into a file and name that");
  }
  if (!bytes.ok()) return bytes.status();
  const Secret text(*std::move(bytes));
  std::vector<CallerToken> tokens;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text.Reveal(), '\n')) {
    ++number;
    const absl::string_view token = absl::StripTrailingAsciiWhitespace(line);
    if (token.empty()) continue;
    const auto refused = [&](absl::string_view why) {
      return absl::InvalidArgumentError(absl::StrCat(path, ":", number, ": ", why));
    };
    if (const std::string wrong = Wrong(token); !wrong.empty()) return refused(wrong);
    CallerToken made{.hash = jose::Sha256(token), .line = number};
    for (const CallerToken& other : tokens) {
      if (other.hash == made.hash) {
        return refused(absl::StrCat("the same token stands on line ", other.line));
      }
    }
    tokens.push_back(made);
  }
  if (tokens.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": holds no token"));
  return tokens;
}

}  // namespace gatehouse::frontend
