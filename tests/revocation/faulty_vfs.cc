#include "tests/revocation/faulty_vfs.h"

#include <utility>

namespace gatehouse::revocation {

void FaultyVfs::Inject(const Fault& fault) {
  MutexLock lock(mu_);
  fault_ = fault;
  seen_ = 0;
  injected_ = 0;
}

int64_t FaultyVfs::injected() const {
  MutexLock lock(mu_);
  return injected_;
}

void FaultyVfs::OnFailedSync(std::function<void(const std::string& path)> call) {
  MutexLock lock(mu_);
  on_failed_sync_ = std::move(call);
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

int FaultyVfs::Next(Operation operation, bool* is_first) {
  MutexLock lock(mu_);
  const bool is_its_kind = operation == fault_.operation;
  if (is_its_kind) ++seen_;
  const bool is_nth = is_its_kind && seen_ == fault_.nth;
  const bool fails =
      is_nth || (injected_ > 0 && (fault_.after == After::kDead ||
                                   (fault_.after == After::kTheSame && is_its_kind)));
  if (!fails) return SQLITE_OK;
  ++injected_;
  if (is_first != nullptr) *is_first = is_nth;
  return fault_.code;
}

int FaultyVfs::OnWrite(File& file, const void* data, int size, int64_t offset) {
  const int code = write_code_;
  if (code != SQLITE_OK && good_writes_.fetch_sub(1) <= 0) return code;
  bool is_first = false;
  const int fault = Next(Operation::kWrite, &is_first);
  if (fault == SQLITE_OK) return file.Write(data, size, offset);
  int torn = 0;
  {
    MutexLock lock(mu_);
    // Another part of it for each n.
    if (is_first && fault_.tears) torn = static_cast<int>(size * (1 + fault_.nth % 7) / 8);
  }
  if (torn > 0) file.Write(data, torn, offset);
  return fault;
}

int FaultyVfs::OnTruncate(File& file, int64_t size) {
  const int fault = Next(Operation::kTruncate);
  return fault == SQLITE_OK ? file.Truncate(size) : fault;
}

int FaultyVfs::OnSync(File& file, int flags) {
  std::function<void()> call;
  {
    MutexLock lock(mu_);
    call.swap(on_next_sync_);
  }
  if (call) call();
  const int code = sync_code_;
  if (code != SQLITE_OK && good_syncs_.fetch_sub(1) <= 0) return code;
  const int fault = Next(Operation::kSync);
  if (fault == SQLITE_OK) return file.Sync(flags);
  std::function<void(const std::string&)> failed;
  {
    MutexLock lock(mu_);
    failed = on_failed_sync_;
  }
  if (failed) failed(file.path());
  return fault;
}

int FaultyVfs::OnDelete(const char* path, int sync_folder) {
  const int fault = Next(Operation::kDelete);
  return fault == SQLITE_OK ? Delete(path, sync_folder) : fault;
}

int FaultyVfs::OnOpen(const std::string& /*path*/) { return Next(Operation::kOpen); }

}  // namespace gatehouse::revocation
