#pragma once

#include <sqlite3.h>

#include <atomic>
#include <functional>

#include "server/base/mutex.h"

namespace gatehouse::revocation {

// While it lives, SQLite's files of this process go through it, and can be made to
// fail as a full or broken disk does. One at a time; made before the store, gone
// after it.
class FaultyVfs {
 public:
  FaultyVfs();
  ~FaultyVfs();
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  // What every write answers from now on, after `writes` more have gone well;
  // SQLITE_OK ends it.
  void FailWrites(int code, int after = 0);
  // The same for every sync.
  void FailSyncs(int code, int after = 0);
  int syncs() const { return syncs_; }
  // Called once, by the thread that syncs next.
  void OnNextSync(std::function<void()> call);

  // For the functions that SQLite calls.
  int OnWrite();
  int OnSync();
  sqlite3_vfs* base() const { return base_; }

 private:
  sqlite3_vfs* const base_;
  sqlite3_vfs vfs_;
  std::atomic<int> write_code_ = SQLITE_OK;
  std::atomic<int> good_writes_ = 0;
  std::atomic<int> sync_code_ = SQLITE_OK;
  std::atomic<int> good_syncs_ = 0;
  std::atomic<int> syncs_ = 0;
  Mutex mu_;
  std::function<void()> on_next_sync_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::revocation
