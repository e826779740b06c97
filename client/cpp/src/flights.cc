#include "client/cpp/src/flights.h"

#include <utility>

namespace gatehouse::client {

Flights::Joined Flights::Join(const QuestionView& question, uint64_t hash, uint64_t generation,
                              int64_t stale, const WaiterPtr& waiter,
                              const std::function<FlightPtr()>& begin) {
  MutexLock lock(mu_);
  const auto [first, last] = flights_.equal_range(hash);
  for (auto place = first; place != last; ++place) {
    const FlightPtr& flight = place->second;
    if (flight->generation < generation || flight->sent <= stale) continue;
    if (!Same(flight->question.view(), question)) continue;
    flight->waiters.push_back(waiter);
    return {flight, false};
  }
  FlightPtr flight = begin();
  if (flight == nullptr) return {};
  flight->waiters.push_back(waiter);
  flights_.emplace(hash, flight);
  return {std::move(flight), true};
}

std::vector<WaiterPtr> Flights::Land(const FlightPtr& flight) {
  MutexLock lock(mu_);
  const auto [first, last] = flights_.equal_range(flight->hash);
  for (auto place = first; place != last; ++place) {
    if (place->second != flight) continue;
    flights_.erase(place);
    break;
  }
  return std::exchange(flight->waiters, {});
}

}  // namespace gatehouse::client
