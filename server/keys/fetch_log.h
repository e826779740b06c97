#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/jose/jwks.h"

namespace gatehouse::keys {

// Logs how the fetches of an issuer's keys, from a file or a URL, go: when that changes, and while
// they fail once a minute. Times are steady nanoseconds. Not thread-safe.
class FetchLog {
 public:
  // `place`: the file, or the URL without what may be secret in it.
  FetchLog(std::string issuer, std::string place)
      : issuer_(std::move(issuer)), place_(std::move(place)) {}

  // The keys were read before, and this was said of them.
  void Begin(std::vector<jose::RefusedKey> left_out) {
    ever_succeeded_ = true;
    left_out_ = std::move(left_out);
  }
  // `in_force`: what keys there are all the same.
  void Failed(int64_t now, const std::string& reason, absl::string_view in_force);
  void Succeeded(size_t key_count, const std::vector<jose::RefusedKey>& left_out);

 private:
  const std::string issuer_;
  const std::string place_;
  bool ever_succeeded_ = false;
  int64_t failures_ = 0;  // in a row
  int64_t logged_at_ = 0;
  std::vector<jose::RefusedKey> left_out_;
};

}  // namespace gatehouse::keys
