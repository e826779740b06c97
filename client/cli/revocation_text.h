#pragma once

#include <string>

#include "gatehouse/v1/revocation.pb.h"

namespace gatehouse::cli {

// What a revocation is about: "subject", and of what: "ada, issued until ...".
std::string KindOf(const v1::Revocation& revocation);
std::string TargetOf(const v1::Revocation& revocation);

}  // namespace gatehouse::cli
