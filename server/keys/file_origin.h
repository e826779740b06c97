#pragma once

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "server/keys/key_origin.h"

namespace gatehouse::keys {

// A key set in a file, 256 KiB at most, read anew when the file at the end of all
// symbolic links is another one or was written to. `look_every` is the lifetime.
std::unique_ptr<KeyOrigin> MakeFileOrigin(std::string path, absl::Duration look_every);

}  // namespace gatehouse::keys
