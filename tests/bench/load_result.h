#pragma once

#include <grpcpp/support/status.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/histogram.h"

namespace gatehouse::bench {

// What was seen in the measured window.
struct LoadResult {
  int64_t calls = 0;  // With gRPC status OK.
  double seconds = 0;
  int64_t reply_bytes = 0;                   // Of one reply: the first.
  Histogram latency;                         // Of the calls with gRPC status OK.
  std::map<std::string, int64_t> decisions;  // Calls by their decision's code.
  std::map<int, int64_t> errors;             // Calls by gRPC status, OK left out.
  int64_t load_cpu = 0;                      // Nanoseconds that this process used.
  int64_t server_cpu = 0;                    // Nanoseconds; 0 if no pid was given.

  // True when calls were answered, and every one ended as is allowed: with CODE_OK or
  // one of `codes`; without an answer, with one of the gRPC statuses `errors`.
  bool IsAsAllowed(const std::vector<std::string>& codes,
                   const std::vector<std::string>& errors) const;
  // One JSON object on one line.
  std::string ToJson() const;
  // With what was seen of others in the same window, as "beside".
  std::string ToJson(const LoadResult& beside) const;
};

}  // namespace gatehouse::bench
