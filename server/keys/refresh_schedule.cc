#include "server/keys/refresh_schedule.h"

#include <algorithm>

namespace gatehouse::keys {
namespace {

constexpr int64_t kSuspectsApart = 30'000'000'000;
constexpr int64_t kTimeToComeBack = 100'000'000;

}  // namespace

RefreshSchedule::RefreshSchedule(const Times& times, uint32_t seed)
    : cooldown_(absl::ToInt64Nanoseconds(times.cooldown)),
      retry_after_(absl::ToInt64Nanoseconds(times.retry_after)),
      retry_at_most_(absl::ToInt64Nanoseconds(times.retry_at_most)),
      random_(seed),
      retry_(std::min(retry_after_, retry_at_most_)) {}

int64_t RefreshSchedule::NextFetch(bool somebody_waits) const {
  const int64_t due = suspected_ ? std::min(due_, began_ + kSuspectsApart) : due_;
  return somebody_waits ? std::min(due, waiters_due_) : due;
}

void RefreshSchedule::Began(int64_t now, bool somebody_waits) {
  began_ = now;
  suspected_ = false;
  if (somebody_waits) waiters_due_ = now + cooldown_;
}

void RefreshSchedule::Succeeded(absl::Duration lifetime) {
  const int64_t whole = absl::ToInt64Nanoseconds(lifetime);
  std::uniform_int_distribution<int64_t> part(whole / 10 * 8, whole / 10 * 9);
  due_ = began_ + part(random_);
  retry_ = std::min(retry_after_, retry_at_most_);
}

void RefreshSchedule::Failed(int64_t now) {
  // Up to a quarter less, so that replicas that failed together part.
  std::uniform_int_distribution<int64_t> less(0, retry_ / 4);
  due_ = now + retry_ - less(random_);
  retry_ = retry_ > retry_at_most_ / 2 ? retry_at_most_ : retry_ * 2;
}

void RefreshSchedule::SentBack(int64_t now) {
  waiters_due_ = std::max(waiters_due_, now + kTimeToComeBack);
}

}  // namespace gatehouse::keys
