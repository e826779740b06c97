#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// The same bytes for what says the same in another form or order of fields. `given`: the
// paths of the fields that are given, since a message does not tell `equals: ""` from nothing.
std::string CanonicalForm(const google::protobuf::MessageLite& message,
                          const std::vector<std::string>& given);

// 32 hexadecimal digits that are different where the policy, the issuers or the callers
// are. `policy`: its canonical form, wherever it was read from; empty without one.
std::string RulesHash(const v1::Config& message, const Findings& findings,
                      const std::string& policy);

}  // namespace gatehouse::config
