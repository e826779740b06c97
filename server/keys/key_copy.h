#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

// The last good copy of an issuer's keys on disk, which a start falls back to while
// the issuer cannot be asked.
namespace gatehouse::keys {

struct KeyCopy {
  std::string issuer;
  std::string url;
  absl::Time fetched;  // when the issuer was asked, by the wall clock, in whole seconds
  std::string jwks;    // the set's text, as it came
};

// In `folder`: the name is made from a hash of the issuer.
std::string KeyCopyPath(const std::string& folder, absl::string_view issuer);

// Replaces the file at `path`, which only this user may read or write: it is there in
// full and on the disk, or as it was. An error names the file.
absl::Status WriteKeyCopy(const std::string& path, const KeyCopy& copy);

// There is no copy at `path` any more. An error names the file.
absl::Status RemoveKeyCopy(const std::string& path);

// NOT_FOUND if there is none. INVALID_ARGUMENT, naming the file, for one that is not to
// be trusted: damaged, a symbolic link, no file, another user's, or one that the group
// or others may write.
absl::StatusOr<KeyCopy> ReadKeyCopy(const std::string& path);

}  // namespace gatehouse::keys
