#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/base/mutex.h"
#include "server/revocation/store.h"

namespace gatehouse::revocation {

// A value that one thread sets, once, and another waits for.
template <typename T>
class Promised {
 public:
  void Set(T value) GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    ++times_;
    value_ = std::make_unique<T>(std::move(value));
    set_.NotifyAll();
  }
  // Once.
  T Take() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (!value_) set_.Wait(mu_);
    return std::move(*value_);
  }
  int times() const GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    return times_;
  }

 private:
  mutable Mutex mu_;
  CondVar set_;
  std::unique_ptr<T> value_ GH_GUARDED_BY(mu_);
  int times_ GH_GUARDED_BY(mu_) = 0;
};

// A door that holds up whoever comes until it is opened.
class Gate {
 public:
  void Pass() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    ++waiting_;
    changed_.NotifyAll();
    while (!open_) changed_.Wait(mu_);
  }
  void Open() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    open_ = true;
    changed_.NotifyAll();
  }
  void AwaitSomebody() GH_EXCLUDES(mu_) {
    MutexLock lock(mu_);
    while (waiting_ == 0) changed_.Wait(mu_);
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool open_ GH_GUARDED_BY(mu_) = false;
  int waiting_ GH_GUARDED_BY(mu_) = 0;
};

// Keeps what it is told, and can be made to hold the store's thread.
class RecordingListener final : public RevocationListener {
 public:
  void OnCommitted(const std::vector<Fact>& facts, int64_t revision) override {
    Gate* gate = nullptr;
    {
      MutexLock lock(mu_);
      ++calls_;
      facts_.insert(facts_.end(), facts.begin(), facts.end());
      revision_ = revision;
      gate = gate_;
    }
    if (gate != nullptr) gate->Pass();
  }

  void HoldAt(Gate* gate) {
    MutexLock lock(mu_);
    gate_ = gate;
  }
  std::vector<Fact> facts() const {
    MutexLock lock(mu_);
    return facts_;
  }
  int64_t revision() const {
    MutexLock lock(mu_);
    return revision_;
  }
  int calls() const {
    MutexLock lock(mu_);
    return calls_;
  }
  bool Has(const std::string& id) const {
    MutexLock lock(mu_);
    for (const Fact& fact : facts_) {
      if (fact.id == id) return true;
    }
    return false;
  }

 private:
  mutable Mutex mu_;
  Gate* gate_ GH_GUARDED_BY(mu_) = nullptr;
  std::vector<Fact> facts_ GH_GUARDED_BY(mu_);
  int64_t revision_ GH_GUARDED_BY(mu_) = -1;
  int calls_ GH_GUARDED_BY(mu_) = 0;
};

inline absl::StatusOr<AppendResult> AppendAndWait(RevocationStore& store, NewFact fact) {
  Promised<absl::StatusOr<AppendResult>> result;
  store.Append(std::move(fact), [&](absl::StatusOr<AppendResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

inline absl::StatusOr<ListResult> ListAndWait(RevocationStore& store, ListQuery query) {
  Promised<absl::StatusOr<ListResult>> result;
  store.List(query, [&](absl::StatusOr<ListResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

inline const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);

// A subject's revocation until `issued_until`, each field different from the others.
inline NewFact SubjectFact(const std::string& subject, int64_t issued_until = 1'800'000'010,
                           absl::Time end_time = kStart + absl::Hours(720)) {
  NewFact fact;
  fact.kind = TagKind::kSubject;
  fact.issuer = "https://issuer.example";
  fact.target = subject;
  fact.tag = MakeTag(fact.kind, fact.issuer, subject);
  fact.issued_until = issued_until;
  fact.end_time = end_time;
  fact.actor = "todo-api";
  fact.reason = absl::StrCat("left: ", subject);
  return fact;
}

}  // namespace gatehouse::revocation
