#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "server/jose/openssl.h"
#include "tests/support/token_maker.h"

namespace gatehouse::bench {

// What OpenSSL is given of a token.
struct BareInput {
  std::string signing_input;
  std::string signature;
};

BareInput BareInputOf(absl::string_view token);

// OpenSSL's own operation and nothing else, with key, digest and context prepared:
// what a first sight is measured against. RS256 and EdDSA. For one thread.
class BareVerifier {
 public:
  explicit BareVerifier(const TokenMaker& maker);

  bool Verify(const BareInput& input) const;

 private:
  const bool rsa_;
  jose::EvpPkey key_;
  jose::EvpMdCtx digest_;    // EdDSA: the whole of it
  jose::EvpPkeyCtx verify_;  // RS256: over a digest
};

}  // namespace gatehouse::bench
