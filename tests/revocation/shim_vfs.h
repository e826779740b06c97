#pragma once

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <string>

namespace gatehouse::revocation {

// While it lives, SQLite's files of this process go through it: it stands before the VFS
// that was the default one until then, another of its kind perhaps, and passes on what
// nobody overrides. Made before the store, gone after it and in the opposite order of
// making. Called by whatever thread SQLite is used on.
class ShimVfs {
 public:
  ShimVfs(const ShimVfs&) = delete;
  ShimVfs& operator=(const ShimVfs&) = delete;

  // From now on, every connection that asks for synchronous=FULL runs with
  // synchronous=OFF: SQLite shows its VFS a pragma before it runs it.
  void TurnSynchronousOff() { synchronous_off_ = true; }
  // That reached this one.
  int64_t syncs() const { return syncs_; }

 protected:
  // An open file. Each method passes on to the one behind it.
  class File {
   public:
    // Empty for a temporary one.
    std::string path() const { return name_ == nullptr ? "" : name_; }
    int Read(void* data, int size, int64_t offset);
    int Write(const void* data, int size, int64_t offset);
    int Truncate(int64_t size);
    int Sync(int flags);
    int64_t Size();

   private:
    friend class ShimVfs;
    sqlite3_file base_;  // first: SQLite's view of it
    ShimVfs* vfs_;
    const char* name_;  // SQLite's, which outlives the file

    // It lies behind this one in the memory that SQLite gives.
    sqlite3_file* behind() { return reinterpret_cast<sqlite3_file*>(this + 1); }
    static File& Of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  };

  // `name` shows in SQLite's errors, and outlives it.
  explicit ShimVfs(const char* name);
  virtual ~ShimVfs();

  // What SQLite asks for: an SQLITE_ code.
  virtual int OnWrite(File& file, const void* data, int size, int64_t offset) {
    return file.Write(data, size, offset);
  }
  virtual int OnTruncate(File& file, int64_t size) { return file.Truncate(size); }
  virtual int OnSync(File& file, int flags) { return file.Sync(flags); }
  virtual int OnDelete(const char* path, int sync_folder) { return Delete(path, sync_folder); }
  // Before one is opened, by its path.
  virtual int OnOpen(const std::string& /*path*/) { return SQLITE_OK; }
  // When it was; `existed`: before, too.
  virtual void OnOpened(File& /*file*/, bool /*existed*/) {}

  int Delete(const char* path, int sync_folder) { return base_->xDelete(base_, path, sync_folder); }

 private:
  struct Methods;

  static ShimVfs& Of(sqlite3_vfs* vfs) { return *static_cast<ShimVfs*>(vfs->pAppData); }
  int Open(const char* name, File* file, int flags, int* out_flags);
  int Control(File& file, int op, void* argument) const;

  sqlite3_vfs* const base_;
  sqlite3_vfs vfs_;
  std::atomic<bool> synchronous_off_ = false;
  std::atomic<int64_t> syncs_ = 0;
};

}  // namespace gatehouse::revocation
