#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/base/secret.h"

namespace gatehouse::tls {

// The largest PEM file that is read.
inline constexpr size_t kMaxPemBytes = size_t{1024} * 1024;

// One block of a PEM file (RFC 7468).
struct PemBlock {
  std::string label;  // "CERTIFICATE"
  Secret der;         // empty where `encrypted`
  int line = 0;       // where it begins, from 1
  bool encrypted = false;
};

// The blocks of a PEM text, to its last byte: beside them there are empty lines and lines that
// begin with "#" alone. INVALID_ARGUMENT with "LINE: what is wrong", and nothing of the text.
absl::StatusOr<std::vector<PemBlock>> SplitPem(absl::string_view text);

}  // namespace gatehouse::tls
