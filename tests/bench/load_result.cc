#include "tests/bench/load_result.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace gatehouse::bench {
namespace {

double Micros(double nanoseconds) { return nanoseconds / 1000.0; }

template <typename Map>
std::string JsonCounts(const Map& counts) {
  return absl::StrCat("{",
                      absl::StrJoin(counts, ", ",
                                    [](std::string* out, const auto& entry) {
                                      absl::StrAppend(out, "\"", entry.first, "\": ", entry.second);
                                    }),
                      "}");
}

}  // namespace

bool LoadResult::IsAsAllowed(const std::vector<std::string>& codes,
                             const std::vector<std::string>& statuses) const {
  const auto among = [](const std::string& one, const std::vector<std::string>& all) {
    return std::find(all.begin(), all.end(), one) != all.end();
  };
  return calls > 0 &&
         std::all_of(decisions.begin(), decisions.end(),
                     [&](const auto& entry) {
                       return entry.first == "CODE_OK" || among(entry.first, codes);
                     }) &&
         std::all_of(errors.begin(), errors.end(), [&](const auto& entry) {
           return among(std::to_string(entry.first), statuses);
         });
}

std::string LoadResult::ToJson() const {
  const double each = calls == 0 ? 0 : 1.0 / static_cast<double>(calls);
  return absl::StrFormat(
      "{\"calls\": %d, \"seconds\": %.3f, \"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
      "\"server_cpu_us\": %.3f, \"server_busy\": %.3f, \"load_cpu_us\": %.3f, "
      "\"load_busy\": %.3f, \"reply_bytes\": %d, \"decisions\": %s, \"errors\": %s}",
      calls, seconds, seconds > 0 ? static_cast<double>(calls) / seconds : 0.0,
      Micros(static_cast<double>(latency.Quantile(0.5))),
      Micros(static_cast<double>(latency.Quantile(0.99))),
      Micros(static_cast<double>(server_cpu) * each),
      seconds > 0 ? static_cast<double>(server_cpu) / 1e9 / seconds : 0.0,
      Micros(static_cast<double>(load_cpu) * each),
      seconds > 0 ? static_cast<double>(load_cpu) / 1e9 / seconds : 0.0, reply_bytes,
      JsonCounts(decisions), JsonCounts(errors));
}

std::string LoadResult::ToJson(const LoadResult& beside) const {
  std::string json = ToJson();
  json.pop_back();
  return absl::StrCat(json, ", \"beside\": ", beside.ToJson(), "}");
}

}  // namespace gatehouse::bench
