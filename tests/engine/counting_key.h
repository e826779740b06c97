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
      : VerificationKey(
            {.kid = kid, .algorithms = {jose::Algorithm::kEdDsa}, .thumbprint = kid + signature}),
        signature_(signature) {}

  int count() const { return count_; }

 private:
  bool VerifyAccepted(jose::Algorithm /*algorithm*/, const jose::SigningInput& /*input*/,
                      absl::string_view signature) const override {
    ++count_;
    return signature == signature_;
  }

  const std::string signature_;
  mutable std::atomic<int> count_ = 0;
};

}  // namespace gatehouse::engine
