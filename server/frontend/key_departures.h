#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/frontend/ruleset.h"
#include "server/jose/jwks.h"
#include "server/revocation/tag.h"

namespace gatehouse::frontend {

// Finds out which keys no longer verify, by comparing those of each issuer from time to
// time. For one thread.
class KeyDepartures {
 public:
  // The tags of those that were in force at the last look, and are not now, or have become
  // other keys of the same name. An issuer without a set, or that is trusted no longer, has
  // none in force.
  std::vector<revocation::Tag> Look(const Ruleset& rules);

 private:
  using Set = std::shared_ptr<const jose::KeySet>;

  // By issuer; no nulls.
  std::map<std::string, Set> last_;
};

}  // namespace gatehouse::frontend
