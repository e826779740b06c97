#include "server/jose/weak_secret.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "server/jose/base64url.h"

namespace gatehouse::jose {
namespace {

// Secrets of 32 bytes and more that everybody can read somewhere. What is
// base64url here is known in that form and decoded.
constexpr absl::string_view kKnownSecrets[] = {
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "reallyreallyreallyreallyverysafe",
    "better-auth-secret-12345678901234567890",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    "413F4428472B4B6250655368566D5970337336763979244226452948404D6351",
    "======================BezKoder=Spring===========================",
    "3EK6FD+o0+c7tzBNVfjpMkNDi2yARAAKzQlk8O2IKoxQu4nF7EdAh8s3TwpHwrdWT6R",
};

// Parts that no random secret has, in lower case.
constexpr absl::string_view kPlaceholders[] = {
    "your-256-bit-secret", "your-384-bit-secret", "your-512-bit-secret", "your-secret", "changeme",
    "change-me",           "change_me",           "replace-me",          "replace_me",
};

// Whether a prefix of at most half the text, repeated, makes all of it. The
// shortest such period comes from the failure function of Knuth, Morris, Pratt.
bool IsRepetition(absl::string_view text) {
  std::vector<size_t> border(text.size(), 0);
  for (size_t i = 1; i < text.size(); ++i) {
    size_t k = border[i - 1];
    while (k > 0 && text[i] != text[k]) k = border[k - 1];
    border[i] = text[i] == text[k] ? k + 1 : k;
  }
  return text.size() - border.back() <= text.size() / 2;
}

// 00 01 02 ..., "abcdef...": each byte as far from the next as the first two.
bool IsSequence(absl::string_view text) {
  const auto step = static_cast<uint8_t>(text[1] - text[0]);
  for (size_t i = 1; i < text.size(); ++i) {
    if (static_cast<uint8_t>(text[i] - text[i - 1]) != step) return false;
  }
  return true;
}

bool IsKnown(absl::string_view secret) {
  for (const absl::string_view known : kKnownSecrets) {
    if (secret == known) return true;
    const std::optional<std::string> decoded = DecodeBase64Url(known);
    if (decoded.has_value() && secret == *decoded) return true;
  }
  return false;
}

bool HasPlaceholder(absl::string_view secret) {
  for (const absl::string_view part : kPlaceholders) {
    // In place: a copy in lower case would have to be wiped.
    const auto found = std::search(
        secret.begin(), secret.end(), part.begin(), part.end(),
        [](char a, char b) { return absl::ascii_tolower(static_cast<unsigned char>(a)) == b; });
    if (found != secret.end()) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckHmacSecret(absl::string_view secret, Algorithm longest) {
  const absl::string_view name = NameOf(longest);
  const size_t least = SizeOf(HashOf(longest));
  if (secret.size() < least) {
    return absl::InvalidArgumentError(absl::StrCat("the HMAC secret has ", secret.size(),
                                                   " bytes; ", name, " needs ", least,
                                                   " random ones at least"));
  }
  if (IsRepetition(secret) || IsSequence(secret)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the HMAC secret is a pattern repeated; ", name, " needs random bytes"));
  }
  if (IsKnown(secret) || HasPlaceholder(secret)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the HMAC secret is a well-known example or a placeholder; ", name, " needs random bytes"));
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::jose
