#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace gatehouse::engine {

// One step of the way of a token, for people who may know the true reason. Holds
// nothing of the token but names of claims.
struct Step {
  absl::string_view
      name;  // form, issuer, key, signature, claims, audience, time, revocation, rule, policy
  bool passed = false;
  std::string detail;
};

// The steps that were gone, in order; the last one decided.
using Trace = std::vector<Step>;

}  // namespace gatehouse::engine
