#pragma once

namespace gatehouse::config {

// A file with every field; tests change a line of it.
inline constexpr char kGood[] = R"(listen: {grpc: "127.0.0.1:7070", http: "127.0.0.1:7071"}
issuers:
  - issuer: http://localhost:3000
    audiences: [http://localhost:3000]
    algorithms: [EdDSA]
    keys: {jwks_url: http://localhost:3000/api/auth/jwks}
    claims: {roles: role, tenant: org, session: sid}
    max_token_lifetime: 1h
    may_assert: {roles: [admin, user], scopes: none, tenants: [acme]}
  - issuer: development
    audiences:
      - todo
      - notes
    algorithms: [EdDSA, ES256, RS256]
    keys:
      jwks_file: keys/development.jwks
    claims:
      roles: groups
      scopes: scp
      tenant: ""
      session: session_state
      client: azp
    may_assert: {roles: any, scopes: any, tenants: any}  # for trying things out
    max_token_lifetime: 30m
    skew: 0s
    allow_missing_iat: true
    development:
      private_key_file: keys/development.pem
  - issuer: 'internal'
    audiences: ["todo"]
    algorithms: [HS256]
    keys: {secret_env: GATEHOUSE_SECRET}
    skew: 1m
    may_assert: {roles: none, scopes: [any], tenants: none}
revocations:
  sqlite:
    path: gatehouse.db
  keep: 720h
)";

}  // namespace gatehouse::config
