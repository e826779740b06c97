#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse {

// A small file's bytes, read without copies that stay behind, since they may be a
// secret. NOT_FOUND or INVALID_ARGUMENT (a folder, a pipe or a device, no permission,
// more than `max_bytes`), naming the file and the system's reason. Never waits for
// another process.
absl::StatusOr<std::string> ReadSmallFile(const std::string& path, size_t max_bytes);

// The same of a pipe too, until whoever writes into it is done: for a program that a
// person runs, not for a server.
absl::StatusOr<std::string> ReadSmallFileOrPipe(const std::string& path, size_t max_bytes);

// Whether others than the file's owner and group may read, change or run it, or the group may
// change it, links followed: Kubernetes gives files of secrets to the pod's group. False if it
// cannot be looked at.
bool OthersMayRead(const std::string& path);

// Whether what was given as a file's name may be the secret that the file should
// hold: then it is not to be shown where there is no such file.
bool MayBeSecret(absl::string_view name);

// Whether what was given as a file's name holds a key or certificate itself, in PEM or base64.
bool HoldsDer(absl::string_view name);

}  // namespace gatehouse
