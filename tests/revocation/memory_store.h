#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/mutex.h"
#include "server/revocation/store.h"

namespace gatehouse::revocation {

// What a MemoryStore keeps beyond its own life.
struct MemoryDisk {
  std::string store_id = std::string(32, 'e');
  std::vector<Fact> facts;  // rising by revision, which is the position + 1
};

// The smallest thing that keeps the store's promises, to show that the
// conformance suite asks for no more than those.
class MemoryStore final : public RevocationStore {
 public:
  MemoryStore(MemoryDisk& disk, size_t max_queued, const Clock& clock, RevocationListener& listener)
      : disk_(disk), max_queued_(max_queued), clock_(clock), listener_(listener) {
    listener_.OnCommitted(disk_.facts, Revision());
    thread_ = std::thread([this] { Run(); });
  }
  ~MemoryStore() override {
    {
      MutexLock lock(mu_);
      stopping_ = true;
      work_.NotifyOne();
    }
    thread_.join();
  }

  const std::string& store_id() const override { return disk_.store_id; }

  void Append(NewFact fact, AppendDone done) override {
    if (!Enqueue([=, this] { done(Write(fact)); })) done(absl::UnavailableError("no room"));
  }
  void List(ListQuery query, ListDone done) override {
    if (!Enqueue([=, this] { done(Read(query)); })) done(absl::UnavailableError("no room"));
  }

 private:
  int64_t Revision() const { return static_cast<int64_t>(disk_.facts.size()); }

  bool Enqueue(std::function<void()> work) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    if (stopping_ || queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(work));
    work_.NotifyOne();
    return true;
  }

  void Run() GH_EXCLUDES(mu_) {
    while (true) {
      std::function<void()> work;
      {
        MutexLock lock(mu_);
        while (queue_.empty() && !stopping_) work_.Wait(mu_);
        if (queue_.empty()) return;
        work = std::move(queue_.front());
        queue_.pop_front();
      }
      work();
    }
  }

  AppendResult Write(const NewFact& wanted) {
    for (const Fact& fact : disk_.facts) {
      if (fact.tag == wanted.tag && fact.issued_until >= wanted.issued_until &&
          fact.end_time >= wanted.end_time) {
        return {.fact = fact, .existed = true, .revision = Revision()};
      }
    }
    const int64_t revision = Revision() + 1;
    disk_.facts.push_back({wanted,
                           absl::StrCat(absl::Hex(revision, absl::kZeroPad16),
                                        absl::Hex(~revision, absl::kZeroPad16)),
                           clock_.Now(), revision});
    listener_.OnCommitted({disk_.facts.back()}, revision);
    return {.fact = disk_.facts.back(), .existed = false, .revision = revision};
  }

  ListResult Read(const ListQuery& query) const {
    ListResult result;
    result.revision = Revision();
    for (auto fact = disk_.facts.rbegin(); fact != disk_.facts.rend(); ++fact) {
      if (query.before_revision != 0 && fact->revision >= query.before_revision) continue;
      result.more = result.facts.size() == static_cast<size_t>(query.limit);
      if (result.more) break;
      result.facts.push_back(*fact);
    }
    return result;
  }

  MemoryDisk& disk_;  // used by the thread alone once it runs
  const size_t max_queued_;
  const Clock& clock_;
  RevocationListener& listener_;

  Mutex mu_;
  CondVar work_;
  bool stopping_ GH_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> queue_ GH_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace gatehouse::revocation
