#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "server/jose/base64url.h"
#include "tests/fuzz/property.h"

namespace gatehouse::fuzz {
namespace {

constexpr absl::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// RFC 4648 section 5 without padding, said another way than the decoder says it.
bool IsBase64Url(absl::string_view text) {
  for (const char c : text) {
    if (kAlphabet.find(c) == absl::string_view::npos) return false;
  }
  const size_t unused_bits = text.size() * 6 % 8;
  if (unused_bits == 6) return false;
  return unused_bits == 0 || kAlphabet.find(text.back()) % (size_t{1} << unused_bits) == 0;
}

void CheckDecoding(absl::string_view text) {
  const std::optional<std::string> bytes = jose::DecodeBase64Url(text);
  Must(bytes.has_value() == IsBase64Url(text), "accepted is base64url and nothing else");
  // Into memory of exactly that size.
  const size_t size = jose::DecodedBase64UrlSize(text.size());
  const auto out = std::make_unique<char[]>(size);
  Must(jose::DecodeBase64Url(text, out.get()) == bytes.has_value(), "both decoders agree");
  if (!bytes.has_value()) return;
  Must(absl::string_view(out.get(), size) == *bytes, "both decoders give the same bytes");
  Must(jose::EncodeBase64Url(*bytes) == text, "a value has one encoding");
  for (const char* const tail : {"=", "==", " ", "\n", "."}) {
    Must(!jose::DecodeBase64Url(std::string(text) + tail).has_value(), "nothing may follow");
  }
}

void CheckEncoding(absl::string_view bytes) {
  const std::string text = jose::EncodeBase64Url(bytes);
  const std::optional<std::string> back = jose::DecodeBase64Url(text);
  Must(back.has_value() && *back == bytes, "what was encoded decodes to itself");
}

}  // namespace
}  // namespace gatehouse::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = gatehouse::fuzz::TextOf(data, size);
  gatehouse::fuzz::CheckDecoding(text);
  gatehouse::fuzz::CheckEncoding(text);
  return 0;
}
