#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse::config {

// What the issuer at `path` ("issuers[0]") may assert. With `several` issuers all of
// it must be said. What is wrong goes to `findings`.
jose::MayAssert ReadMayAssert(const v1::Issuer& in, const std::string& path, bool several,
                              Findings& findings);

// Adds to the warnings of `config`, which has been read, each role and scope that an
// issuer may assert although no policy names it, with the name that was probably meant.
void WarnOfUnknownNames(const v1::Config& in, const Findings& findings, Config& config);

}  // namespace gatehouse::config
