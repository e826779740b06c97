#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/chance.h"
#include "client/cpp/src/clock.h"
#include "client/cpp/src/view.h"
#include "client/cpp/src/wire.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

class WatchedTokens;

// A token whose end somebody wants to hear of.
class Watched {
 public:
  Watched(std::weak_ptr<WatchedTokens> list, std::string token,
          std::function<void(Answer)> callback)
      : list_(std::move(list)), token_(std::move(token)), callback_(std::move(callback)) {}

  // No more callback. Waits for one that runs, but in that itself.
  void Cancel() GH_EXCLUDES(mu_);

 private:
  friend class WatchedTokens;

  void Tell(const Answer& denial) GH_EXCLUDES(mu_);

  const std::weak_ptr<WatchedTokens> list_;
  const std::string token_;

  Mutex mu_;
  CondVar ended_;
  bool cancelled_ GH_GUARDED_BY(mu_) = false;
  std::optional<std::thread::id> running_ GH_GUARDED_BY(mu_);
  std::function<void(Answer)> callback_ GH_GUARDED_BY(mu_);

  // The list's, under its lock.
  bool listed_ = true;
  bool asking_ = false;
  bool again_ = false;  // something came while it was asked
  std::vector<Tag> tags_;
  std::optional<WallTime> ends_;
  Backoff backoff_;
};

// All of them. Asks again about those that a change touches. Thread-safe.
class WatchedTokens : public std::enable_shared_from_this<WatchedTokens> {
 public:
  // Verifies; from memory too, and by a call that is under way.
  using Verify = std::function<void(const std::string& token, std::function<void(const Reply&)>)>;

  WatchedTokens(Clock& clock, View& view, const Chance& chance, Verify verify)
      : clock_(clock), view_(view), chance_(chance), verify_(std::move(verify)) {}

  std::shared_ptr<Watched> Add(std::string token, std::function<void(Answer)> callback)
      GH_EXCLUDES(mu_);
  void OnEffect(const View::Effect& effect) GH_EXCLUDES(mu_);

 private:
  friend class Watched;
  using WatchedPtr = std::shared_ptr<Watched>;

  void AskAt(int64_t when, const WatchedPtr& watched);
  void Ask(const WatchedPtr& watched) GH_EXCLUDES(mu_);
  void OnReply(const WatchedPtr& watched, const Reply& reply) GH_EXCLUDES(mu_);
  void OnGood(const WatchedPtr& watched, const Reply& reply) GH_EXCLUDES(mu_);
  void Remove(Watched& watched) GH_EXCLUDES(mu_);
  void Untag(Watched& watched) GH_REQUIRES(mu_);
  // When the token is to be looked at again because its time is over; nullopt: that is
  // known already.
  std::optional<int64_t> Ends(Watched& watched, const AnswerData& answer) GH_REQUIRES(mu_);

  Clock& clock_;
  View& view_;
  const Chance& chance_;
  const Verify verify_;

  Mutex mu_;
  std::unordered_map<Watched*, std::weak_ptr<Watched>> all_ GH_GUARDED_BY(mu_);
  std::unordered_map<Tag, std::unordered_set<Watched*>, TagHash> tagged_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::client
