// How fast SQLite alone takes in revocations: threads that wait for one that commits what
// they want together. The rows, indexes and pragmas of the server, and nothing else of it.

#include <SQLiteCpp/SQLiteCpp.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/histogram.h"

ABSL_FLAG(std::string, database, "", "A database of the server's, which nobody has open");
ABSL_FLAG(int, threads, 64, "Threads that wait for their rows");
ABSL_FLAG(double, seconds, 1, "Length of the measured window");
ABSL_FLAG(double, warmup, 0.2, "Seconds before it that are not measured");

namespace gatehouse::bench {
namespace {

using Clock = std::chrono::steady_clock;

struct Row {
  std::string id;
  std::string tag;
  std::string target;
  std::condition_variable done;
  bool is_done = false;
};

class GroupWriter {
 public:
  explicit GroupWriter(const std::string& path) : db_(path, SQLite::OPEN_READWRITE) {
    db_.exec("PRAGMA locking_mode = EXCLUSIVE");
    db_.exec("PRAGMA synchronous = FULL");
    db_.exec("PRAGMA cache_size = -8192");
    db_.exec("PRAGMA journal_mode = WAL");
    revision_ = db_.execAndGet("SELECT value FROM revision").getInt64();
    insert_.emplace(db_,
                    "INSERT INTO fact (revision, id, tag, kind, issuer, target, issued_until,"
                    " end_time, create_time, actor, reason, suspends)"
                    " VALUES (?,?,?,2,'http://localhost:3000',?,9223372036854775807,?,?,"
                    "'anonymous','benchmark',0)");
    set_revision_.emplace(db_, "UPDATE revision SET value = ?");
  }

  // For the threads that wait. False once it has been told to stop.
  bool Write(Row& row) {
    std::unique_lock lock(mu_);
    if (stopping_) return false;
    row.is_done = false;
    queued_.push_back(&row);
    if (queued_.size() == 1) work_.notify_one();
    row.done.wait(lock, [&] { return row.is_done; });
    return true;
  }

  void Stop() {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    work_.notify_one();
  }

  // Until it is told to stop, and nobody waits.
  void Run() {
    std::vector<Row*> group;
    while (true) {
      {
        std::unique_lock lock(mu_);
        for (Row* const row : group) {
          row->is_done = true;
          row->done.notify_one();
        }
        group.clear();
        work_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
        if (queued_.empty()) return;
        group.swap(queued_);
      }
      Commit(group);
    }
  }

 private:
  void Commit(const std::vector<Row*>& group) {
    const int64_t now = std::chrono::duration_cast<std::chrono::microseconds>(
                            std::chrono::system_clock::now().time_since_epoch())
                            .count();
    db_.exec("BEGIN IMMEDIATE");
    for (const Row* const row : group) {
      insert_->bind(1, ++revision_);
      insert_->bindNoCopy(2, row->id);
      insert_->bindNoCopy(3, row->tag.data(), static_cast<int>(row->tag.size()));
      insert_->bindNoCopy(4, row->target);
      insert_->bind(5, now + 2'592'000'000'000);
      insert_->bind(6, now);
      insert_->exec();
      insert_->reset();
    }
    set_revision_->bind(1, revision_);
    set_revision_->exec();
    set_revision_->reset();
    db_.exec("COMMIT");
  }

  SQLite::Database db_;
  std::optional<SQLite::Statement> insert_;
  std::optional<SQLite::Statement> set_revision_;
  int64_t revision_ = 0;

  std::mutex mu_;
  std::condition_variable work_;
  std::vector<Row*> queued_;
  bool stopping_ = false;
};

struct Wait {
  Clock::time_point begin;
  Clock::time_point end;
};

// Asks for one row after the other, and remembers how long each took.
void Ask(GroupWriter& writer, uint64_t seed, std::vector<Wait>& waits) {
  std::mt19937_64 random(seed);
  const auto word = [&] { return absl::StrFormat("%016x", random()); };
  const std::string prefix = word();
  Row row;
  while (true) {
    // As the server makes them: the time, and what is random.
    const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    row.id = absl::StrFormat("%016x%s", micros.count(), word());
    row.tag = word();
    row.target = absl::StrCat(prefix, "-", waits.size());
    const Clock::time_point begin = Clock::now();
    if (!writer.Write(row)) return;
    waits.push_back({.begin = begin, .end = Clock::now()});
  }
}

int Run() {
  const auto threads = static_cast<size_t>(absl::GetFlag(FLAGS_threads));
  const std::chrono::duration<double> warmup(absl::GetFlag(FLAGS_warmup));
  const std::chrono::duration<double> window(absl::GetFlag(FLAGS_seconds));
  GroupWriter writer(absl::GetFlag(FLAGS_database));
  std::thread committer([&] { writer.Run(); });
  std::random_device random;
  std::vector<std::vector<Wait>> waits(threads);
  std::vector<std::thread> askers;
  askers.reserve(threads);
  const Clock::time_point start = Clock::now();
  for (size_t i = 0; i < threads; ++i) {
    const uint64_t seed = uint64_t{random()} << 32 | random();
    askers.emplace_back([&writer, &waits, seed, i] { Ask(writer, seed, waits[i]); });
  }
  const auto opened = start + std::chrono::duration_cast<Clock::duration>(warmup);
  const auto closed = opened + std::chrono::duration_cast<Clock::duration>(window);
  std::this_thread::sleep_until(closed);
  writer.Stop();
  for (std::thread& asker : askers) asker.join();
  committer.join();
  Histogram latency;
  for (const std::vector<Wait>& thread : waits) {
    for (const Wait& wait : thread) {
      if (wait.end < opened || wait.end >= closed) continue;
      latency.Add(std::chrono::nanoseconds(wait.end - wait.begin).count());
    }
  }
  std::printf("{\"calls\": %lld, \"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
              static_cast<long long>(latency.total()),
              static_cast<double>(latency.total()) / window.count(),
              static_cast<double>(latency.Quantile(0.5)) / 1000,
              static_cast<double>(latency.Quantile(0.99)) / 1000);
  return latency.total() > 0 ? 0 : 1;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-bare-writer: commits revocations for many threads in groups, with SQLite alone.");
  absl::ParseCommandLine(argc, argv);
  if (absl::GetFlag(FLAGS_database).empty() || absl::GetFlag(FLAGS_threads) < 1) {
    std::fprintf(stderr, "gatehouse-bare-writer: --database and --threads above 0 are required\n");
    return 2;
  }
  try {
    return gatehouse::bench::Run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gatehouse-bare-writer: %s\n", error.what());
    return 1;
  }
}
