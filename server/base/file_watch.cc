#include "server/base/file_watch.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

namespace gatehouse {
namespace {

using Stamp = std::tuple<uint64_t, uint64_t, int64_t, int64_t, int64_t>;

int64_t Nanos(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + int64_t{time.tv_nsec};
}

Stamp StampOf(const struct stat& found) {
  return {found.st_dev, found.st_ino, found.st_size, Nanos(found.st_mtim), Nanos(found.st_ctim)};
}

bool IsHidden(const std::filesystem::path& path) {
  return path.filename().native().starts_with('.');
}

}  // namespace

bool FileWatch::Follow(std::vector<std::string> paths) {
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  paths_ = std::move(paths);
  bool is_new = false;
  Picture known;
  for (const std::string& path : paths_) {
    const auto before = known_.find(path);
    is_new = is_new || before == known_.end();
    known.emplace(path, before == known_.end() ? Find(path) : before->second);
  }
  known_ = std::move(known);
  last_ = known_;
  return is_new;
}

FileWatch::Look FileWatch::LookAgain() {
  Picture now = Take();
  const bool twice = now == last_;
  last_ = std::move(now);
  if (last_ == known_) return Look::kSame;
  if (!twice) return Look::kChanging;
  known_ = last_;
  return Look::kChanged;
}

void FileWatch::Settle() {
  known_ = Take();
  last_ = known_;
}

bool FileWatch::Found(const std::string& path) const {
  const auto found = last_.find(path);
  return found != last_.end() && !found->second.empty();
}

FileWatch::Picture FileWatch::Take() const {
  Picture picture;
  for (const std::string& path : paths_) picture.emplace(path, Find(path));
  return picture;
}

FileWatch::Files FileWatch::Find(const std::string& path) {
  Files out;
  struct stat found{};
  if (stat(path.c_str(), &found) != 0) return out;
  if (!S_ISDIR(found.st_mode)) {
    out[path] = StampOf(found);
    return out;
  }
  // Its other times change with every file that is hidden.
  out[path] = {found.st_dev, found.st_ino, 0, 0, 0};
  std::error_code error;
  for (std::filesystem::directory_iterator file(path, error), end; !error && file != end;
       file.increment(error)) {
    const std::string name = file->path().string();
    if (IsHidden(file->path()) || stat(name.c_str(), &found) != 0 || S_ISDIR(found.st_mode)) {
      continue;
    }
    out[name] = StampOf(found);
  }
  return out;
}

}  // namespace gatehouse
