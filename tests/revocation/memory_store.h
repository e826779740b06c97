#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
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
  std::vector<Fact> facts;  // rising by revision
  int64_t revision = 0;
};

// The smallest thing that keeps the store's promises, to show that the
// conformance suite asks for no more than those.
class MemoryStore final : public RevocationStore {
 public:
  MemoryStore(MemoryDisk& disk, size_t max_queued, const Clock& clock, RevocationListener& listener)
      : disk_(disk), max_queued_(max_queued), clock_(clock), listener_(listener) {
    for (const Fact& fact : disk_.facts) Touch(fact.tag);
    Tell();
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

  absl::Duration staleness() const override { return absl::ZeroDuration(); }

  void Append(NewFact fact, Done<AppendResult> done) override {
    if (!Enqueue([=, this] { done(Write(fact)); })) done(absl::UnavailableError("no room"));
  }
  void Reinstate(std::string id, std::string actor, std::string reason,
                 Done<ReinstateResult> done) override {
    if (!Enqueue([=, this] { done(TakeBack(id, actor, reason)); })) {
      done(absl::UnavailableError("no room"));
    }
  }
  void List(ListQuery query, Done<ListResult> done) override {
    if (!Enqueue([=, this] { done(Read(query)); })) done(absl::UnavailableError("no room"));
  }
  void Import(std::vector<Fact> facts, Done<ImportResult> done) override {
    if (!Enqueue([=, this] { done(TakeIn(facts)); })) done(absl::UnavailableError("no room"));
  }
  void Backup(std::string /*path*/, Done<BackupResult> done) override {
    done(absl::UnimplementedError("it lies in memory"));
  }

 private:
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

  static bool InForce(const Fact& fact) { return !fact.reinstated; }
  bool HasEnded(const Fact& fact) const { return fact.suspends && fact.end_time <= clock_.Now(); }
  static bool Contains(const Fact& fact, const NewFact& wanted) {
    if (!InForce(fact) || fact.tag != wanted.tag || fact.end_time < wanted.end_time) return false;
    if (fact.suspends) return wanted.suspends;
    return fact.issued_until >= (wanted.suspends ? kAll : wanted.issued_until);
  }
  const Fact* Containing(const NewFact& wanted) const {
    for (const Fact& fact : disk_.facts) {
      if (Contains(fact, wanted)) return &fact;
    }
    return nullptr;
  }
  std::string NextId() const {
    const int64_t revision = disk_.revision + 1;
    return absl::StrCat(absl::Hex(revision, absl::kZeroPad16),
                        absl::Hex(~revision, absl::kZeroPad16));
  }

  Marks MarksOn(const Tag& tag) const {
    Marks marks;
    for (const Fact& fact : disk_.facts) {
      if (InForce(fact) && fact.tag == tag) marks = marks | MarksOf(fact);
    }
    return marks;
  }
  void Touch(const Tag& tag) { tags_.emplace_back(tag, MarksOn(tag)); }
  void Changed(const Tag& tag, bool reinstates) {
    changes_.push_back({.revision = disk_.revision, .tag = tag, .reinstates = reinstates});
    Touch(tag);
  }
  void Tell() {
    listener_.OnStep({.tags = tags_, .changes = changes_, .revision = disk_.revision});
    tags_.clear();
    changes_.clear();
  }
  const Fact& Add(Fact fact) {
    fact.revision = ++disk_.revision;
    disk_.facts.push_back(std::move(fact));
    Changed(disk_.facts.back().tag, false);
    return disk_.facts.back();
  }

  AppendResult Write(const NewFact& wanted) {
    if (const Fact* const known = Containing(wanted)) {
      return {.fact = *known, .existed = true, .revision = disk_.revision};
    }
    const Fact& fact = Add({wanted, NextId(), clock_.Now()});
    Tell();
    return {.fact = fact, .existed = false, .revision = disk_.revision};
  }

  absl::StatusOr<ReinstateResult> TakeBack(const std::string& id, const std::string& actor,
                                           const std::string& reason) {
    for (Fact& fact : disk_.facts) {
      if (fact.id != id) continue;
      if (fact.reinstated) {
        return ReinstateResult{
            .fact = fact, .existed = true, .left = MarksOn(fact.tag), .revision = disk_.revision};
      }
      if (HasEnded(fact)) break;
      fact.reinstated = {.id = NextId(),
                         .create_time = clock_.Now(),
                         .revision = ++disk_.revision,
                         .actor = actor,
                         .reason = reason};
      Changed(fact.tag, true);
      Tell();
      return ReinstateResult{.fact = fact, .left = MarksOn(fact.tag), .revision = disk_.revision};
    }
    return absl::NotFoundError("no revocation in force has this id");
  }

  absl::StatusOr<ImportResult> TakeIn(const std::vector<Fact>& facts) {
    if (facts.size() > kMaxImport) return absl::InvalidArgumentError("too many");
    for (const Fact& fact : facts) {
      if (fact.id.size() != 32) return absl::InvalidArgumentError("no id");
      for (const Fact& other : disk_.facts) {
        if (other.id == fact.id && other.tag != fact.tag) {
          return absl::InvalidArgumentError("of another");
        }
      }
    }
    ImportResult result;
    for (Fact fact : facts) {
      const auto known = std::find_if(disk_.facts.begin(), disk_.facts.end(),
                                      [&](const Fact& other) { return other.id == fact.id; });
      if (known != disk_.facts.end()) {
        const bool is_news = fact.reinstated.has_value() && !known->reinstated.has_value();
        ++(is_news ? result.added : result.known);
        if (!is_news) continue;
        known->reinstated = fact.reinstated;
        known->reinstated->revision = ++disk_.revision;
        Changed(known->tag, true);
        continue;
      }
      ++result.added;
      const std::optional<Reinstatement> reinstated = std::move(fact.reinstated);
      fact.reinstated.reset();
      Add(std::move(fact));
      if (!reinstated) continue;
      Fact& added = disk_.facts.back();
      added.reinstated = reinstated;
      added.reinstated->revision = ++disk_.revision;
      Changed(added.tag, true);
    }
    if (!changes_.empty()) Tell();
    result.revision = disk_.revision;
    return result;
  }

  bool Fits(const Fact& fact, const ListQuery& query) const {
    return (!query.kind || fact.kind == *query.kind) &&
           (query.issuer.empty() || fact.issuer == query.issuer) &&
           (query.actor.empty() || fact.actor == query.actor) &&
           fact.create_time >= query.created_from && fact.create_time < query.created_before &&
           (query.with_past || (InForce(fact) && !HasEnded(fact)));
  }
  absl::StatusOr<ListResult> Read(const ListQuery& query) const {
    if (query.before_revision < 0 || query.before_revision > disk_.revision + 1) {
      return absl::InvalidArgumentError("before_revision");
    }
    ListResult result;
    result.revision = disk_.revision;
    for (auto fact = disk_.facts.rbegin(); fact != disk_.facts.rend(); ++fact) {
      if (query.before_revision != 0 && fact->revision >= query.before_revision) continue;
      if (!Fits(*fact, query)) continue;
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
  // Of the commit that is being made.
  std::vector<std::pair<Tag, Marks>> tags_;
  std::vector<Change> changes_;

  Mutex mu_;
  CondVar work_;
  bool stopping_ GH_GUARDED_BY(mu_) = false;
  std::deque<std::function<void()>> queue_ GH_GUARDED_BY(mu_);

  std::thread thread_;
};

}  // namespace gatehouse::revocation
