#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/config/config.h"
#include "server/jose/jwt_verifier.h"
#include "server/policy/principal.h"
#include "server/policy/question.h"

namespace gatehouse::config {

// Whom a token speaks for: what a policy::Principal has views of.
struct PolicyUser {
  std::string subject;
  std::string issuer;
  std::string tenant;
  std::vector<std::string> roles;
  std::vector<std::string> scopes;
  std::vector<std::pair<std::string, std::string>> claims;
  // Those that are there and cannot be compared.
  std::vector<std::string> opaque_claims;

  // Leaves out the roles and scopes that an issuer may not assert, as the server does. An
  // error if it may not speak for the tenant: the server refuses such a token.
  absl::Status KeepAsserted(const jose::MayAssert& may);

  // Lives as long as this.
  policy::Principal ToPrincipal() const;
};

// One line of a table of who, what and expected. Owns what its question looks at.
class PolicyTest {
 public:
  std::string name;
  int line = 0;
  bool expect_allow = false;
  PolicyUser who;
  std::string resource;
  std::string action;
  std::string owner;
  std::string tenant;
  std::vector<std::pair<std::string, std::vector<std::string>>> relations;
  std::vector<std::pair<std::string, std::string>> attributes;

  // Calls `ask` with the question.
  template <typename Ask>
  auto With(const Ask& ask) const {
    std::vector<std::pair<absl::string_view, absl::string_view>> views;
    views.reserve(attributes.size());
    for (const auto& [key, value] : attributes) views.emplace_back(key, value);
    std::vector<std::vector<absl::string_view>> subjects;
    subjects.reserve(relations.size());
    for (const auto& [key, list] : relations) subjects.emplace_back(list.begin(), list.end());
    std::vector<policy::Relation> related;
    related.reserve(relations.size());
    for (size_t i = 0; i < relations.size(); ++i) {
      related.push_back({relations[i].first, subjects[i]});
    }
    return ask(policy::Question{.resource = resource,
                                .owner = owner,
                                .action = action,
                                .tenant = tenant,
                                .relations = related,
                                .attributes = views});
  }
};

// Reads a file of tests (gatehouse.config.v1.PolicyTests). `issuers`: those of the
// configuration, which are believed what they may assert. INVALID_ARGUMENT with every mistake
// found, each "file:line: field:
// ..."; NOT_FOUND if there is no such file.
absl::StatusOr<std::vector<PolicyTest>> LoadPolicyTests(const std::string& path,
                                                        const std::vector<Issuer>& issuers);

}  // namespace gatehouse::config
