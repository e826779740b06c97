#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/cpp/src/chance.h"
#include "client/cpp/src/clock.h"
#include "client/cpp/src/transport.h"
#include "client/cpp/src/view.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

// Keeps one Watch up for as long as it lives, and gives what it tells to the View.
// Thread-safe. What it is given outlives it.
class WatchLoop : public std::enable_shared_from_this<WatchLoop> {
 public:
  // After each message that did something, and when the place was lost or no stream can be
  // had, which is about everything.
  using OnEffect = std::function<void(const View::Effect&)>;

  WatchLoop(Transport& transport, Clock& clock, View& view, const Chance& chance,
            const Settings& settings, OnEffect on_effect);

  void Start();
  void Stop() GH_EXCLUDES(mu_);

 private:
  void Begin() GH_EXCLUDES(mu_);
  void BeginAt(int64_t when);
  void OnMessage(uint64_t stream, const std::string& bytes) GH_EXCLUDES(mu_);
  void OnEnd(uint64_t stream, const Transport::Status& status) GH_EXCLUDES(mu_);
  // A ping's time has come.
  void Tick(uint64_t stream) GH_EXCLUDES(mu_);
  int64_t NotePing() GH_REQUIRES(mu_);
  // When the newest ping up to `ping` was sent on this stream.
  std::optional<int64_t> Proven(int64_t ping) GH_REQUIRES(mu_);

  Transport& transport_;
  Clock& clock_;
  View& view_;
  const Chance& chance_;
  const Settings& settings_;
  const OnEffect on_effect_;
  const int64_t max_staleness_;
  const int64_t ping_every_;

  Mutex mu_;
  bool stopped_ GH_GUARDED_BY(mu_) = false;
  // Names the present stream; events of others are late.
  uint64_t stream_ GH_GUARDED_BY(mu_) = 0;
  std::shared_ptr<Transport::Stream> open_ GH_GUARDED_BY(mu_);
  int64_t ping_ GH_GUARDED_BY(mu_) = 0;
  // Of the present stream: pings that are not answered, and when they were sent.
  std::deque<std::pair<int64_t, int64_t>> pings_ GH_GUARDED_BY(mu_);
  // When the newest that was answered was sent; before that, when the stream was begun.
  int64_t heard_ GH_GUARDED_BY(mu_) = 0;
  Backoff backoff_ GH_GUARDED_BY(mu_);
  // The code that was warned of.
  int warned_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse::client
