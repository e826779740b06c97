#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "server/revocation/store.h"

namespace gatehouse::revocation {

// Tells `listener` what is in force: steps of some thousand tags, and the revision with the
// last one. How many have ended, which is not told. DATA_LOSS with the reason: fact_by_tag does not
// hold every fact. SQLite's errors are thrown.
absl::StatusOr<int64_t> LoadFacts(SQLite::Database& db, int64_t revision, int64_t cleaned_until,
                                  RevocationListener& listener);

}  // namespace gatehouse::revocation
