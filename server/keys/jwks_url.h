#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/jose/algorithms.h"
#include "server/keys/discovery.h"
#include "server/keys/key_source.h"

namespace gatehouse::keys {

struct JwksUrlOptions {
  std::string issuer;  // for the log and the copy on disk
  // The key set's, or with `discovery` the issuer's: checked by the configuration.
  std::string url;
  std::optional<DiscoveryRules> discovery = {};
  std::string ca_file = {};  // empty: the system's certificates
  std::vector<jose::Algorithm> algorithms;
  // The folder of the last good copy; empty: none is kept.
  std::string copy_folder = {};
  absl::Duration max_age = absl::Hours(24);
  absl::Duration grace = absl::Minutes(1);
  // The lifetime of a set whose answer does not say; what it says is put between one
  // minute and one hour.
  absl::Duration lifetime = absl::Minutes(5);
  // At least this long between the starts of two fetches that waiters ask for.
  absl::Duration cooldown = absl::Seconds(2);
  // The first wait after a failed fetch; doubles up to retry_at_most, with jitter.
  absl::Duration retry_after = absl::Milliseconds(250);
  absl::Duration retry_at_most = absl::Seconds(15);
  // Of one fetch, from connecting to the last byte. With discovery there are two, one
  // for the document each time.
  absl::Duration timeout = absl::Seconds(5);
  size_t max_bytes = size_t{256} * 1024;
  size_t max_waiters = 8192;
};

// Keys behind a URL. A fetch fails on: no connection, not 200 (or 304 when asked for
// a change only), a redirect, too large, too slow, cut off, no JWK Set, or what
// discovery.h refuses. It leaves the set in force as it is, until max_age after the
// last good answer, and is logged with issuer, URL and reason. A JWK Set without a
// usable key is an answer: all keys leave; retries follow as after a failure. A copy
// on disk that is good, of this issuer and URL, and not older than max_age is in force
// from the start, while the first fetch runs.
std::unique_ptr<KeySource> MakeJwksUrlSource(JwksUrlOptions options, const Clock& clock);

}  // namespace gatehouse::keys
