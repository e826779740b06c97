#include "server/revocation/random_id.h"

#include <openssl/rand.h>

#include <array>

#include "absl/strings/escaping.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kIdBytes = 16;

}  // namespace

absl::StatusOr<std::string> RandomId() {
  std::array<unsigned char, kIdBytes> bytes;
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return absl::InternalError("the machine gives no random bytes");
  }
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsId(absl::string_view text) { return IsHex(text, 2 * kIdBytes); }

}  // namespace gatehouse::revocation
