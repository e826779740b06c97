// revoker PATH THREADS: opens the database, prints "open" and the store id, or the
// refusal and ends with 1. Then each thread appends facts without end and prints
// the id of each one that was acknowledged. Ends when its input does.

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/revocation/index.h"
#include "server/revocation/sqlite_store.h"
#include "tests/revocation/store_testing.h"

namespace gatehouse::revocation {
namespace {

// One write a line: whole lines even from many threads, and nothing kept back when
// the process is killed.
void Print(const std::string& text) {
  const std::string line = text + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) _exit(3);
}

void Revoke(RevocationStore& store, int thread, const std::atomic<bool>& stop) {
  for (int i = 0; !stop; ++i) {
    const auto result =
        AppendAndWait(store, SubjectFact(absl::StrCat(getpid(), "-", thread, "-", i)));
    if (!result.ok()) _exit(4);
    Print(result->fact.id);
  }
}

int Run(const std::string& path, int count) {
  RevocationIndex index;
  auto store = OpenSqliteStore({.path = path}, SystemClock(), index);
  if (!store.ok()) {
    Print(std::string(store.status().message()));
    return 1;
  }
  Print(absl::StrCat("open ", (*store)->store_id()));
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] { Revoke(**store, i, stop); });
  }
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  stop = true;
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace gatehouse::revocation

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return gatehouse::revocation::Run(argv[1], static_cast<int>(std::strtol(argv[2], nullptr, 10)));
}
