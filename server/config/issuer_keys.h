#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"
#include "server/config/issuer.h"
#include "server/jose/algorithms.h"

namespace gatehouse::config {

// Where an issuer's keys come from, as `path` ("issuers[0].keys") says. What is wrong
// goes to `findings`, and then the value is of no use.
Keys ReadKeys(const v1::Keys& in, const std::string& path, const Surroundings& around,
              Findings& findings);

// A public key's bytes never serve as an HMAC secret, and no key pair stands beside a
// secret. `issuer_path`: "issuers[0]".
void CheckAlgorithmsOf(const v1::Keys& in, const std::vector<jose::Algorithm>& algorithms,
                       const std::string& issuer_path, Findings& findings);

}  // namespace gatehouse::config
