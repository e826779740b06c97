// What the revocation index costs in process: a look-up at several sizes, and the start with
// a database of many entries. One JSON object a run.

#include <SQLiteCpp/SQLiteCpp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/base/clock.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_load.h"
#include "server/revocation/sqlite_schema.h"
#include "server/revocation/sqlite_store.h"

ABSL_FLAG(std::string, part, "",
          "look-ups; make (a database); parts (of a start, one after the other) or start");
ABSL_FLAG(int64_t, entries, 1'000'000, "Entries of the largest index, and of the database");
ABSL_FLAG(int, rounds, 5, "Of look-ups");
ABSL_FLAG(std::string, database, "", "Path of the database");

namespace gatehouse::bench {
namespace {

using revocation::Marks;
using revocation::RevocationIndex;
using revocation::Tag;
using revocation::TokenTags;

struct Times {
  double wall = 0;  // seconds
  double cpu = 0;

  static Times Now() {
    timespec wall{};
    timespec cpu{};
    clock_gettime(CLOCK_MONOTONIC, &wall);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return {.wall = static_cast<double>(wall.tv_sec) + static_cast<double>(wall.tv_nsec) / 1e9,
            .cpu = static_cast<double>(cpu.tv_sec) + static_cast<double>(cpu.tv_nsec) / 1e9};
  }
  Times Since() const {
    const Times now = Now();
    return {.wall = now.wall - wall, .cpu = now.cpu - cpu};
  }
  std::string ToJson() const {
    return absl::StrFormat(R"({"seconds": %.4f, "cpu_seconds": %.4f})", wall, cpu);
  }
};

int Fail(const std::string& why) {
  std::fprintf(stderr, "gatehouse-revocation-bench: %s\n", why.c_str());
  return 1;
}

std::vector<Tag> RandomTags(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Tag> tags(count);
  for (Tag& tag : tags) {
    const uint64_t words[2] = {random(), random()};
    std::memcpy(tag.bytes.data(), words, sizeof(words));
  }
  return tags;
}

std::unique_ptr<RevocationIndex> IndexOf(const std::vector<Tag>& tags) {
  auto index = std::make_unique<RevocationIndex>();
  index->OnLoading(tags.size());
  std::vector<std::pair<Tag, Marks>> entries;
  entries.reserve(tags.size());
  for (const Tag& tag : tags) {
    entries.emplace_back(tag, MarksOf(revocation::NewFact{.issued_until = revocation::kAll}));
  }
  index->OnStep({.tags = entries, .revision = static_cast<int64_t>(tags.size())});
  return index;
}

// Nanoseconds of CPU for each of at least a million look-ups of these tags in turn; negative
// when one was answered otherwise than `expected`.
double LookUp(const RevocationIndex& index, const std::vector<Tag>& tags, bool expected) {
  constexpr size_t kLeast = 1'000'000;
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  const size_t turns = (kLeast + tags.size() - 1) / tags.size();
  TokenTags token;
  token.tags.resize(1);
  size_t revoked = 0;
  const Times begin = Times::Now();
  for (size_t turn = 0; turn < turns; ++turn) {
    for (const Tag& tag : tags) {
      token.tags[0] = tag;
      revoked += index.IsRevoked(token, now) ? 1U : 0U;
    }
  }
  const double nanos = begin.Since().cpu * 1e9;
  const size_t asked = turns * tags.size();
  return revoked == (expected ? asked : 0) ? nanos / static_cast<double>(asked) : -1;
}

// The ways to walk through an index; so many different tags that no branch predictor learns
// them by heart.
struct Walks {
  explicit Walks(const std::vector<Tag>& entries) {
    constexpr size_t kLeast = size_t{1} << 16;
    constexpr size_t kFew = 1000;
    std::mt19937_64 random(7);
    while (hits.size() < kLeast || hits.size() < entries.size()) {
      hits.insert(hits.end(), entries.begin(), entries.end());
    }
    ordered = hits;
    few.reserve(kLeast);
    // Not the first ones, which found the table empty and lie where they belong.
    const size_t step = std::max(entries.size() / kFew, size_t{1});
    for (size_t i = 0; i < kLeast; ++i) few.push_back(entries[i % kFew * step % entries.size()]);
    for (std::vector<Tag>* const walk : {&hits, &few}) {
      std::shuffle(walk->begin(), walk->end(), random);
    }
    std::sort(ordered.begin(), ordered.end(),
              [](const Tag& a, const Tag& b) { return a.bytes < b.bytes; });
    misses = RandomTags(hits.size(), 8);
  }

  std::vector<Tag> hits;
  std::vector<Tag> misses;
  std::vector<Tag> ordered;  // as they lie in the table
  std::vector<Tag> few;      // a thousand entries, again and again
};

// The medians of the walks' rounds, which are interleaved. Negative: answered wrongly.
struct Costs {
  double hit = 0;
  double miss = 0;
  double ordered = 0;
  double few = 0;
};

Costs Measure(const RevocationIndex& index, const Walks& walks) {
  const auto rounds = static_cast<size_t>(std::max(1, absl::GetFlag(FLAGS_rounds)));
  std::array<std::vector<double>, 4> costs;
  for (std::vector<double>& one : costs) one.resize(rounds);
  for (size_t round = 0; round < rounds; ++round) {
    costs[0][round] = LookUp(index, walks.hits, true);
    costs[1][round] = LookUp(index, walks.misses, false);
    costs[2][round] = LookUp(index, walks.ordered, true);
    costs[3][round] = LookUp(index, walks.few, true);
  }
  for (std::vector<double>& one : costs) {
    std::sort(one.begin(), one.end());
    if (one.front() < 0) return {.hit = -1, .miss = -1, .ordered = -1, .few = -1};
  }
  return {.hit = costs[0][rounds / 2],
          .miss = costs[1][rounds / 2],
          .ordered = costs[2][rounds / 2],
          .few = costs[3][rounds / 2]};
}

int LookUps() {
  constexpr size_t kLeast = 1000;
  const auto most = static_cast<size_t>(std::max<int64_t>(absl::GetFlag(FLAGS_entries), kLeast));
  std::string sizes;
  for (const size_t size : {kLeast, std::max(most / 10, kLeast), most}) {
    const std::vector<Tag> entries = RandomTags(size, size);
    const Costs costs = Measure(*IndexOf(entries), Walks(entries));
    if (costs.hit < 0) return Fail("a look-up was answered wrongly");
    absl::StrAppendFormat(
        &sizes,
        R"(%s{"entries": %d, "hit_ns": %.2f, "miss_ns": %.2f, "ordered_ns": %.2f, "few_ns": %.2f})",
        sizes.empty() ? "" : ", ", size, costs.hit, costs.miss, costs.ordered, costs.few);
  }
  std::printf("{\"sizes\": [%s]}\n", sizes.c_str());
  return 0;
}

// Rows as the server writes them, in its order: the indexes are as scattered as its own.
int Make(const std::string& path) {
  const absl::Status made = revocation::CreateSqliteDatabase(path);
  if (!made.ok()) return Fail(std::string(made.message()));
  SQLite::Database db(path, SQLite::OPEN_READWRITE);
  db.exec("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; BEGIN");
  SQLite::Statement insert(
      db,
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
      " INSERT INTO fact (revision, id, tag, kind, issuer, target, issued_until, end_time,"
      " create_time, actor, reason) SELECT i, lower(hex(randomblob(16))), randomblob(16), 2,"
      " 'http://localhost:3000', lower(hex(randomblob(8))) || '-' || i, 9223372036854775807,"
      " ?2 + i, ?2 - 1000000000000 + i, 'todo-api', 'signed out' FROM n");
  insert.bind(1, absl::GetFlag(FLAGS_entries));
  insert.bind(2, absl::ToUnixMicros(absl::Now()) + 1'000'000'000'000);
  insert.exec();
  SQLite::Statement revision(db, "UPDATE revision SET value = ?1");
  revision.bind(1, absl::GetFlag(FLAGS_entries));
  revision.exec();
  db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  std::printf(R"({"bytes": %lld})"
              "\n",
              static_cast<long long>(std::ifstream(path, std::ios::ate).tellg()));
  return 0;
}

// What OpenSqliteStore does of length, each for itself.
int Parts(const std::string& path) {
  SQLite::Database db(path, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX);
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  const int64_t revision = db.execAndGet("SELECT value FROM revision").getInt64();
  const Times check_begin = Times::Now();
  const absl::Status checked = revocation::CheckDatabase(path, db);
  const Times check = check_begin.Since();
  RevocationIndex index;
  const Times load_begin = Times::Now();
  const absl::Status loaded = revocation::LoadFacts(db, revision, INT64_MIN, index).status();
  const Times load = load_begin.Since();
  if (!checked.ok() || !loaded.ok()) return Fail("the database is refused");
  std::printf("{\"check\": %s, \"load\": %s, \"entries\": %lld}\n", check.ToJson().c_str(),
              load.ToJson().c_str(), static_cast<long long>(index.size()));
  return 0;
}

int64_t ResidentBytes() {
  int64_t pages = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int Start(const std::string& path) {
  RevocationIndex index;
  const int64_t before = ResidentBytes();
  const Times begin = Times::Now();
  const auto store = revocation::OpenSqliteStore({.path = path}, SystemClock(), index);
  const Times start = begin.Since();
  if (!store.ok()) return Fail(std::string(store.status().message()));
  const int64_t resident = ResidentBytes() - before;
  std::printf(
      "{\"start\": %s, \"entries\": %lld, \"resident_bytes\": %lld, \"table_bytes\": %lld}\n",
      start.ToJson().c_str(), static_cast<long long>(index.size()),
      static_cast<long long>(resident), static_cast<long long>(index.bytes()));
  return 0;
}

int Main() {
  const std::string part = absl::GetFlag(FLAGS_part);
  const std::string path = absl::GetFlag(FLAGS_database);
  if (part == "look-ups") return LookUps();
  if (path.empty()) return Fail("--database is required for " + part);
  if (part == "make") return Make(path);
  if (part == "parts") return Parts(path);
  if (part == "start") return Start(path);
  return Fail("--part must be look-ups, make, parts or start");
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-revocation-bench: look-ups in the revocation index, and the start with a large\n"
      "database, as JSON.");
  absl::ParseCommandLine(argc, argv);
  try {
    return gatehouse::bench::Main();
  } catch (const std::exception& error) {
    return gatehouse::bench::Fail(error.what());
  }
}
