#include "client/cpp/src/watched.h"

#include <algorithm>
#include <utility>

namespace gatehouse::client {
namespace {

// Over which those are asked again that one event touches, if they are more than kFew.
constexpr int64_t kSpread = kSecond;
constexpr size_t kFew = 16;
constexpr int64_t kSoon = 50 * kMillisecond;
// Of a token that no change can name: how often it is looked at.
constexpr int64_t kPoll = 30 * kSecond;

}  // namespace

void Watched::Cancel() {
  {
    MutexLock lock(mu_);
    cancelled_ = true;
    while (running_.has_value() && *running_ != std::this_thread::get_id()) ended_.Wait(mu_);
  }
  if (const auto list = list_.lock()) list->Remove(*this);
}

void Watched::Tell(const Answer& denial) {
  std::function<void(Answer)> callback;
  {
    MutexLock lock(mu_);
    if (cancelled_ || callback_ == nullptr) return;
    running_ = std::this_thread::get_id();
    callback.swap(callback_);
  }
  callback(denial);
  MutexLock lock(mu_);
  running_.reset();
  ended_.NotifyAll();
}

std::shared_ptr<Watched> WatchedTokens::Add(std::string token,
                                            std::function<void(Answer)> callback) {
  auto watched = std::make_shared<Watched>(weak_from_this(), std::move(token), std::move(callback));
  {
    MutexLock lock(mu_);
    all_.emplace(watched.get(), watched);
  }
  // Not here: who asks to be told does not have what tells him to stop.
  AskAt(clock_.Now(), watched);
  return watched;
}

void WatchedTokens::AskAt(int64_t when, const WatchedPtr& watched) {
  clock_.At(when, [self = weak_from_this(), weak = std::weak_ptr<Watched>(watched)] {
    const auto list = self.lock();
    const auto one = weak.lock();
    if (list != nullptr && one != nullptr) list->Ask(one);
  });
}

void WatchedTokens::OnEffect(const View::Effect& effect) {
  std::vector<WatchedPtr> touched;
  {
    MutexLock lock(mu_);
    if (effect.everything) {
      touched.reserve(all_.size());
      for (const auto& [watched, weak] : all_) {
        if (auto one = weak.lock(); one != nullptr) touched.push_back(std::move(one));
      }
    } else {
      for (const Tag& tag : effect.tags) {
        const auto place = tagged_.find(tag);
        if (place == tagged_.end()) continue;
        for (Watched* const watched : place->second) {
          if (auto one = all_[watched].lock(); one != nullptr) touched.push_back(std::move(one));
        }
      }
    }
  }
  const int64_t now = clock_.Now();
  for (const WatchedPtr& watched : touched) {
    const bool spread = effect.everything || touched.size() > kFew;
    AskAt(spread ? now + static_cast<int64_t>(static_cast<double>(kSpread) * chance_()) : now,
          watched);
  }
}

void WatchedTokens::Ask(const WatchedPtr& watched) {
  {
    MutexLock lock(mu_);
    if (!watched->listed_) return;
    if (watched->asking_) {
      watched->again_ = true;
      return;
    }
    watched->asking_ = true;
    watched->again_ = false;
  }
  verify_(watched->token_,
          [self = weak_from_this(), weak = std::weak_ptr<Watched>(watched)](const Reply& reply) {
            const auto list = self.lock();
            const auto one = weak.lock();
            if (list != nullptr && one != nullptr) list->OnReply(one, reply);
          });
}

void WatchedTokens::OnReply(const WatchedPtr& watched, const Reply& reply) {
  const AnswerData& answer = *reply.answer;
  if (answer.allow) return OnGood(watched, reply);
  if (answer.error.has_value()) {
    int64_t pause = 0;
    {
      MutexLock lock(mu_);
      watched->asking_ = false;
      pause = watched->backoff_.Next(chance_);
    }
    return AskAt(clock_.Now() + pause, watched);
  }
  Remove(*watched);
  watched->Tell(Answer(reply.answer, false));
}

void WatchedTokens::OnGood(const WatchedPtr& watched, const Reply& reply) {
  std::optional<int64_t> ends;
  bool again = false;
  const Facts& facts = *reply.answer->facts;
  {
    MutexLock lock(mu_);
    if (!watched->listed_) return;
    watched->asking_ = false;
    watched->backoff_.Reset();
    Untag(*watched);
    watched->tags_ = facts.tags;
    for (const Tag& tag : facts.tags) tagged_[tag].insert(watched.get());
    ends = Ends(*watched, *reply.answer);
    again = watched->again_;
  }
  // In this order: a change that comes from here on finds the tags.
  const int64_t now = clock_.Now();
  if (again || view_.Overtaken(facts, reply.generation)) {
    AskAt(now + HalfToAll(kSoon, chance_), watched);
  } else if (facts.tags.empty()) {
    AskAt(now + kPoll, watched);
  }
  if (ends.has_value()) AskAt(*ends, watched);
}

std::optional<int64_t> WatchedTokens::Ends(Watched& watched, const AnswerData& answer) {
  if (answer.principal == nullptr || !answer.principal->expire_time.has_value()) {
    return std::nullopt;
  }
  const WallTime ends = *answer.principal->expire_time;
  const auto left =
      std::chrono::duration_cast<std::chrono::nanoseconds>(ends - clock_.WallNow()).count();
  // The server allows some skew on top: then each second.
  if (left <= 0) return clock_.Now() + kSecond;
  if (watched.ends_ == ends) return std::nullopt;
  watched.ends_ = ends;
  return clock_.Now() + left;
}

void WatchedTokens::Remove(Watched& watched) {
  MutexLock lock(mu_);
  watched.listed_ = false;
  Untag(watched);
  all_.erase(&watched);
}

void WatchedTokens::Untag(Watched& watched) {
  for (const Tag& tag : watched.tags_) {
    const auto place = tagged_.find(tag);
    if (place == tagged_.end()) continue;
    place->second.erase(&watched);
    if (place->second.empty()) tagged_.erase(place);
  }
  watched.tags_.clear();
}

}  // namespace gatehouse::client
