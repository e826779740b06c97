#pragma once

#include "absl/strings/string_view.h"

namespace gatehouse {

// Whether UTF-8 text holds a control character: U+0000..U+001F, U+007F..U+009F.
// Names and ids never do: two that look alike could be different.
bool HasControlCharacter(absl::string_view text);

}  // namespace gatehouse
