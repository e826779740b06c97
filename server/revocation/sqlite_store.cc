#include "server/revocation/sqlite_store.h"

#include <deque>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/mutex.h"
#include "server/base/status_macros.h"
#include "server/revocation/sqlite_database.h"

namespace gatehouse::revocation {
namespace {

class SqliteStore final : public RevocationStore {
 public:
  SqliteStore(size_t max_queued, const Clock& clock, RevocationListener& listener,
              std::unique_ptr<SqliteDatabase> database)
      : max_queued_(max_queued),
        clock_(clock),
        listener_(listener),
        database_(std::move(database)),
        store_id_(database_->store_id()),
        thread_([this] { Run(); }) {}

  ~SqliteStore() override {
    {
      MutexLock lock(mu_);
      stopping_ = true;
    }
    work_.NotifyOne();
    thread_.join();
  }

  const std::string& store_id() const override { return store_id_; }

  void Append(NewFact fact, AppendDone done) override {
    absl::Status refusal;
    {
      MutexLock lock(mu_);
      refusal = Admit(appends_.size());
      if (refusal.ok()) {
        appends_.push_back({std::move(fact), std::move(done)});
        return;
      }
    }
    done(std::move(refusal));
  }

  void List(ListQuery query, ListDone done) override {
    absl::Status refusal;
    {
      MutexLock lock(mu_);
      refusal = Admit(pages_.size());
      if (refusal.ok()) {
        pages_.push_back({query, std::move(done)});
        return;
      }
    }
    done(std::move(refusal));
  }

 private:
  struct PendingAppend {
    NewFact fact;
    AppendDone done;
  };
  struct PendingPage {
    ListQuery query;
    ListDone done;
  };

  // OK, and the thread woken, when one more may be queued behind `queued`.
  absl::Status Admit(size_t queued) GH_REQUIRES(mu_);
  void Run() GH_EXCLUDES(mu_);
  void Commit(std::vector<PendingAppend> group);
  void LogOutcome(const absl::Status& status);

  const size_t max_queued_;
  const Clock& clock_;
  RevocationListener& listener_;
  // Used by the thread alone.
  const std::unique_ptr<SqliteDatabase> database_;
  bool failing_ = false;

  const std::string store_id_;

  Mutex mu_;
  CondVar work_;
  bool stopping_ GH_GUARDED_BY(mu_) = false;
  std::vector<PendingAppend> appends_ GH_GUARDED_BY(mu_);
  std::deque<PendingPage> pages_ GH_GUARDED_BY(mu_);

  std::thread thread_;  // last: it uses all of the above
};

absl::Status SqliteStore::Admit(size_t queued) {
  if (stopping_) return absl::UnavailableError("the revocation store is stopping");
  if (queued >= max_queued_) {
    return absl::UnavailableError(
        absl::StrCat("the revocation store is busy: ", queued, " requests wait already"));
  }
  work_.NotifyOne();
  return absl::OkStatus();
}

void SqliteStore::Run() {
  while (true) {
    std::vector<PendingAppend> group;
    std::optional<PendingPage> page;
    {
      MutexLock lock(mu_);
      while (appends_.empty() && pages_.empty() && !stopping_) work_.Wait(mu_);
      if (appends_.empty() && pages_.empty()) return;
      group.swap(appends_);
      if (!pages_.empty()) {
        page = std::move(pages_.front());
        pages_.pop_front();
      }
    }
    if (!group.empty()) Commit(std::move(group));
    // One page at a time, so that a revocation waits for one at most.
    if (page) page->done(database_->List(page->query));
  }
}

void SqliteStore::Commit(std::vector<PendingAppend> group) {
  std::vector<NewFact> facts;
  facts.reserve(group.size());
  for (PendingAppend& append : group) facts.push_back(std::move(append.fact));
  absl::StatusOr<SqliteDatabase::Group> written = database_->Write(std::move(facts), clock_.Now());
  LogOutcome(written.status());
  if (!written.ok()) {
    // To each a status of its own: Abseil as packaged counts the references of a
    // shared one where ThreadSanitizer cannot see it.
    for (PendingAppend& append : group) {
      append.done(absl::Status(written.status().code(), written.status().message()));
    }
    return;
  }
  if (!written->added.empty()) listener_.OnCommitted(written->added, written->revision);
  for (size_t i = 0; i < group.size(); ++i) group[i].done(std::move(written->results[i]));
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
                      SqliteDatabase::Open(options.path, listener));
  return std::make_unique<SqliteStore>(options.max_queued, clock, listener, std::move(database));
}

}  // namespace gatehouse::revocation
