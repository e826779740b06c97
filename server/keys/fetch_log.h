#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/jose/jwks.h"

namespace gatehouse::keys {

// Logs how an issuer's fetches go: when that changes, and while they fail once a
// minute. Times are steady nanoseconds. Not thread-safe.
class FetchLog {
 public:
  // `url` without what may be secret in it.
  FetchLog(std::string issuer, std::string url)
      : issuer_(std::move(issuer)), url_(std::move(url)) {}

  void Failed(int64_t now, const std::string& reason);
  void Succeeded(size_t key_count, const std::vector<jose::RefusedKey>& left_out);

 private:
  const std::string issuer_;
  const std::string url_;
  bool ever_succeeded_ = false;
  int64_t failures_ = 0;  // in a row
  int64_t logged_at_ = 0;
  std::vector<jose::RefusedKey> left_out_;
};

}  // namespace gatehouse::keys
