#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/jose/algorithms.h"
#include "server/keys/key_origin.h"
#include "server/keys/key_source.h"
#include "server/keys/refresh_schedule.h"

namespace gatehouse::keys {

struct RefreshedOptions {
  std::string issuer;  // for the log and the copy
  std::string place;   // the file, or the URL without its query: for log and messages
  std::vector<jose::Algorithm> algorithms;
  RefreshSchedule::Times times;
  // How long a key that has left the set still verifies.
  absl::Duration grace = absl::Minutes(1);
  // How long a set counts after the origin was last asked with success.
  absl::Duration max_age = absl::InfiniteDuration();
  size_t max_waiters = 8192;
  // A set without a usable key is a mistake and leaves the one before in force.
  // Otherwise it is the issuer's word: all its keys leave, and then there is no set.
  bool empty_is_a_mistake = false;
  // Where the last good copy is kept, and the URL that it names; empty: nowhere.
  std::string copy_path = {};
  std::string copy_url = {};
};

// What a source begins with.
struct FirstKeys {
  jose::KeySet keys;
  absl::Time fetched;                           // by the wall clock
  absl::Duration age;                           // not negative
  bool from_disk = false;                       // the copy's: the origin has not been asked yet
  std::vector<jose::RefusedKey> left_out = {};  // logged already
};

// Keys that are brought from `origin` on a thread of the source's own, one fetch at a
// time: at start, ahead of the lifetime's end, on AwaitFetch behind the cooldown, and
// again after a failure, later and later. All times but those in messages and in the
// copy are steady ones. A failed fetch leaves the set in force as it is. A waiter's
// fetch begins after it came, or it is sent back to look when one that runs already
// brings a key; all are answered before the next one begins. The destructor aborts a
// running fetch, answers all waiters with kFailed and joins the thread. `clock` outlives
// the source.
std::unique_ptr<KeySource> MakeRefreshedSource(RefreshedOptions options,
                                               std::unique_ptr<KeyOrigin> origin,
                                               std::optional<FirstKeys> first, const Clock& clock);

}  // namespace gatehouse::keys
