#include "server/keys/fetch_log.h"

#include <algorithm>

#include "absl/strings/strip.h"
#include "server/base/log.h"

namespace gatehouse::keys {
namespace {

constexpr int64_t kLogEvery = 60'000'000'000;

bool Same(const std::vector<jose::RefusedKey>& a, const std::vector<jose::RefusedKey>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.kid == y.kid && x.reason == y.reason;
  });
}

}  // namespace

void FetchLog::Failed(int64_t now, const std::string& reason, absl::string_view in_force) {
  const bool first = failures_++ == 0;
  if (!first && now - logged_at_ < kLogEvery) return;
  logged_at_ = now;
  log::Error("keys cannot be fetched", {{"issuer", issuer_},
                                        {"from", place_},
                                        {"reason", absl::StripPrefix(reason, place_ + ": ")},
                                        {"in_force", in_force},
                                        {"failures", failures_}});
}

void FetchLog::Succeeded(size_t key_count, const std::vector<jose::RefusedKey>& left_out) {
  if (!ever_succeeded_) {
    log::Info("keys fetched", {{"issuer", issuer_}, {"from", place_}, {"keys", key_count}});
  } else if (failures_ > 0) {
    log::Info("keys fetched again", {{"issuer", issuer_},
                                     {"from", place_},
                                     {"keys", key_count},
                                     {"failures_before", failures_}});
  }
  ever_succeeded_ = true;
  failures_ = 0;
  if (Same(left_out, left_out_)) return;
  left_out_ = left_out;
  for (const jose::RefusedKey& key : left_out_) {
    log::Warning("key left out",
                 {{"issuer", issuer_}, {"from", place_}, {"kid", key.kid}, {"reason", key.reason}});
  }
}

}  // namespace gatehouse::keys
