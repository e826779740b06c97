#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "client/cpp/src/chance.h"
#include "client/cpp/src/clock.h"
#include "client/cpp/src/transport.h"
#include "client/cpp/src/view.h"
#include "gatehouse/figures.h"
#include "server/base/mutex.h"

namespace gatehouse::client {

// Makes calls: within their deadlines, again where that is allowed, with the revision that
// they must know of. Thread-safe; outlives its calls.
class Calls {
 public:
  Calls(Transport& transport, Clock& clock, View& view, const Chance& chance,
        const Settings& settings)
      : transport_(transport), clock_(clock), view_(view), chance_(chance), settings_(settings) {}

  // The bytes of a request, for the revision that is required.
  using Build = std::function<std::string(const std::optional<Revision>&)>;
  // The reply, or why there is none.
  using Done = std::function<void(std::optional<Error>, std::string)>;
  // `deadline` is a moment of the clock.
  void Begin(Method method, Build build, int64_t deadline, Done done) GH_EXCLUDES(mu_);
  // Ends all of them, and those that begin later, with kCancelled.
  void Close() GH_EXCLUDES(mu_);

  void AddTo(Figures& figures) const;

 private:
  struct Call;

  void Try(const std::shared_ptr<Call>& call);
  void Ended(const std::shared_ptr<Call>& call, const Transport::Status& status, std::string reply);
  // Only the first end of a call counts.
  void Finish(const std::shared_ptr<Call>& call, std::optional<Error> error, std::string reply)
      GH_EXCLUDES(mu_);
  bool TakeFromBudget() GH_EXCLUDES(mu_);
  void Note(const Transport::Status& status) GH_EXCLUDES(mu_);

  Transport& transport_;
  Clock& clock_;
  View& view_;
  const Chance& chance_;
  const Settings& settings_;
  std::array<std::array<std::atomic<uint64_t>, 17>, kMethods> outcomes_{};
  std::atomic<uint64_t> retries_{0};

  Mutex mu_;
  bool closed_ GH_GUARDED_BY(mu_) = false;
  std::unordered_set<std::shared_ptr<Call>> open_ GH_GUARDED_BY(mu_);
  // Later tries that may be made, in tenths. Begins with ten.
  int64_t budget_ GH_GUARDED_BY(mu_) = 100;
  // Calls since the last answer that nobody answered in time.
  int unanswered_ GH_GUARDED_BY(mu_) = 0;
  int64_t renewed_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse::client
