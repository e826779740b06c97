#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "server/base/mutex.h"
#include "tests/revocation/shim_vfs.h"

namespace gatehouse::revocation {

// A disk that can be made to fail as a full, broken or dying one does.
class FaultyVfs final : public ShimVfs {
 public:
  enum class Operation { kWrite, kSync, kTruncate, kOpen, kDelete };
  enum class After {
    kWell,     // all goes well again
    kTheSame,  // every further one of its kind fails too, with the same code
    kDead,     // so does every one of every kind
  };
  struct Fault {
    Operation operation = Operation::kWrite;
    int64_t nth = 1;  // the first is 1
    int code = SQLITE_IOERR;
    // Of the write that fails first, some of its bytes reach the disk all the same.
    bool tears = false;
    After after = After::kWell;
  };

  FaultyVfs() : ShimVfs("faulty") {}

  // From now on; one fault at a time.
  void Inject(const Fault& fault) GH_EXCLUDES(mu_);
  // How many operations have failed by it.
  int64_t injected() const GH_EXCLUDES(mu_);
  // Told of each file that could not be synced: what the kernel still had of it is then on
  // the disk or not, and a later sync does not bring it there.
  void OnFailedSync(std::function<void(const std::string& path)> call) GH_EXCLUDES(mu_);

  // What every write answers from now on, after `writes` more have gone well;
  // SQLITE_OK ends it.
  void FailWrites(int code, int after = 0);
  // The same for every sync.
  void FailSyncs(int code, int after = 0);
  // Called once, by the thread that syncs next.
  void OnNextSync(std::function<void()> call) GH_EXCLUDES(mu_);

 private:
  int OnWrite(File& file, const void* data, int size, int64_t offset) override;
  int OnTruncate(File& file, int64_t size) override;
  int OnSync(File& file, int flags) override;
  int OnDelete(const char* path, int sync_folder) override;
  int OnOpen(const std::string& path) override;

  // What the next operation answers; `is_first`: of those that fail.
  int Next(Operation operation, bool* is_first = nullptr) GH_EXCLUDES(mu_);

  std::atomic<int> write_code_ = SQLITE_OK;
  std::atomic<int> good_writes_ = 0;
  std::atomic<int> sync_code_ = SQLITE_OK;
  std::atomic<int> good_syncs_ = 0;
  mutable Mutex mu_;
  Fault fault_ GH_GUARDED_BY(mu_) = {.nth = INT64_MAX};
  int64_t seen_ GH_GUARDED_BY(mu_) = 0;  // of the fault's kind
  int64_t injected_ GH_GUARDED_BY(mu_) = 0;
  std::function<void(const std::string&)> on_failed_sync_ GH_GUARDED_BY(mu_);
  std::function<void()> on_next_sync_ GH_GUARDED_BY(mu_);
};

}  // namespace gatehouse::revocation
