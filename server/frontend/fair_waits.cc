#include "server/frontend/fair_waits.h"

#include <utility>

namespace gatehouse::frontend {

FairWaits::Ticket FairWaits::Enter(size_t caller, GiveUp give_up) {
  GiveUp crowded_out;
  Ticket ticket = 0;
  {
    MutexLock lock(mu_);
    std::map<Ticket, GiveUp>& own = waiting_[caller];
    if (own.size() >= per_caller_) {
      crowded_out = std::move(own.begin()->second);
      own.erase(own.begin());
    }
    ticket = next_++;
    own.emplace(ticket, std::move(give_up));
  }
  if (crowded_out) crowded_out();
  return ticket;
}

void FairWaits::Leave(size_t caller, Ticket ticket) {
  MutexLock lock(mu_);
  waiting_[caller].erase(ticket);
}

}  // namespace gatehouse::frontend
