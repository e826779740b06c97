#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

namespace gatehouse {

// What a client has done since it was made, and how it stands.
struct Figures {
  // Questions answered from memory, and those of which it held nothing that counts.
  uint64_t hits = 0;
  uint64_t misses = 0;
  // Questions answered by a call that another one had begun.
  uint64_t shared = 0;
  // Calls by method ("Authorize") and outcome ("OK", "UNAVAILABLE"), each try for itself.
  std::map<std::pair<std::string, std::string>, uint64_t> rpcs;
  uint64_t retries = 0;
  // Changes that the stream has told, and decisions that were dropped for them.
  uint64_t changes = 0;
  uint64_t dropped = 0;
  // What is in the memory now.
  uint64_t entries = 0;
  uint64_t bytes = 0;
  // What is remembered may be used.
  bool live = false;
  // Since the newest ping that was answered was sent; the whole life before the first.
  std::chrono::nanoseconds staleness{0};
};

}  // namespace gatehouse
