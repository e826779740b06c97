#include "tests/revocation/power_cut_vfs.h"

#include <filesystem>
#include <new>
#include <utility>

#include "tests/revocation/temp_folder.h"

namespace gatehouse::revocation {
namespace {

constexpr size_t kSector = 512;

// The real file lies behind it in the memory that SQLite gives.
struct OpenFile {
  sqlite3_file base;
  PowerCutVfs* vfs;
  const char* name;  // SQLite's, which outlives the file

  static OpenFile& Of(sqlite3_file* file) { return *reinterpret_cast<OpenFile*>(file); }
  static sqlite3_file* Real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<OpenFile*>(file) + 1);
  }
};

#define GH_FORWARD(method, parameters, ...)                         \
  [] parameters -> int {                                            \
    sqlite3_file* const real = OpenFile::Real(file);                \
    return real->pMethods->method(real __VA_OPT__(, ) __VA_ARGS__); \
  }

int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const OpenFile& self = OpenFile::Of(file);
  const std::string bytes(static_cast<const char*>(data), static_cast<size_t>(size));
  if (!self.vfs->OnWrite(self.name, offset, bytes)) return SQLITE_IOERR_WRITE;
  sqlite3_file* const real = OpenFile::Real(file);
  return real->pMethods->xWrite(real, data, size, offset);
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  const OpenFile& self = OpenFile::Of(file);
  if (!self.vfs->OnTruncate(self.name, size)) return SQLITE_IOERR_TRUNCATE;
  sqlite3_file* const real = OpenFile::Real(file);
  return real->pMethods->xTruncate(real, size);
}

// The real disk need not sync: it is not its power that is cut.
int Sync(sqlite3_file* file, int /*flags*/) {
  const OpenFile& self = OpenFile::Of(file);
  return self.vfs->OnSync(self.name) ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,  // no shared memory: a store in exclusive mode needs none
    .xClose = GH_FORWARD(xClose, (sqlite3_file * file)),
    .xRead = GH_FORWARD(xRead, (sqlite3_file * file, void* data, int size, sqlite3_int64 offset),
                        data, size, offset),
    .xWrite = Write,
    .xTruncate = Truncate,
    .xSync = Sync,
    .xFileSize = GH_FORWARD(xFileSize, (sqlite3_file * file, sqlite3_int64* size), size),
    .xLock = GH_FORWARD(xLock, (sqlite3_file * file, int level), level),
    .xUnlock = GH_FORWARD(xUnlock, (sqlite3_file * file, int level), level),
    .xCheckReservedLock = GH_FORWARD(xCheckReservedLock, (sqlite3_file * file, int* out), out),
    .xFileControl = GH_FORWARD(xFileControl, (sqlite3_file * file, int op, void* arg), op, arg),
    .xSectorSize = GH_FORWARD(xSectorSize, (sqlite3_file * file)),
    .xDeviceCharacteristics = GH_FORWARD(xDeviceCharacteristics, (sqlite3_file * file)),
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* const self = static_cast<PowerCutVfs*>(vfs->pAppData);
  auto* const made = new (file) OpenFile{{nullptr}, self, name};
  sqlite3_vfs* const base = self->base();
  const bool existed = name != nullptr && std::filesystem::exists(name);
  const int code = base->xOpen(base, name, OpenFile::Real(file), flags, out_flags);
  if (OpenFile::Real(file)->pMethods != nullptr) made->base.pMethods = &kMethods;
  if (code != SQLITE_OK) return code;
  // Read through SQLite's own descriptor: closing another would drop its locks.
  sqlite3_file* const real = OpenFile::Real(file);
  sqlite3_int64 size = 0;
  real->pMethods->xFileSize(real, &size);
  std::string content(static_cast<size_t>(size), '\0');
  if (size > 0) real->pMethods->xRead(real, content.data(), static_cast<int>(size), 0);
  self->OnOpen(name, existed, std::move(content));
  return SQLITE_OK;
}

int Delete(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  auto* const self = static_cast<PowerCutVfs*>(vfs->pAppData);
  if (!self->OnDelete(name)) return SQLITE_IOERR_DELETE;
  return self->base()->xDelete(self->base(), name, sync_folder);
}

}  // namespace

PowerCutVfs::PowerCutVfs(const Options& options)
    : options_(options), base_(sqlite3_vfs_find(nullptr)), vfs_(*base_), random_(options.seed) {
  vfs_.zName = "power-cut";
  vfs_.szOsFile = static_cast<int>(sizeof(OpenFile)) + base_->szOsFile;
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.xOpen = Open;
  vfs_.xDelete = Delete;
  sqlite3_vfs_register(&vfs_, 1);
}

PowerCutVfs::~PowerCutVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(base_, 1);
}

bool PowerCutVfs::Count() { return operations_++ < options_.operations; }

bool PowerCutVfs::OnWrite(const std::string& path, int64_t offset, const std::string& data) {
  MutexLock lock(mu_);
  // The one that the power fails in may have reached the disk too.
  const bool good = Count();
  if (operations_ <= options_.operations + 1) {
    files_[path].operations.push_back({.truncates = false, .offset = offset, .data = data});
  }
  return good;
}

bool PowerCutVfs::OnTruncate(const std::string& path, int64_t size) {
  MutexLock lock(mu_);
  const bool good = Count();
  if (operations_ <= options_.operations + 1) {
    files_[path].operations.push_back({.truncates = true, .offset = size, .data = {}});
  }
  return good;
}

bool PowerCutVfs::OnSync(const std::string& path) {
  MutexLock lock(mu_);
  if (!Count()) return false;
  if (options_.ignores_syncs) return true;
  File& file = files_[path];
  for (const Operation& operation : file.operations) {
    Apply(operation, file.content, operation.data.size());
  }
  file.operations.clear();
  // SQLite syncs the folder of a -wal file with it.
  file.exists = true;
  return true;
}

bool PowerCutVfs::OnDelete(const std::string& path) {
  MutexLock lock(mu_);
  const bool good = Count();
  if (operations_ <= options_.operations + 1) files_[path].is_deleted = true;
  return good;
}

void PowerCutVfs::OnOpen(const std::string& path, bool existed, std::string content) {
  MutexLock lock(mu_);
  const auto [file, is_new] = files_.try_emplace(path);
  if (!is_new && !file->second.is_deleted) return;
  file->second = {.exists = existed, .content = std::move(content), .operations = {}};
}

void PowerCutVfs::Apply(const Operation& operation, std::string& content, size_t length) {
  const auto at = static_cast<size_t>(operation.offset);
  if (operation.truncates) return content.resize(at);
  if (content.size() < at + length) content.resize(at + length);
  content.replace(at, length, operation.data, 0, length);
}

void PowerCutVfs::LeaveWhatIsLeft() {
  MutexLock lock(mu_);
  for (auto& [path, file] : files_) {
    bool exists = file.exists;
    for (const Operation& operation : file.operations) {
      const size_t size = operation.data.size();
      if (Chance()) {
        Apply(operation, file.content, size);
        exists = true;
        continue;
      }
      ++lost_writes_;
      if (size <= kSector || Chance()) continue;
      Apply(operation, file.content, random_() % (size / kSector) * kSector);
    }
    if (file.is_deleted && Chance()) exists = false;
    std::filesystem::remove(path);
    if (exists) TempFolder::WriteFile(path, file.content);
  }
}

int64_t PowerCutVfs::operations() const {
  MutexLock lock(mu_);
  return operations_;
}
bool PowerCutVfs::was_cut() const { return operations() > options_.operations; }
int64_t PowerCutVfs::lost_writes() const {
  MutexLock lock(mu_);
  return lost_writes_;
}

}  // namespace gatehouse::revocation
