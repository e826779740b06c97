#include "tests/revocation/shim_vfs.h"

#include <cstring>
#include <filesystem>
#include <new>

namespace gatehouse::revocation {

// For SQLite, which knows functions only.
struct ShimVfs::Methods {
// One method, passed on to the file behind.
#define GH_FORWARD(method, parameters, ...)                             \
  [] parameters -> int {                                                \
    sqlite3_file* const behind = File::Of(file).behind();               \
    return behind->pMethods->method(behind __VA_OPT__(, ) __VA_ARGS__); \
  }

  static int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
    return File::Of(file).vfs_->OnWrite(File::Of(file), data, size, offset);
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) {
    return File::Of(file).vfs_->OnTruncate(File::Of(file), size);
  }
  static int Sync(sqlite3_file* file, int flags) {
    ++File::Of(file).vfs_->syncs_;
    return File::Of(file).vfs_->OnSync(File::Of(file), flags);
  }
  static int Control(sqlite3_file* file, int op, void* argument) {
    return File::Of(file).vfs_->Control(File::Of(file), op, argument);
  }
  static int Open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags,
                  int* out_flags) {
    return Of(vfs).Open(name, reinterpret_cast<File*>(file), flags, out_flags);
  }
  static int Delete(sqlite3_vfs* vfs, const char* path, int sync_folder) {
    return Of(vfs).OnDelete(path, sync_folder);
  }

  static constexpr sqlite3_io_methods kFile = {
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
      .xFileControl = Control,
      .xSectorSize = GH_FORWARD(xSectorSize, (sqlite3_file * file)),
      .xDeviceCharacteristics = GH_FORWARD(xDeviceCharacteristics, (sqlite3_file * file)),
      .xShmMap = nullptr,
      .xShmLock = nullptr,
      .xShmBarrier = nullptr,
      .xShmUnmap = nullptr,
      .xFetch = nullptr,
      .xUnfetch = nullptr,
  };
#undef GH_FORWARD
};

int ShimVfs::File::Read(void* data, int size, int64_t offset) {
  return behind()->pMethods->xRead(behind(), data, size, offset);
}
int ShimVfs::File::Write(const void* data, int size, int64_t offset) {
  return behind()->pMethods->xWrite(behind(), data, size, offset);
}
int ShimVfs::File::Truncate(int64_t size) { return behind()->pMethods->xTruncate(behind(), size); }
int ShimVfs::File::Sync(int flags) { return behind()->pMethods->xSync(behind(), flags); }
int64_t ShimVfs::File::Size() {
  sqlite3_int64 size = 0;
  behind()->pMethods->xFileSize(behind(), &size);
  return size;
}

ShimVfs::ShimVfs(const char* name) : base_(sqlite3_vfs_find(nullptr)), vfs_(*base_) {
  vfs_.zName = name;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
  vfs_.pAppData = this;
  vfs_.pNext = nullptr;
  vfs_.xOpen = Methods::Open;
  vfs_.xDelete = Methods::Delete;
  sqlite3_vfs_register(&vfs_, 1);
}

ShimVfs::~ShimVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(base_, 1);
}

int ShimVfs::Open(const char* name, File* file, int flags, int* out_flags) {
  auto* const made = new (file) File;
  made->base_.pMethods = nullptr;
  made->vfs_ = this;
  made->name_ = name;
  if (const int code = OnOpen(made->path()); code != SQLITE_OK) return code;
  const bool existed = name != nullptr && std::filesystem::exists(name);
  made->behind()->pMethods = nullptr;
  const int code = base_->xOpen(base_, name, made->behind(), flags, out_flags);
  if (made->behind()->pMethods != nullptr) made->base_.pMethods = &Methods::kFile;
  if (code == SQLITE_OK) OnOpened(*made, existed);
  return code;
}

int ShimVfs::Control(File& file, int op, void* argument) const {
  if (op == SQLITE_FCNTL_PRAGMA && synchronous_off_) {
    auto* const words = static_cast<char**>(argument);  // an answer, the name, the value
    if (std::strcmp(words[1], "synchronous") == 0 && words[2] != nullptr &&
        std::strcmp(words[2], "FULL") == 0) {
      std::strcpy(words[2], "OFF");
    }
  }
  return file.behind()->pMethods->xFileControl(file.behind(), op, argument);
}

}  // namespace gatehouse::revocation
