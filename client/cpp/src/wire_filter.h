#pragma once

#include "gatehouse/filter.h"

namespace gatehouse::v1 {
class Filter;
}  // namespace gatehouse::v1

namespace gatehouse::client {

// What is not known selects nothing.
gatehouse::Filter FilterFrom(const v1::Filter& filter);

}  // namespace gatehouse::client
