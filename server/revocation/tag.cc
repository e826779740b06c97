#include "server/revocation/tag.h"

#include <openssl/sha.h>

#include <algorithm>
#include <string>

namespace gatehouse::revocation {
namespace {

void AppendPart(std::string& out, absl::string_view part) {
  const auto length = static_cast<uint32_t>(part.size());
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(length >> shift));
  out.append(part.data(), part.size());
}

Tag HashOf(absl::string_view input) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(input.data()), input.size(), digest.data());
  Tag tag;
  std::copy_n(digest.begin(), tag.bytes.size(), tag.bytes.begin());
  return tag;
}

}  // namespace

Tag TokenTag(const std::array<uint8_t, 32>& identity) {
  std::string input(1, static_cast<char>(TagKind::kToken));
  AppendPart(input, {reinterpret_cast<const char*>(identity.data()), identity.size()});
  return HashOf(input);
}

Tag MakeTag(TagKind kind, absl::string_view issuer, absl::string_view value) {
  std::string input(1, static_cast<char>(kind));
  input.reserve(1 + 4 + issuer.size() + 4 + value.size());
  AppendPart(input, issuer);
  AppendPart(input, value);
  return HashOf(input);
}

}  // namespace gatehouse::revocation
