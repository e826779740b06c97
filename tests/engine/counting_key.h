#pragma once

#include <atomic>
#include <string>

#include "server/jose/verification_key.h"

namespace gatehouse::engine {

// An EdDSA key by name that takes one text for every token's signature, and counts
// how often it was asked.
class CountingKey final : public jose::VerificationKey {
 public:
  explicit CountingKey(const std::string& kid, const std::string& signature = "good")
      : VerificationKey(kid, jose::Algorithm::kEdDsa, kid + signature), signature_(signature) {}

  bool Verify(absl::string_view /*signing_input*/, absl::string_view signature) const override {
    ++count_;
    return signature == signature_;
  }
  int count() const { return count_; }

 private:
  const std::string signature_;
  mutable std::atomic<int> count_ = 0;
};

}  // namespace gatehouse::engine
