#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace gatehouse::keys {

// What an origin has brought.
struct Brought {
  enum class Kind {
    kNew,        // `jwks`, whether or not it differs from before
    kConfirmed,  // the origin says: as before; `jwks` is what it was
    kUntouched,  // nobody was asked, since there is no sign of a change
  };
  Kind kind = Kind::kNew;
  std::string jwks = {};
  absl::Duration lifetime = absl::Minutes(5);  // until it should be looked at again
};

// Where the text of a key set comes from: a file, a URL. Only one thread calls
// Bring(); it may block.
class KeyOrigin {
 public:
  virtual ~KeyOrigin() = default;

  // An error names the file or the URL (without its query) and the reason, and is
  // CANCELLED after Abort(). `meanwhile` is called at least every half second.
  virtual absl::StatusOr<Brought> Bring(const std::function<void()>& meanwhile) = 0;

  // What was brought last was no key set: it must not be confirmed the next time.
  virtual void Distrust() {}

  // From any thread: the running and all later calls of Bring() end at once.
  virtual void Abort() {}
};

}  // namespace gatehouse::keys
