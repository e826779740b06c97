#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "server/base/mutex.h"
#include "tests/revocation/shim_vfs.h"

namespace gatehouse::revocation {

// A disk with a cache, whose power can be cut: what was written and not synced yet is then
// there or not, or torn at a sector, each write for itself.
class PowerCutVfs final : public ShimVfs {
 public:
  struct Options {
    // Of all writes, truncations, syncs and deletions so many go well, then the power is
    // cut, and every further one fails.
    int64_t operations = INT64_MAX;
    uint32_t seed = 0;  // of what is lost
  };

  explicit PowerCutVfs(const Options& options)
      : ShimVfs("power-cut"), options_(options), random_(options.seed) {}

  // With every file closed: cuts the power at the latest now, and puts on the real disk what
  // that left. Without it all is there that was written, as after the end of a process.
  void LeaveWhatIsLeft() GH_EXCLUDES(mu_);
  // As after a sync of this file that failed: whatever was not synced before is on the disk
  // or not, and nobody asks for it again.
  void ForgetUnsynced(const std::string& path) GH_EXCLUDES(mu_);

  bool was_cut() const GH_EXCLUDES(mu_);
  int64_t lost_writes() const GH_EXCLUDES(mu_);

 private:
  // A write or a truncation.
  struct Change {
    bool truncates;
    int64_t offset;  // or the size
    std::string data;
  };
  struct State {
    // Surely on the disk.
    bool exists = false;
    std::string content;
    // Since the last sync.
    std::vector<Change> changes;
    bool is_deleted = false;
  };

  int OnWrite(File& file, const void* data, int size, int64_t offset) override;
  int OnTruncate(File& file, int64_t size) override;
  int OnSync(File& file, int flags) override;
  int OnDelete(const char* path, int sync_folder) override;
  void OnOpened(File& file, bool existed) override;

  // False: the power is cut.
  bool Remember(const std::string& path, Change change) GH_EXCLUDES(mu_);
  bool Count() GH_REQUIRES(mu_) { return operations_++ < options_.operations; }
  // The one that the power fails in may have reached the disk too.
  bool IsSeen() const GH_REQUIRES(mu_) { return operations_ - 1 <= options_.operations; }
  // Of what was not synced some reaches the disk.
  void Scatter(State& state) GH_REQUIRES(mu_);
  bool Chance() GH_REQUIRES(mu_) { return random_() % 2 == 0; }

  const Options options_;
  mutable Mutex mu_;
  std::map<std::string, State> files_ GH_GUARDED_BY(mu_);
  std::mt19937 random_ GH_GUARDED_BY(mu_);
  int64_t operations_ GH_GUARDED_BY(mu_) = 0;
  int64_t lost_writes_ GH_GUARDED_BY(mu_) = 0;
};

}  // namespace gatehouse::revocation
