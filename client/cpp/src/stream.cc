#include "client/cpp/src/stream.h"

#include <algorithm>

#include "client/cpp/src/errors.h"
#include "client/cpp/src/wire.h"

namespace gatehouse::client {
namespace {

constexpr int kPermissionDenied = 7;
constexpr int kResourceExhausted = 8;
constexpr int kFailedPrecondition = 9;
constexpr int kUnimplemented = 12;
constexpr int kUnauthenticated = 16;
// Between attempts that only somebody's doing can make succeed.
constexpr int64_t kRefusedPause = 30 * kSecond;
constexpr int64_t kRefusedSpread = 2 * kSecond;
// Beyond max_staleness without an answer to a ping, before the connection is given up.
constexpr int64_t kPatience = kSecond;

bool IsRefusal(int code) {
  return code == kPermissionDenied || code == kUnimplemented || code == kUnauthenticated;
}

}  // namespace

WatchLoop::WatchLoop(Transport& transport, Clock& clock, View& view, const Chance& chance,
                     const Settings& settings, OnEffect on_effect)
    : transport_(transport),
      clock_(clock),
      view_(view),
      chance_(chance),
      settings_(settings),
      on_effect_(std::move(on_effect)),
      max_staleness_(std::chrono::nanoseconds(settings.max_staleness).count()),
      // So that one that is lost or late does not end the use of the memory.
      ping_every_(std::min(kSecond, max_staleness_ / 3)) {}

void WatchLoop::Start() { Begin(); }

void WatchLoop::Stop() {
  std::shared_ptr<Transport::Stream> open;
  {
    MutexLock lock(mu_);
    stopped_ = true;
    ++stream_;
    open.swap(open_);
  }
  if (open != nullptr) open->Cancel();
}

int64_t WatchLoop::NotePing() {
  pings_.emplace_back(++ping_, clock_.Now());
  return ping_;
}

void WatchLoop::Begin() {
  uint64_t stream = 0;
  std::string first;
  {
    MutexLock lock(mu_);
    if (stopped_) return;
    stream = ++stream_;
    pings_.clear();
    heard_ = clock_.Now();
    first = EncodeWatch(view_.place(), NotePing());
  }
  const std::weak_ptr<WatchLoop> self = weak_from_this();
  Transport::Events events;
  events.message = [self, stream](const std::string& bytes) {
    if (const auto loop = self.lock()) loop->OnMessage(stream, bytes);
  };
  events.end = [self, stream](const Transport::Status& status) {
    if (const auto loop = self.lock()) loop->OnEnd(stream, status);
  };
  std::shared_ptr<Transport::Stream> open = transport_.Watch(std::move(first), std::move(events));
  {
    MutexLock lock(mu_);
    if (stream == stream_ && !stopped_) open_.swap(open);
  }
  if (open != nullptr) return open->Cancel();
  clock_.At(clock_.Now() + ping_every_, [self, stream] {
    if (const auto loop = self.lock()) loop->Tick(stream);
  });
}

void WatchLoop::BeginAt(int64_t when) {
  const std::weak_ptr<WatchLoop> self = weak_from_this();
  clock_.At(when, [self] {
    if (const auto loop = self.lock()) loop->Begin();
  });
}

void WatchLoop::Tick(uint64_t stream) {
  std::shared_ptr<Transport::Stream> open;
  std::string ping;
  {
    MutexLock lock(mu_);
    if (stream != stream_ || open_ == nullptr) return;
    open = open_;
    if (clock_.Now() - heard_ < max_staleness_ + kPatience)
      ping = EncodeWatch(std::nullopt, NotePing());
  }
  if (ping.empty()) {
    // Nobody answers, and nobody says that the connection is gone.
    transport_.Renew();
    return open->Cancel();
  }
  open->Send(std::move(ping));
  const std::weak_ptr<WatchLoop> self = weak_from_this();
  clock_.At(clock_.Now() + ping_every_, [self, stream] {
    if (const auto loop = self.lock()) loop->Tick(stream);
  });
}

std::optional<int64_t> WatchLoop::Proven(int64_t ping) {
  std::optional<int64_t> sent;
  while (!pings_.empty() && pings_.front().first <= ping) {
    sent = pings_.front().second;
    pings_.pop_front();
  }
  return sent;
}

void WatchLoop::OnMessage(uint64_t stream, const std::string& bytes) {
  std::optional<WatchMessage> message = DecodeWatch(bytes);
  View::Effect effect;
  std::shared_ptr<Transport::Stream> broken;
  {
    MutexLock lock(mu_);
    if (stream != stream_ || stopped_) return;
    if (!message.has_value()) {
      broken = open_;
    } else {
      const std::optional<int64_t> proven = Proven(message->ping);
      if (proven.has_value()) {
        heard_ = *proven;
        backoff_.Reset();
        warned_ = 0;
      }
      effect = view_.Apply(message->news, proven);
    }
  }
  if (broken != nullptr) return broken->Cancel();
  if (effect.everything || !effect.tags.empty()) on_effect_(effect);
}

void WatchLoop::OnEnd(uint64_t stream, const Transport::Status& status) {
  int64_t pause = 0;
  bool everything = false;
  bool warn = false;
  {
    MutexLock lock(mu_);
    if (stream != stream_ || stopped_) return;
    open_.reset();
    ++stream_;
    pause = backoff_.Next(chance_);
    if (IsRefusal(status.code)) {
      pause = kRefusedPause - HalfToAll(kRefusedSpread, chance_);
      // Nobody tells those who wait to be told: let them look themselves.
      everything = true;
      warn = std::exchange(warned_, status.code) != status.code;
    } else if (status.code == kFailedPrecondition || status.code == kResourceExhausted) {
      everything = true;
      view_.Forget();
    }
  }
  if (warn) {
    settings_.warn(Explain("Watch", status, settings_).message +
                   ". Until then nothing is remembered and every question is asked");
  }
  BeginAt(clock_.Now() + pause);
  if (everything) on_effect_({true, {}});
}

}  // namespace gatehouse::client
