#pragma once

#include "gatehouse/filter.h"
#include "tests/client_cpp/stand.h"

namespace gatehouse::client {

// Whether a filter selects a row of cases.json, by the words of filter.h.
bool Selects(const gatehouse::Filter& filter, const Json& row);

}  // namespace gatehouse::client
