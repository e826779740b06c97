#pragma once

#include "absl/strings/string_view.h"

namespace gatehouse::frontend {

// The SPIFFE id of who called the nearest proxy, out of an `x-forwarded-client-cert` as Envoy
// writes it: elements between commas, of pairs "Key=value" between semicolons; a value with
// these in it is quoted, and there a backslash takes the character behind it along. Of the last
// element, which must have exactly one URI; empty where that is no SPIFFE id, and where any part
// of the header is not of this form. Takes time in proportion to the length, and allocates
// nothing. The result is a part of `header`.
absl::string_view ForwardedSpiffeId(absl::string_view header);

}  // namespace gatehouse::frontend
