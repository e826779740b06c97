#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace gatehouse {

// Bytes that must not be shown: an HMAC secret, a private key. Wiped when it
// goes. Has no operator<<, no conversion to a string and no equality, so that it
// ends in no log and is compared by no early-out comparison. Move-only.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string bytes) : bytes_(std::move(bytes)) {}
  ~Secret() { Wipe(); }

  // Copies and wipes: a moved-from string may keep its bytes in its own buffer.
  Secret(Secret&& other) noexcept
      : bytes_(other.bytes_) {  // NOLINT(performance-move-constructor-init)
    other.Wipe();
  }
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  // For the one place that hands them to OpenSSL.
  absl::string_view Reveal() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

 private:
  void Wipe();

  std::string bytes_;
};

}  // namespace gatehouse
