#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gatehouse::keys {

struct FetchLimits {
  absl::Duration timeout;  // from connecting to the last byte
  size_t max_bytes;        // of the body
};

// GET over http and https with libcurl: certificates are checked, redirects are
// not followed, nothing is sent but the request, bodies are not decompressed. A
// proxy from the environment is used, but never for a loopback host.
class HttpFetcher {
 public:
  HttpFetcher();
  ~HttpFetcher();
  HttpFetcher(const HttpFetcher&) = delete;
  HttpFetcher& operator=(const HttpFetcher&) = delete;

  // The body of a 200. One thread at a time. UNAVAILABLE for everything else, with
  // the URL (without its query) and libcurl's reason; CANCELLED after Abort().
  absl::StatusOr<std::string> Get(const std::string& url, const FetchLimits& limits);

  // From any thread: the running and all later calls of Get() end at once.
  void Abort();

 private:
  struct Multi;
  const std::unique_ptr<Multi> multi_;
  std::atomic<bool> aborted_ = false;
};

}  // namespace gatehouse::keys
