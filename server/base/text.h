#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace gatehouse {

// Whether UTF-8 text holds a control character: U+0000..U+001F, U+007F..U+009F.
// Names and ids never do: two that look alike could be different.
bool HasControlCharacter(absl::string_view text);

// The length of the well-formed UTF-8 sequence at the start of `text`, which is not
// empty; 0 if there is none.
size_t Utf8Length(absl::string_view text);

// Whether `character`, one well-formed sequence, ends lines or drives what displays
// them: control characters, and those that change the direction of writing.
bool DrivesDisplay(absl::string_view character);

}  // namespace gatehouse
