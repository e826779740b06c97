#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace gatehouse {

// Notices that files have changed, by looking at them now and then: at what a path
// leads to in the end, so that symbolic links which are turned elsewhere count. Of a
// folder, its files but for hidden ones. What comes or goes has changed. Reads none of
// them. For one thread.
class FileWatch {
 public:
  enum class Look {
    kSame,      // as when the last change was told of
    kChanging,  // different, and different from the last look: perhaps half-written still
    kChanged,   // different, and twice in a row the same: told once
  };

  // What is there now counts as known.
  explicit FileWatch(std::vector<std::string> paths) { Follow(std::move(paths)); }

  // From now on these are looked at. What is there now counts as known, where it was
  // not looked at before. True if there is such a path: whoever has read it already
  // may have read what was there before.
  bool Follow(std::vector<std::string> paths);

  Look LookAgain();

  // What is there now counts as known: for whoever is about to read it all.
  void Settle();

  // Whether the last look found anything at `path`.
  bool Found(const std::string& path) const;

 private:
  // Device, inode, size, and the times of the last change of content and of status, in
  // nanoseconds.
  using Stamp = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t>;
  // Of one watched path: the file, or the folder (what it is alone) and its files.
  // Empty: there is nothing.
  using Files = std::map<std::string, Stamp>;
  // By watched path.
  using Picture = std::map<std::string, Files>;

  static Files Find(const std::string& path);
  Picture Take() const;

  std::vector<std::string> paths_;
  Picture known_;
  Picture last_;
};

}  // namespace gatehouse
