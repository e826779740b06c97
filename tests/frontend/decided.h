#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "server/engine/authorizer.h"
#include "server/policy/policy.h"

namespace gatehouse::frontend {

// A policy in which the owner may read a task, support too, and nobody one that is locked.
inline policy::Policy TaskPolicy(bool with_support = true) {
  using policy::Who;
  policy::Condition locked;
  locked.kind = policy::Condition::Kind::kEquals;
  locked.name = "locked";
  locked.values = {"yes"};
  policy::Action read{.name = "read", .allow = {{{Who::Kind::kOwner}}}};
  if (with_support) read.allow.push_back({{Who::Kind::kRole, "support"}});
  read.deny = {{.who = {}, .when = {locked}}};
  policy::Definition definition{.roles = {{.name = "support"}},
                                .resources = {{.type = "task", .actions = {std::move(read)}}}};
  return policy::Policy::Compile(definition, {"https://issuer.example"}).value();
}

// Ada's token, verified.
class AdasToken {
 public:
  AdasToken() {
    issuer_.rules.issuer = "https://issuer.example";
    issuer_.rules.more_claims = {jose::ClaimPath("team"), jose::ClaimPath("/a/b"),
                                 jose::ClaimPath("act")};
    auto token = std::make_shared<engine::KnownToken>();
    token->principal.issuer = issuer_.rules.issuer;
    token->principal.subject = "ada";
    token->principal.tenant = "acme";
    token->principal.roles = {"user"};
    token->principal.scopes = {"openid", "task:read"};
    token->principal.claims = {{"team", "blue"}};
    token->principal.opaque_claims = {"act"};
    token->identity = {0xde, 0xad, 0xbe, 0xef, 0x55};
    token->issuer = &issuer_;
    examined_.code = policy::Code::kOk;
    examined_.token = std::move(token);
    examined_.cache_hit = true;
  }

  const engine::Examination& examined() const { return examined_; }
  const policy::Principal& principal() const { return examined_.token->principal; }

 private:
  engine::TrustedIssuer issuer_;
  engine::Examination examined_;
};

}  // namespace gatehouse::frontend
