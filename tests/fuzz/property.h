#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

// What every fuzz target shares. A target defines LLVMFuzzerTestOneInput, which
// libFuzzer calls in build/fuzz and replay_main.cc in every other build.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace gatehouse::fuzz {

inline absl::string_view TextOf(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Aborts, naming the property, unless it holds. In every build.
void Must(bool holds, absl::string_view property);

}  // namespace gatehouse::fuzz
