#include "server/frontend/http_later.h"

#include <algorithm>
#include <atomic>
#include <utility>

namespace gatehouse::frontend {

using engine::Effort;
using engine::Examination;
using engine::KeyNews;

// Shared with the key source, which may call long after the wait has ended. Holds nothing
// that holds the source.
struct HttpLater::Signal {
  enum class Outcome { kNone, kTimeUp, kFetched, kFailed, kLookAgain, kCrowdedOut };

  // The first one counts, and ends the wait.
  void End(Outcome how) {
    auto none = Outcome::kNone;
    if (!outcome.compare_exchange_strong(none, how, std::memory_order_acq_rel)) return;
    loop->Post([later = later, number = number] { later->OnWaited(number); });
  }

  HttpLater* later = nullptr;
  uint64_t number = 0;
  std::shared_ptr<HttpLoop> loop;
  std::atomic<Outcome> outcome = Outcome::kNone;
};

HttpLater::~HttpLater() {
  for (auto& [number, waiting] : waiting_) {
    WaitsOf(waiting.request).Leave({waiting.request.caller, waiting.source}, waiting.share);
    waiting.source->Forget(waiting.ticket);
  }
  while (ColdItem* const item = cold_.Pop()) {
    const std::unique_ptr<Item> dropped(static_cast<Item*>(item));
  }
}

FairWaits& HttpLater::WaitsOf(const Request& request) {
  return request.lane == ColdWork::Lane::kRevocations ? waits_.revocations : waits_.questions;
}

void HttpLater::GiveUp(const Step& step) {
  metrics_.CountRefusal(Refusal::kOverload);
  step({.hopeless = true});
}

void HttpLater::PutOff(const Examination& examined, const Turn& turn, const Request& request,
                       const std::shared_ptr<HttpLoop>& loop, Step step) {
  const bool late = clock_.SteadyNanos() >= request.until_nanos;
  switch (examined.kind) {
    case Examination::Kind::kUnknown:
      if (turn.effort == Effort::kFull) break;
      return GoCold(turn, request, *loop, std::move(step));
    case Examination::Kind::kNeedsKeys:
      if (late) break;
      return WaitForKeys(*examined.wait_for, request, loop, std::move(step));
    case Examination::Kind::kUnavailable:
    case Examination::Kind::kDecided:
      break;
  }
  step({.hopeless = true});
}

void HttpLater::GoCold(const Turn& turn, const Request& request, HttpLoop& loop, Step step) {
  auto item = std::make_unique<Item>();
  item->request = request;
  item->news = turn.news;
  item->step = std::move(step);
  ColdItem* refused = nullptr;
  if (turn.news == KeyNews::kNone) {
    refused = cold_.Push(request.lane, request.caller, *item.release());
  } else {
    cold_.PushAgain(request.lane, request.caller, *item.release());
  }
  metrics_.SetColdCalls(cold_.size());
  // One at a time, so that what needs no turn goes on in between.
  loop.Post([this] { RunCold(); });
  if (refused == nullptr) return;
  const std::unique_ptr<Item> given_up(static_cast<Item*>(refused));
  GiveUp(given_up->step);
}

void HttpLater::RunCold() {
  const std::unique_ptr<Item> item(static_cast<Item*>(cold_.Pop()));
  metrics_.SetColdCalls(cold_.size());
  if (item == nullptr) return;  // it was refused to make room
  if (clock_.SteadyNanos() >= item->request.until_nanos) return GiveUp(item->step);
  item->step({.effort = Effort::kFull, .news = item->news});
}

void HttpLater::WaitForKeys(keys::KeySource& source, const Request& request,
                            const std::shared_ptr<HttpLoop>& loop, Step step) {
  const uint64_t number = next_++;
  auto signal = std::make_shared<Signal>();
  signal->later = this;
  signal->number = number;
  signal->loop = loop;
  // The end comes through the loop, whose thread is in here, so not before this has returned.
  Waiting waiting{.signal = signal, .source = &source, .request = request, .step = std::move(step)};
  waiting.share = WaitsOf(request).Enter({request.caller, &source},
                                         [signal] { signal->End(Signal::Outcome::kCrowdedOut); });
  waiting.ticket = source.AwaitFetch([signal](keys::KeySource::Fetched fetched) {
    using Fetched = keys::KeySource::Fetched;
    signal->End(fetched == Fetched::kSucceeded   ? Signal::Outcome::kFetched
                : fetched == Fetched::kLookAgain ? Signal::Outcome::kLookAgain
                                                 : Signal::Outcome::kFailed);
  });
  waiting_.emplace(number, std::move(waiting));
  loop->After(absl::Nanoseconds(request.until_nanos - clock_.SteadyNanos()),
              [signal] { signal->End(Signal::Outcome::kTimeUp); });
}

void HttpLater::OnWaited(uint64_t number) {
  const auto place = waiting_.find(number);
  if (place == waiting_.end()) return;
  const Waiting waiting = std::move(place->second);
  waiting_.erase(place);
  WaitsOf(waiting.request).Leave({waiting.request.caller, waiting.source}, waiting.share);
  waiting.source->Forget(waiting.ticket);
  switch (waiting.signal->outcome.load(std::memory_order_acquire)) {
    case Signal::Outcome::kFetched:
      return waiting.step({.news = KeyNews::kFetched});
    case Signal::Outcome::kLookAgain:
      return waiting.step({.news = KeyNews::kNone});
    case Signal::Outcome::kFailed:
      return waiting.step({.news = KeyNews::kFailed});
    case Signal::Outcome::kCrowdedOut:
      return GiveUp(waiting.step);
    case Signal::Outcome::kTimeUp:
    case Signal::Outcome::kNone:
      break;
  }
  waiting.step({.hopeless = true});
}

}  // namespace gatehouse::frontend
