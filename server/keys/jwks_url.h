#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/jose/algorithms.h"
#include "server/keys/key_source.h"

namespace gatehouse::keys {

struct JwksUrlOptions {
  std::string issuer;  // for the log
  std::string url;     // https, or http on a loopback host: checked by the configuration
  std::vector<jose::Algorithm> algorithms;
  absl::Duration refresh_every = absl::Minutes(5);
  // At least this long between the starts of two fetches that waiters ask for.
  absl::Duration cooldown = absl::Seconds(2);
  // The first wait after a failed fetch; doubles up to retry_at_most, with jitter.
  absl::Duration retry_after = absl::Milliseconds(250);
  absl::Duration retry_at_most = absl::Seconds(15);
  // Of one fetch, from connecting to the last byte.
  absl::Duration timeout = absl::Seconds(5);
  size_t max_bytes = size_t{256} * 1024;
  size_t max_waiters = 4096;
};

// Keys behind a URL, fetched on a thread of the source's own, one fetch at a time:
// at start, every refresh_every, on AwaitFetch behind the cooldown, and again after
// a failure. A failed fetch (no connection, not 200, a redirect, too large, too
// slow, no JWK Set, no usable key) leaves the set in force as it is and is logged
// with issuer, URL and reason. Waiters whose fetch is over are called before the
// next one begins. The destructor aborts a running fetch, answers all waiters with
// kFailed and joins the thread.
std::unique_ptr<KeySource> MakeJwksUrlSource(JwksUrlOptions options, const Clock& clock);

}  // namespace gatehouse::keys
