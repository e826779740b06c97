#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gatehouse::keys {

struct FetchLimits {
  absl::Duration timeout;  // from connecting to the last byte
  size_t max_bytes;        // of the body
};

// What an answer said of itself, sent back to ask only for what has changed.
struct Validators {
  std::string etag = {};           // as it stood in the answer
  std::string last_modified = {};  // the same

  bool empty() const { return etag.empty() && last_modified.empty(); }
};

struct FetchRequest {
  std::string url;
  FetchLimits limits;
  // If not empty, a 304 is an answer too.
  Validators known = {};
  // The certificates, in PEM, that alone are trusted; empty: those of the system.
  std::string ca_file = {};
};

struct FetchAnswer {
  bool not_modified = false;  // a 304: `body` is empty
  std::string body = {};
  Validators validators = {};
  // Cache-Control: max-age, less Age; zero for no-cache and no-store.
  std::optional<absl::Duration> lifetime = {};
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

  // A 200, or a 304 where `known` is given. One thread at a time. UNAVAILABLE for
  // everything else, with the URL (without its query) and libcurl's reason; CANCELLED
  // after Abort(). Calls `meanwhile`, if given, at least every half second.
  absl::StatusOr<FetchAnswer> Get(const FetchRequest& request,
                                  const std::function<void()>& meanwhile = nullptr);

  // From any thread: the running and all later calls of Get() end at once.
  void Abort();

 private:
  struct Multi;
  // Of libcurl's handle, to the end: its CURLcode.
  int Perform(void* easy, const std::function<void()>& meanwhile);

  const std::unique_ptr<Multi> multi_;
  std::atomic<bool> aborted_ = false;
};

}  // namespace gatehouse::keys
