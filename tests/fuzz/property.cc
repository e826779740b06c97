#include "tests/fuzz/property.h"

#include <cstdio>
#include <cstdlib>

namespace gatehouse::fuzz {

void Must(bool holds, absl::string_view property) {
  if (holds) return;
  std::fprintf(stderr, "PROPERTY BROKEN: %.*s\n", static_cast<int>(property.size()),
               property.data());
  std::abort();
}

}  // namespace gatehouse::fuzz
