#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <cstdint>

#include "absl/status/status.h"
#include "server/revocation/store.h"

namespace gatehouse::revocation {

// Tells `listener` what is in force: steps of some thousand tags, and the revision with the
// last one. DATA_LOSS with the reason: fact_by_tag does not hold every fact. SQLite's errors
// are thrown.
absl::Status LoadFacts(SQLite::Database& db, int64_t revision, int64_t cleaned_until,
                       RevocationListener& listener);

}  // namespace gatehouse::revocation
