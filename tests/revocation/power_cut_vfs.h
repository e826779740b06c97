#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "server/base/mutex.h"

namespace gatehouse::revocation {

// While it lives, SQLite's files of this process go through it as through a disk with a
// cache, whose power can be cut: what was written and not synced yet is then there or not,
// or torn at a sector, each write for itself. One at a time; made before the store.
class PowerCutVfs {
 public:
  struct Options {
    // Of all writes, truncations, syncs and deletions so many go well, then the power is
    // cut, and every further one fails.
    int64_t operations = INT64_MAX;
    // What a sync does then is nothing, as with synchronous=OFF.
    bool ignores_syncs = false;
    uint32_t seed = 0;  // of what is lost
  };

  explicit PowerCutVfs(const Options& options);
  ~PowerCutVfs();
  PowerCutVfs(const PowerCutVfs&) = delete;
  PowerCutVfs& operator=(const PowerCutVfs&) = delete;

  // With every file closed: puts on the real disk what the power cut left.
  void LeaveWhatIsLeft() GH_EXCLUDES(mu_);

  int64_t operations() const GH_EXCLUDES(mu_);
  bool was_cut() const GH_EXCLUDES(mu_);
  int64_t lost_writes() const GH_EXCLUDES(mu_);

  // For the functions that SQLite calls. False: the power is cut.
  bool OnWrite(const std::string& path, int64_t offset, const std::string& data) GH_EXCLUDES(mu_);
  bool OnTruncate(const std::string& path, int64_t size) GH_EXCLUDES(mu_);
  bool OnSync(const std::string& path) GH_EXCLUDES(mu_);
  bool OnDelete(const std::string& path) GH_EXCLUDES(mu_);
  void OnOpen(const std::string& path, bool existed, std::string content) GH_EXCLUDES(mu_);
  sqlite3_vfs* base() const { return base_; }

 private:
  struct Operation {
    bool truncates;
    int64_t offset;  // or the size
    std::string data;
  };
  struct File {
    // Surely on the disk.
    bool exists = false;
    std::string content;
    // Since the last sync.
    std::vector<Operation> operations;
    bool is_deleted = false;
  };

  bool Count() GH_REQUIRES(mu_);
  void Apply(const Operation& operation, std::string& content, size_t length) GH_REQUIRES(mu_);
  bool Chance() GH_REQUIRES(mu_) { return random_() % 2 == 0; }

  const Options options_;
  sqlite3_vfs* const base_;
  sqlite3_vfs vfs_;
  mutable Mutex mu_;
  std::map<std::string, File> files_ GH_GUARDED_BY(mu_);
  std::mt19937 random_ GH_GUARDED_BY(mu_);
  int64_t operations_ GH_GUARDED_BY(mu_) = 0;
  int64_t lost_writes_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse::revocation
