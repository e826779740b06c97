#pragma once

#include <string>

#include "absl/time/time.h"
#include "gatehouse/v1/revocation.pb.h"

namespace gatehouse::cli {

// What a revocation is about: "subject", and of what: "ada, issued until ...".
std::string KindOf(const v1::Revocation& revocation);
std::string TargetOf(const v1::Revocation& revocation);
// What has become of it: "in force", "ended ..." or "taken back ...".
std::string StateOf(const v1::Revocation& revocation, absl::Time now);

// Writes all that it holds to standard output.
void PrintRevocation(const v1::Revocation& revocation);

void SetStamp(absl::Time time, google::protobuf::Timestamp& stamp);
// Of times that a message may hold, and of others.
absl::Time FromStamp(const google::protobuf::Timestamp& stamp);

}  // namespace gatehouse::cli
