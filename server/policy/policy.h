#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/policy/decision.h"
#include "server/policy/principal.h"

namespace gatehouse::policy {

// What the caller asks about. Views into the request.
struct Question {
  absl::string_view resource;  // "type/id"
  absl::string_view owner;     // from the backend's database; empty matches nobody
  absl::string_view action;
  absl::string_view tenant;  // from the backend's database; empty: the resource has none
};

// INVALID_ARGUMENT, naming the field, if `question` is none: a resource without
// '/', with an empty type or id, or any field with a control character or beyond
// 4 KiB. Not a denial: the caller made a mistake.
absl::Status CheckQuestion(const Question& question);

// The rules in force. A value; thread-safe.
class Policy {
 public:
  // No rules were written. With one issuer: the owner of a resource may do
  // everything with it, others nothing. With several, nothing says whose subject
  // an owner is, and nobody may do anything.
  static Policy Default(int issuers) { return Policy(issuers == 1); }

  // kOk or kInsufficientPermissions. Empty values equal nothing, not even each
  // other. `question` has passed CheckQuestion.
  Code Decide(const Principal& principal, const Question& question) const;

  // For the log: what was lacking where Decide gave kInsufficientPermissions.
  absl::string_view WhyDenied(const Principal& principal, const Question& question) const;

 private:
  explicit Policy(bool owner_may) : owner_may_(owner_may) {}

  bool owner_may_;
};

}  // namespace gatehouse::policy
