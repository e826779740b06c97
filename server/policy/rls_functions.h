#pragma once

#include "absl/strings/string_view.h"

namespace gatehouse::policy {

// The functions, in PostgreSQL, by which row-level security reads the principal out of
// the setting gatehouse.principal. None of them fails, whatever it holds. Inside of
// this folder only.
absl::string_view RlsFunctions();

}  // namespace gatehouse::policy
