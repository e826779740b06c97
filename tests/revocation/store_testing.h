#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
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
  void OnStep(const StoreStep& step) override {
    Gate* gate = nullptr;
    {
      MutexLock lock(mu_);
      ++calls_;
      told_ += step.tags.size();
      for (const auto& [tag, marks] : step.tags) {
        if (marks.empty()) {
          marks_.erase(tag);
        } else {
          marks_[tag] = marks;
        }
      }
      changes_.insert(changes_.end(), step.changes.begin(), step.changes.end());
      revision_ = step.revision;
      cleaned_until_ = step.cleaned_until;
      gate = gate_;
    }
    if (gate != nullptr) gate->Pass();
  }

  void HoldAt(Gate* gate) {
    MutexLock lock(mu_);
    gate_ = gate;
  }
  // Of every tag that something is in force on.
  absl::flat_hash_map<Tag, Marks> marks() const {
    MutexLock lock(mu_);
    return marks_;
  }
  size_t tags() const {
    MutexLock lock(mu_);
    return marks_.size();
  }
  // How often a tag was told of.
  size_t told() const {
    MutexLock lock(mu_);
    return told_;
  }
  Marks On(const Tag& tag) const {
    MutexLock lock(mu_);
    const auto found = marks_.find(tag);
    return found == marks_.end() ? Marks() : found->second;
  }
  std::vector<Change> changes() const {
    MutexLock lock(mu_);
    return changes_;
  }
  int64_t revision() const {
    MutexLock lock(mu_);
    return revision_;
  }
  absl::Time cleaned_until() const {
    MutexLock lock(mu_);
    return cleaned_until_;
  }
  int calls() const {
    MutexLock lock(mu_);
    return calls_;
  }

 private:
  mutable Mutex mu_;
  Gate* gate_ GH_GUARDED_BY(mu_) = nullptr;
  absl::flat_hash_map<Tag, Marks> marks_ GH_GUARDED_BY(mu_);
  std::vector<Change> changes_ GH_GUARDED_BY(mu_);
  int64_t revision_ GH_GUARDED_BY(mu_) = -1;
  absl::Time cleaned_until_ GH_GUARDED_BY(mu_) = absl::InfinitePast();
  int calls_ GH_GUARDED_BY(mu_) = 0;
  size_t told_ GH_GUARDED_BY(mu_) = 0;
};

inline absl::StatusOr<AppendResult> AppendAndWait(RevocationStore& store, NewFact fact) {
  Promised<absl::StatusOr<AppendResult>> result;
  store.Append(std::move(fact), [&](absl::StatusOr<AppendResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

inline absl::StatusOr<ReinstateResult> ReinstateAndWait(RevocationStore& store,
                                                        const std::string& id) {
  Promised<absl::StatusOr<ReinstateResult>> result;
  store.Reinstate(id, "admin", "it was a mistake",
                  [&](absl::StatusOr<ReinstateResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

inline absl::StatusOr<ListResult> ListAndWait(RevocationStore& store, ListQuery query) {
  Promised<absl::StatusOr<ListResult>> result;
  store.List(std::move(query), [&](absl::StatusOr<ListResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

inline absl::StatusOr<ImportResult> ImportAndWait(RevocationStore& store, std::vector<Fact> facts) {
  Promised<absl::StatusOr<ImportResult>> result;
  store.Import(std::move(facts), [&](absl::StatusOr<ImportResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

inline absl::StatusOr<BackupResult> BackUpAndWait(RevocationStore& store, const std::string& path) {
  Promised<absl::StatusOr<BackupResult>> result;
  store.Backup(path, [&](absl::StatusOr<BackupResult> r) { result.Set(std::move(r)); });
  return result.Take();
}

// All that fit the query, page by page, the oldest first; nothing when a page fails.
inline std::vector<Fact> AllFacts(RevocationStore& store, ListQuery query = {.with_past = true}) {
  std::vector<Fact> facts;
  query.limit = 1000;
  while (true) {
    absl::StatusOr<ListResult> page = ListAndWait(store, query);
    if (!page.ok()) return {};
    for (Fact& fact : page->facts) facts.push_back(std::move(fact));
    if (!page->more) break;
    query.before_revision = facts.back().revision;
  }
  std::reverse(facts.begin(), facts.end());
  return facts;
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

inline NewFact SessionFact(const std::string& session,
                           absl::Time end_time = kStart + absl::Hours(720)) {
  NewFact fact = SubjectFact(session, kAll, end_time);
  fact.kind = TagKind::kSession;
  fact.tag = MakeTag(fact.kind, fact.issuer, session);
  return fact;
}

inline NewFact Suspension(const std::string& subject, absl::Time end_time) {
  NewFact fact = SubjectFact(subject, kAll, end_time);
  fact.suspends = true;
  return fact;
}

}  // namespace gatehouse::revocation
