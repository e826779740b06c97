#include "server/jose/base64url.h"

#include <array>
#include <cstdint>

namespace gatehouse::jose {
namespace {

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr uint32_t kInvalid = 0x80000000;

constexpr std::array<uint32_t, 256> MakeValues() {
  std::array<uint32_t, 256> values{};
  for (uint32_t& value : values) value = kInvalid;
  for (uint32_t i = 0; i < 64; ++i) values[static_cast<uint8_t>(kAlphabet[i])] = i;
  return values;
}
constexpr std::array<uint32_t, 256> kValues = MakeValues();

uint32_t ValueOf(char c) { return kValues[static_cast<uint8_t>(c)]; }

}  // namespace

bool DecodeBase64Url(absl::string_view encoded, char* out) {
  if (encoded.size() % 4 == 1) return false;
  const char* in = encoded.data();
  uint32_t seen = 0;  // collects kInvalid, so that the loop has no branch
  for (size_t quads = encoded.size() / 4; quads > 0; --quads, in += 4) {
    const uint32_t bits =
        ValueOf(in[0]) << 18 | ValueOf(in[1]) << 12 | ValueOf(in[2]) << 6 | ValueOf(in[3]);
    seen |= ValueOf(in[0]) | ValueOf(in[1]) | ValueOf(in[2]) | ValueOf(in[3]);
    *out++ = static_cast<char>(bits >> 16);
    *out++ = static_cast<char>(bits >> 8);
    *out++ = static_cast<char>(bits);
  }
  const size_t rest = encoded.size() % 4;
  if (rest >= 2) {
    const uint32_t third = rest == 3 ? ValueOf(in[2]) : 0;
    const uint32_t bits = ValueOf(in[0]) << 18 | ValueOf(in[1]) << 12 | third << 6;
    seen |= ValueOf(in[0]) | ValueOf(in[1]) | third;
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
