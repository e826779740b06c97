#include "tests/revocation/faulty_vfs.h"

#include <new>
#include <utility>

namespace gatehouse::revocation {
namespace {

// The real file lies behind it in the memory that SQLite gives.
struct File {
  sqlite3_file base;
  FaultyVfs* vfs;

  static File& Of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static sqlite3_file* Real(sqlite3_file* file) {
    return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
  }
};

// One method, passed on to the real file.
#define GH_FORWARD(method, parameters, ...)                         \
  [] parameters -> int {                                            \
    sqlite3_file* const real = File::Real(file);                    \
    return real->pMethods->method(real __VA_OPT__(, ) __VA_ARGS__); \
  }

int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  if (const int code = File::Of(file).vfs->OnWrite(); code != SQLITE_OK) return code;
  sqlite3_file* const real = File::Real(file);
  return real->pMethods->xWrite(real, data, size, offset);
}

int Sync(sqlite3_file* file, int flags) {
  if (const int code = File::Of(file).vfs->OnSync(); code != SQLITE_OK) return code;
  sqlite3_file* const real = File::Real(file);
  return real->pMethods->xSync(real, flags);
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 1,  // no shared memory: a store in exclusive mode needs none
    .xClose = GH_FORWARD(xClose, (sqlite3_file * file)),
    .xRead = GH_FORWARD(xRead, (sqlite3_file * file, void* data, int size, sqlite3_int64 offset),
                        data, size, offset),
    .xWrite = Write,
    .xTruncate = GH_FORWARD(xTruncate, (sqlite3_file * file, sqlite3_int64 size), size),
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
  auto* const faulty = static_cast<FaultyVfs*>(vfs->pAppData);
  auto* const made = new (file) File{{nullptr}, faulty};
  sqlite3_vfs* const base = faulty->base();
  const int code = base->xOpen(base, name, File::Real(file), flags, out_flags);
  if (File::Real(file)->pMethods != nullptr) made->base.pMethods = &kMethods;
  return code;
}

}  // namespace

FaultyVfs::FaultyVfs() : base_(sqlite3_vfs_find(nullptr)), vfs_(*base_) {
  vfs_.zName = "faulty";
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.xOpen = Open;
  sqlite3_vfs_register(&vfs_, 1);
}

FaultyVfs::~FaultyVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(base_, 1);
}

void FaultyVfs::FailWrites(int code, int after) {
  good_writes_ = after;
  write_code_ = code;
}

void FaultyVfs::FailSyncs(int code, int after) {
  good_syncs_ = after;
  sync_code_ = code;
}

void FaultyVfs::OnNextSync(std::function<void()> call) {
  MutexLock lock(mu_);
  on_next_sync_ = std::move(call);
}

int FaultyVfs::OnWrite() {
  const int code = write_code_;
  if (code == SQLITE_OK || good_writes_.fetch_sub(1) > 0) return SQLITE_OK;
  return code;
}

int FaultyVfs::OnSync() {
  ++syncs_;
  std::function<void()> call;
  {
    MutexLock lock(mu_);
    call.swap(on_next_sync_);
  }
  if (call) call();
  const int code = sync_code_;
  if (code == SQLITE_OK || good_syncs_.fetch_sub(1) > 0) return SQLITE_OK;
  return code;
}

}  // namespace gatehouse::revocation
