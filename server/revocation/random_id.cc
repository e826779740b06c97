#include "server/revocation/random_id.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/types/span.h"
#include "server/base/status_macros.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kIdBytes = 16;

// Bytes that nobody can guess.
absl::Status Fill(absl::Span<unsigned char> bytes) {
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1) return absl::OkStatus();
  return absl::InternalError("the machine gives no random bytes");
}

absl::string_view TextOf(absl::Span<const unsigned char> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

absl::StatusOr<std::string> RandomId() {
  std::array<unsigned char, kIdBytes> bytes{};
  GH_RETURN_IF_ERROR(Fill(absl::MakeSpan(bytes)));
  return absl::BytesToHexString(TextOf(bytes));
}

absl::StatusOr<std::vector<std::string>> IdsAt(int64_t micros, size_t count) {
  constexpr size_t kRandomBytes = kIdBytes - sizeof micros;
  std::vector<unsigned char> bytes(count * kRandomBytes);
  GH_RETURN_IF_ERROR(Fill(absl::MakeSpan(bytes)));
  const std::string time =
      absl::StrFormat("%016x", static_cast<uint64_t>(std::max<int64_t>(micros, 0)));
  std::vector<std::string> ids;
  ids.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    const auto random = absl::MakeConstSpan(bytes).subspan(i * kRandomBytes, kRandomBytes);
    ids.push_back(absl::StrCat(time, absl::BytesToHexString(TextOf(random))));
  }
  return ids;
}

bool IsHex(absl::string_view text, size_t digits) {
  return text.size() == digits &&
         text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

bool IsId(absl::string_view text) { return IsHex(text, 2 * kIdBytes); }

}  // namespace gatehouse::revocation
