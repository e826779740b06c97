#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "gatehouse/decision.h"

namespace gatehouse {

// What is to be done to what. Everything here comes from the backend's own database,
// never from whoever calls the backend.
struct Check {
  // "type/id"
  std::string resource = {};
  // May be empty: the owner may do everything.
  std::string action = {};
  // The subject that owns it. Empty matches nobody.
  std::string owner = {};
  // That the resource belongs to. If set, the token's must be the same.
  std::string tenant = {};
  // Who stands in which relation to it: {"editor", {"u1", "u2"}}.
  std::map<std::string, std::vector<std::string>> relations = {};
  // What the policy's conditions compare.
  std::map<std::string, std::string> attributes = {};
};

struct CallOptions {
  // Neither what is remembered nor the answer to a call that is under way.
  bool fresh = false;
  // Fill Answer::explanation. Needs the right `explain`, and goes past the memory.
  bool explain = false;
  // Fill Principal::claims, in Verify. Goes past the memory.
  bool with_claims = false;
  // Zero: that of the settings.
  std::chrono::milliseconds deadline{0};
};

struct BatchAnswer {
  // What the token is worth, or why nothing was decided.
  Answer token;
  // One for each check, in order; of a bad token, and of an error, each is that.
  std::vector<Answer> answers;
};

}  // namespace gatehouse
