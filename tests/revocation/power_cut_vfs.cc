#include "tests/revocation/power_cut_vfs.h"

#include <filesystem>
#include <utility>

#include "tests/revocation/temp_folder.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kSector = 512;

void WriteTo(std::string& content, size_t at, const std::string& data, size_t length) {
  if (content.size() < at + length) content.resize(at + length);
  content.replace(at, length, data, 0, length);
}

}  // namespace

bool PowerCutVfs::Remember(const std::string& path, Change change) {
  MutexLock lock(mu_);
  const bool good = Count();
  if (IsSeen()) files_[path].changes.push_back(std::move(change));
  return good;
}

int PowerCutVfs::OnWrite(File& file, const void* data, int size, int64_t offset) {
  Change change{.truncates = false,
                .offset = offset,
                .data = {static_cast<const char*>(data), static_cast<size_t>(size)}};
  if (!Remember(file.path(), std::move(change))) return SQLITE_IOERR_WRITE;
  return file.Write(data, size, offset);
}

int PowerCutVfs::OnTruncate(File& file, int64_t size) {
  if (!Remember(file.path(), {.truncates = true, .offset = size, .data = {}})) {
    return SQLITE_IOERR_TRUNCATE;
  }
  return file.Truncate(size);
}

// The real disk need not sync: it is not its power that is cut.
int PowerCutVfs::OnSync(File& file, int /*flags*/) {
  MutexLock lock(mu_);
  if (!Count()) return SQLITE_IOERR_FSYNC;
  State& state = files_[file.path()];
  for (const Change& change : state.changes) {
    const auto at = static_cast<size_t>(change.offset);
    if (change.truncates) {
      state.content.resize(at);
    } else {
      WriteTo(state.content, at, change.data, change.data.size());
    }
  }
  state.changes.clear();
  // SQLite syncs the folder of a -wal file with it.
  state.exists = true;
  return SQLITE_OK;
}

int PowerCutVfs::OnDelete(const char* path, int sync_folder) {
  {
    MutexLock lock(mu_);
    const bool good = Count();
    if (IsSeen()) files_[path].is_deleted = true;
    if (!good) return SQLITE_IOERR_DELETE;
  }
  return Delete(path, sync_folder);
}

void PowerCutVfs::OnOpened(File& file, bool existed) {
  MutexLock lock(mu_);
  const auto [entry, is_new] = files_.try_emplace(file.path());
  if (!is_new && !entry->second.is_deleted) return;
  // Read through SQLite's own descriptor: closing another would drop its locks.
  std::string content(static_cast<size_t>(file.Size()), '\0');
  if (!content.empty()) file.Read(content.data(), static_cast<int>(content.size()), 0);
  entry->second = {.exists = existed, .content = std::move(content), .changes = {}};
}

void PowerCutVfs::Scatter(State& state) {
  for (const Change& change : state.changes) {
    const auto at = static_cast<size_t>(change.offset);
    const size_t size = change.data.size();
    if (Chance()) {
      state.exists = true;
      if (change.truncates) {
        state.content.resize(at);
      } else {
        WriteTo(state.content, at, change.data, size);
      }
      continue;
    }
    ++lost_writes_;
    if (size <= kSector || Chance()) continue;
    WriteTo(state.content, at, change.data, random_() % (size / kSector) * kSector);
  }
  state.changes.clear();
}

void PowerCutVfs::ForgetUnsynced(const std::string& path) {
  MutexLock lock(mu_);
  Scatter(files_[path]);
}

void PowerCutVfs::LeaveWhatIsLeft() {
  MutexLock lock(mu_);
  for (auto& [path, state] : files_) {
    Scatter(state);
    const bool exists = state.exists && !(state.is_deleted && Chance());
    std::filesystem::remove(path);
    if (exists) TempFolder::WriteFile(path, state.content);
  }
}

bool PowerCutVfs::was_cut() const {
  MutexLock lock(mu_);
  return operations_ > options_.operations;
}
int64_t PowerCutVfs::lost_writes() const {
  MutexLock lock(mu_);
  return lost_writes_;
}

}  // namespace gatehouse::revocation
