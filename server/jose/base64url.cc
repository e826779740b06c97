#include "server/jose/base64url.h"

#include <array>
#include <cstdint>

namespace gatehouse::jose {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr uint32_t kInvalid = 0x80000000;

using Values = std::array<uint32_t, 256>;

// What each character stands for, moved to its place in a group of four.
constexpr Values ValuesAt(unsigned shift) {
  Values values{};
  for (uint32_t& value : values) value = kInvalid;
  for (uint32_t i = 0; i < 64; ++i) values[static_cast<uint8_t>(kAlphabet[i])] = i << shift;
  return values;
}
constexpr Values kFirst = ValuesAt(18);
constexpr Values kSecond = ValuesAt(12);
constexpr Values kThird = ValuesAt(6);
constexpr Values kFourth = ValuesAt(0);

uint32_t ValueOf(const Values& values, char c) { return values[static_cast<uint8_t>(c)]; }

}  // namespace

bool DecodeBase64Url(absl::string_view encoded, char* out) {
  if (encoded.size() % 4 == 1) return false;
  const char* in = encoded.data();
  uint32_t seen = 0;  // collects kInvalid, so that the loop has no branch
  for (size_t quads = encoded.size() / 4; quads > 0; --quads, in += 4) {
    const uint32_t bits = ValueOf(kFirst, in[0]) | ValueOf(kSecond, in[1]) |
                          ValueOf(kThird, in[2]) | ValueOf(kFourth, in[3]);
    seen |= bits;
    *out++ = static_cast<char>(bits >> 16);
    *out++ = static_cast<char>(bits >> 8);
    *out++ = static_cast<char>(bits);
  }
  const size_t rest = encoded.size() % 4;
  if (rest >= 2) {
    const uint32_t bits =
        ValueOf(kFirst, in[0]) | ValueOf(kSecond, in[1]) | (rest == 3 ? ValueOf(kThird, in[2]) : 0);
    seen |= bits;
    if ((bits & (rest == 2 ? 0xFFFF : 0xFF)) != 0) return false;
    *out++ = static_cast<char>(bits >> 16);
    if (rest == 3) *out++ = static_cast<char>(bits >> 8);
  }
  return (seen & kInvalid) == 0;
}

std::optional<std::string> DecodeBase64Url(absl::string_view encoded) {
  std::string bytes(DecodedBase64UrlSize(encoded.size()), '\0');
  if (!DecodeBase64Url(encoded, bytes.data())) return std::nullopt;
  return bytes;
}

std::string EncodeBase64Url(absl::string_view bytes) {
  std::string encoded;
  encoded.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t bits = 0;
  int have = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (have += 8; have >= 6; have -= 6) encoded += kAlphabet[bits >> (have - 6) & 63];
  }
  if (have > 0) encoded += kAlphabet[bits << (6 - have) & 63];
  return encoded;
}

}  // namespace gatehouse::jose
