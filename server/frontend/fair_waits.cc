#include "server/frontend/fair_waits.h"

#include <algorithm>
#include <utility>

namespace gatehouse::frontend {

FairWaits::Ticket FairWaits::Enter(Group group, GiveUp give_up) {
  GiveUp crowded_out;
  Ticket ticket = 0;
  {
    MutexLock lock(mu_);
    if (taken_ < places_) {
      ++taken_;
    } else {
      const auto fullest = Fullest(group);
      crowded_out = std::move(fullest->second.begin()->second);
      fullest->second.erase(fullest->second.begin());
      if (fullest->second.empty()) groups_.erase(fullest);
    }
    ticket = next_++;
    groups_[group].emplace(ticket, std::move(give_up));
  }
  if (crowded_out) crowded_out();
  return ticket;
}

void FairWaits::Leave(Group group, Ticket ticket) {
  MutexLock lock(mu_);
  const auto place = groups_.find(group);
  if (place == groups_.end() || place->second.erase(ticket) == 0) return;
  --taken_;
  if (place->second.empty()) groups_.erase(place);
}

std::map<FairWaits::Group, FairWaits::Waiting>::iterator FairWaits::Fullest(Group group) {
  const auto most = std::max_element(
      groups_.begin(), groups_.end(),
      [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  const auto own = groups_.find(group);
  return own != groups_.end() && own->second.size() == most->second.size() ? own : most;
}

}  // namespace gatehouse::frontend
