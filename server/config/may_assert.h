#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/findings.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse::config {

// What the issuer at `path` ("issuers[0]") may assert. With `several` issuers all of
// it must be said. What is wrong goes to `findings`.
jose::MayAssert ReadMayAssert(const v1::Issuer& in, const std::string& path, bool several,
                              Findings& findings);

}  // namespace gatehouse::config
