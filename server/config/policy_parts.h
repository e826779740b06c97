#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/config/findings.h"
#include "server/policy/check.h"
#include "server/policy/definition.h"

namespace gatehouse::config {

// What one file holds of a policy.
struct PolicyPart {
  std::string prefix;  // of its paths in `findings`
  Findings* findings = nullptr;
  policy::Definition definition = {};
};

// The parts of a policy, put together, and where each thing stands.
class PolicyParts {
 public:
  // `findings` and `field`: where that is told which concerns no part alone.
  PolicyParts(std::vector<PolicyPart> parts, Findings& findings, std::string field)
      : parts_(std::move(parts)), findings_(findings), field_(std::move(field)) {}
  PolicyParts(const PolicyParts&) = delete;
  PolicyParts& operator=(const PolicyParts&) = delete;

  // A name that stands in two parts is a mistake, and is taken from the first. Before
  // what follows.
  policy::Definition Together();

  // Tells a mistake where it stands.
  void Wrong(const policy::Finding& one) const;
  // "file:line: field: ...".
  std::string Sentence(const policy::Finding& one) const;

 private:
  bool IsFirst(const PolicyPart& part, absl::string_view kind, const std::string& name);
  // Null if no part alone is meant. A name may hold dots: the longest that fits.
  const PolicyPart* PartOf(const std::string& path) const;

  const std::vector<PolicyPart> parts_;
  Findings& findings_;
  const std::string field_;
  std::map<std::string, const PolicyPart*> firsts_;  // by "roles.admin", "resources.task"
  std::map<std::string, const PolicyPart*> owners_;  // the same, as paths write it
};

}  // namespace gatehouse::config
