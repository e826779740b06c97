#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/jose/jwks.h"
#include "server/keys/key_source.h"

// An issuer's keys as they lie on this machine. Never asks the network.
namespace gatehouse::cli {

struct OfflineKeys {
  std::shared_ptr<const jose::KeySet> keys;  // null: not looked at; `problem` says why
  std::string problem;
  std::string place;  // "the file /etc/jwks.json", for messages
  bool secret = false;
  std::vector<jose::RefusedKey> refused;
};

// `jwks_file`: a copy of the set that an issuer with a URL has; empty: none.
OfflineKeys ReadOfflineKeys(const config::Issuer& issuer, const std::string& jwks_file);

// A source that holds `keys` for ever. One without keys cannot be asked.
std::unique_ptr<keys::KeySource> MakeOfflineSource(std::shared_ptr<const jose::KeySet> keys);

}  // namespace gatehouse::cli
