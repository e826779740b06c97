#include "server/revocation/sqlite_store.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_backup.h"
#include "server/revocation/sqlite_cleanup.h"
#include "server/revocation/sqlite_database.h"

namespace gatehouse::revocation {
namespace {

// To each a status of its own: Abseil as packaged counts the references of a shared one
// where ThreadSanitizer cannot see it.
absl::Status Copy(const absl::Status& status) {
  return absl::Status(status.code(), status.message());
}

// How long a write waits for others to share its commit, where several did lately. Real
// time whatever the clock: nothing but how many share it follows from it.
constexpr std::chrono::microseconds kCompanyWait{2000};

// How many writes the last commits held.
class LatestGroups {
 public:
  void Add(size_t size) { sizes_[next_++ % sizes_.size()] = size; }
  size_t Largest() const { return *std::max_element(sizes_.begin(), sizes_.end()); }

 private:
  std::array<size_t, 8> sizes_{};
  size_t next_ = 0;
};

class SqliteStore final : public RevocationStore {
 public:
  SqliteStore(const SqliteOptions& options, const Clock& clock, RevocationListener& listener,
              std::unique_ptr<SqliteDatabase> database)
      : max_queued_(options.max_queued),
        counters_(options.counters),
        clock_(clock),
        listener_(listener),
        database_(std::move(database)),
        cleanup_(options, clock, *database_,
                 [this](const StoreStep& step) { listener_.OnStep(step); }),
        store_id_(database_->store_id()),
        thread_([this] { Run(); }) {}

  ~SqliteStore() override {
    {
      MutexLock lock(mu_);
      stopping_ = true;
    }
    work_.NotifyOne();
    thread_.join();
    if (copying_thread_.joinable()) copying_thread_.join();
  }

  const std::string& store_id() const override { return store_id_; }
  absl::Duration staleness() const override { return absl::ZeroDuration(); }

  void Append(NewFact fact, Done<AppendResult> done) override {
    AskToWrite({.operation = std::move(fact), .done = std::move(done)});
  }
  void Reinstate(std::string id, std::string actor, std::string reason,
                 Done<ReinstateResult> done) override {
    AskToWrite({.operation = SqliteDatabase::TakeBack{.id = std::move(id),
                                                      .actor = std::move(actor),
                                                      .reason = std::move(reason)},
                .done = std::move(done)});
  }
  void List(ListQuery query, Done<ListResult> done) override;
  void Import(std::vector<Fact> facts, Done<ImportResult> done) override;
  void Backup(std::string path, Done<BackupResult> done) override;

 private:
  struct PendingWrite {
    SqliteDatabase::Operation operation;
    std::variant<Done<AppendResult>, Done<ReinstateResult>> done;
  };
  // Runs one slice of something; whether it is finished.
  using Task = std::function<bool()>;

  // OK when one more may be queued behind `queued`.
  absl::Status Admit(size_t queued) GH_REQUIRES(mu_);
  void AskToWrite(PendingWrite write) GH_EXCLUDES(mu_);
  // OK, or what the caller is to be told.
  absl::Status Ask(Task task) GH_EXCLUDES(mu_);

  void Run() GH_EXCLUDES(mu_);
  // Whether there is nothing to do now.
  bool IsIdle() GH_REQUIRES(mu_);
  // A commit costs the same for one as for many. Where several shared one lately more are
  // likely on their way: commits of one or two that follow each other closely take most of a
  // core. Whoever writes alone, time after time, never waits.
  void AwaitCompany() GH_REQUIRES(mu_);
  void WriteAll(std::vector<PendingWrite> group);
  static void Answer(PendingWrite& write, absl::StatusOr<SqliteDatabase::Outcome> outcome,
                     int64_t revision);
  bool BackUpSome(const std::string& path, const Done<BackupResult>& done) GH_EXCLUDES(mu_);
  void FinishBackup(std::unique_ptr<SqliteBackup> backup, Done<BackupResult> done) GH_EXCLUDES(mu_);
  void LogOutcome(const absl::Status& status);

  const size_t max_queued_;
  StoreCounters* const counters_;  // or null
  const Clock& clock_;
  RevocationListener& listener_;
  // Used by the thread alone.
  const std::unique_ptr<SqliteDatabase> database_;
  SqliteCleanup cleanup_;
  LatestGroups groups_;
  std::unique_ptr<SqliteBackup> backup_;
  // Waits for the disk, so that the store's own thread need not.
  std::thread copying_thread_;
  bool failing_ = false;

  const std::string store_id_;

  Mutex mu_;
  CondVar work_;
  bool stopping_ GH_GUARDED_BY(mu_) = false;
  std::vector<PendingWrite> writes_ GH_GUARDED_BY(mu_);
  // With how many of them the thread has enough.
  size_t enough_ GH_GUARDED_BY(mu_) = 1;
  // Each runs for one slice in its turn, between commits.
  std::deque<Task> tasks_ GH_GUARDED_BY(mu_);
  // A backup is begun, or waits for the disk.
  bool copying_ GH_GUARDED_BY(mu_) = false;

  std::thread thread_;  // last: it uses all of the above
};

absl::Status SqliteStore::Admit(size_t queued) {
  if (stopping_) return absl::UnavailableError("the revocation store is stopping");
  if (queued >= max_queued_) {
    if (counters_ != nullptr) counters_->Count(WriteError::kBusy);
    return absl::UnavailableError(
        absl::StrCat("the revocation store is busy: ", queued, " requests wait already"));
  }
  return absl::OkStatus();
}

void SqliteStore::AskToWrite(PendingWrite write) {
  absl::Status refusal;
  {
    MutexLock lock(mu_);
    refusal = Admit(writes_.size());
    if (refusal.ok()) {
      writes_.push_back(std::move(write));
      if (writes_.size() >= enough_) work_.NotifyOne();
      return;
    }
  }
  Answer(write, std::move(refusal), 0);
}

absl::Status SqliteStore::Ask(Task task) {
  MutexLock lock(mu_);
  GH_RETURN_IF_ERROR(Admit(tasks_.size()));
  tasks_.push_back(std::move(task));
  work_.NotifyOne();
  return absl::OkStatus();
}

void SqliteStore::List(ListQuery query, Done<ListResult> done) {
  const auto listing = std::make_shared<SqliteDatabase::Listing>();
  listing->query = std::move(query);
  absl::Status refusal = Ask([this, listing, done] {
    const absl::StatusOr<bool> complete = database_->ListOn(*listing, clock_.Now());
    if (complete.ok() && !*complete) return false;
    if (complete.ok()) {
      done(std::move(listing->result));
    } else {
      done(complete.status());
    }
    return true;
  });
  if (!refusal.ok()) done(std::move(refusal));
}

void SqliteStore::Import(std::vector<Fact> facts, Done<ImportResult> done) {
  const auto asked = std::make_shared<std::vector<Fact>>(std::move(facts));
  absl::Status refusal = Ask([this, asked, done] {
    auto imported = database_->Import(std::move(*asked));
    if (!absl::IsInvalidArgument(imported.status())) LogOutcome(imported.status());
    if (imported.ok()) {
      if (!imported->first.changes.empty()) listener_.OnStep(imported->first.step());
      done(imported->second);
    } else {
      done(imported.status());
    }
    return true;
  });
  if (!refusal.ok()) done(std::move(refusal));
}

void SqliteStore::Backup(std::string path, Done<BackupResult> done) {
  absl::Status refusal;
  {
    MutexLock lock(mu_);
    refusal =
        copying_ ? absl::UnavailableError("a backup is being made already") : Admit(tasks_.size());
    if (refusal.ok()) {
      copying_ = true;
      tasks_.emplace_back([this, path, done] { return BackUpSome(path, done); });
      work_.NotifyOne();
      return;
    }
  }
  done(std::move(refusal));
}

bool SqliteStore::BackUpSome(const std::string& path, const Done<BackupResult>& done) {
  absl::Status failure;
  if (!backup_) {
    absl::StatusOr<std::unique_ptr<SqliteBackup>> begun =
        SqliteBackup::Begin(database_->connection(), path);
    failure = begun.status();
    if (failure.ok()) backup_ = *std::move(begun);
  }
  if (failure.ok()) {
    const absl::StatusOr<bool> copied = backup_->CopySome();
    if (copied.ok() && !*copied) return false;
    failure = copied.status();
  }
  std::unique_ptr<SqliteBackup> backup = std::move(backup_);
  if (failure.ok()) {
    if (copying_thread_.joinable()) copying_thread_.join();
    copying_thread_ = std::thread([this, backup = std::move(backup), done = done]() mutable {
      FinishBackup(std::move(backup), std::move(done));
    });
    return true;
  }
  // What was begun is gone before anybody is told.
  backup.reset();
  {
    MutexLock lock(mu_);
    copying_ = false;
  }
  done(std::move(failure));
  return true;
}

void SqliteStore::FinishBackup(std::unique_ptr<SqliteBackup> backup, Done<BackupResult> done) {
  const auto result = std::make_shared<absl::StatusOr<BackupResult>>(backup->Finish());
  backup.reset();
  MutexLock lock(mu_);
  copying_ = false;
  tasks_.emplace_back([result, done = std::move(done)] {
    done(std::move(*result));
    return true;
  });
  work_.NotifyOne();
}

bool SqliteStore::IsIdle() {
  if (!writes_.empty() || !tasks_.empty()) return false;
  if (stopping_) return copying_;
  return clock_.SteadyNanos() < cleanup_.due();
}

void SqliteStore::AwaitCompany() {
  const size_t enough = groups_.Largest();
  if (writes_.empty() || writes_.size() >= enough || !tasks_.empty() || stopping_) return;
  enough_ = enough;
  work_.WaitFor(mu_, kCompanyWait);
  enough_ = 1;
}

void SqliteStore::Run() {
  while (true) {
    std::vector<PendingWrite> group;
    Task task;
    bool is_cleaning = false;
    {
      MutexLock lock(mu_);
      while (IsIdle()) clock_.WaitUntil(mu_, work_, stopping_ ? kAll : cleanup_.due());
      AwaitCompany();
      if (writes_.empty() && tasks_.empty() && stopping_) return;
      // Due until its round is over; what is left of one waits for the next start.
      is_cleaning = !stopping_ && clock_.SteadyNanos() >= cleanup_.due();
      group.swap(writes_);
      if (!tasks_.empty()) {
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
    }
    if (!group.empty()) {
      groups_.Add(group.size());
      WriteAll(std::move(group));
    }
    // A slice of each, so that a revocation waits for no more.
    if (is_cleaning) cleanup_.Step();
    if (!task || task()) continue;
    MutexLock lock(mu_);
    tasks_.push_back(std::move(task));
  }
}

void SqliteStore::WriteAll(std::vector<PendingWrite> group) {
  std::vector<SqliteDatabase::Operation> operations;
  operations.reserve(group.size());
  for (PendingWrite& write : group) operations.push_back(std::move(write.operation));
  absl::StatusOr<SqliteDatabase::Commit> commit =
      database_->Write(std::move(operations), clock_.Now());
  LogOutcome(commit.status());
  if (!commit.ok()) {
    for (PendingWrite& write : group) Answer(write, Copy(commit.status()), 0);
    return;
  }
  if (!commit->changes.empty()) listener_.OnStep(commit->step());
  for (size_t i = 0; i < group.size(); ++i) {
    SqliteDatabase::Outcome& outcome = commit->outcomes[i];
    if (outcome.refusal.ok()) {
      Answer(group[i], std::move(outcome), commit->revision);
    } else {
      Answer(group[i], std::move(outcome.refusal), 0);
    }
  }
}

void SqliteStore::Answer(PendingWrite& write, absl::StatusOr<SqliteDatabase::Outcome> outcome,
                         int64_t revision) {
  std::visit(
      [&]<typename Result>(const Done<Result>& done) {
        // Its own, which nobody else counts the references of.
        if (!outcome.ok()) return done(std::move(outcome).status());
        Result result{};
        result.fact = std::move(outcome->fact);
        result.existed = outcome->existed;
        result.revision = revision;
        if constexpr (std::is_same_v<Result, ReinstateResult>) result.left = outcome->left;
        done(std::move(result));
      },
      write.done);
}

// The first failure and the first success after it, not each of thousands.
void SqliteStore::LogOutcome(const absl::Status& status) {
  if (status.ok() != failing_) return;
  failing_ = !status.ok();
  if (failing_) {
    log::Error("revocations cannot be written",
               {{"file", database_->path()}, {"error", status.message()}});
  } else {
    log::Info("revocations are written again", {{"file", database_->path()}});
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RevocationStore>> OpenSqliteStore(const SqliteOptions& options,
                                                                 const Clock& clock,
                                                                 RevocationListener& listener) {
  GH_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                      SqliteDatabase::Open(options.path, listener, options.counters));
  return std::make_unique<SqliteStore>(options, clock, listener, std::move(database));
}

}  // namespace gatehouse::revocation
