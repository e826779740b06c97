#include "server/policy/columns.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace gatehouse::policy {

bool IsIdentifier(const std::string& name) {
  return !name.empty() && name.size() <= 63 &&
         !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

}  // namespace gatehouse::policy
