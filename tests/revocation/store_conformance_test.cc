#include "tests/revocation/store_conformance.h"

#include "server/revocation/sqlite_store.h"
#include "tests/revocation/memory_store.h"
#include "tests/revocation/store_conformance_marks.h"
#include "tests/revocation/temp_folder.h"

namespace gatehouse::revocation {
namespace {

class MemoryBackend {
 public:
  std::unique_ptr<RevocationStore> Open(size_t max_queued, const Clock& clock,
                                        RevocationListener& listener) {
    return std::make_unique<MemoryStore>(disk_, max_queued, clock, listener);
  }

 private:
  MemoryDisk disk_;
};

class SqliteBackend {
 public:
  SqliteBackend() { created_ = CreateSqliteDatabase(path_); }

  std::unique_ptr<RevocationStore> Open(size_t max_queued, const Clock& clock,
                                        RevocationListener& listener) {
    EXPECT_TRUE(created_.ok()) << created_;
    auto store = OpenSqliteStore({.path = path_, .max_queued = max_queued}, clock, listener);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

 private:
  TempFolder folder_;
  std::string path_ = folder_.File("gatehouse.db");
  absl::Status created_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreConformance, MemoryBackend);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreConformance, SqliteBackend);
INSTANTIATE_TYPED_TEST_SUITE_P(Memory, StoreMarks, MemoryBackend);
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreMarks, SqliteBackend);

}  // namespace
}  // namespace gatehouse::revocation
