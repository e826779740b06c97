#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "gatehouse/result.h"

namespace gatehouse {

// How a Client reaches its server, and how much it remembers. docs/clients.md has the
// table; in brackets what FromEnvironment reads.
struct Settings {
  // "host:port", "unix:/path" or "dns:///name:port". Required. [GATEHOUSE_TARGET]
  std::string target;
  // The file with this service's own token, read again when it changes. Empty: the
  // service is known by its certificate, or not at all. [GATEHOUSE_TOKEN_FILE]
  std::string token_file;
  // Who is trusted to be the server (PEM). Empty: plaintext. [GATEHOUSE_CA_FILE]
  std::string ca_file;
  // This service's certificate chain and its key (PEM), both or none.
  // [GATEHOUSE_CERT_FILE, GATEHOUSE_KEY_FILE]
  std::string cert_file;
  std::string key_file;
  // Plaintext to another machine, where a mesh encrypts it.
  // [GATEHOUSE_PLAINTEXT_BEHIND_MESH: true or false]
  bool plaintext_behind_mesh = false;
  // Of each call that names none. [GATEHOUSE_DEADLINE: "500ms"]
  std::chrono::milliseconds deadline{500};
  // How old what is remembered may be; 1 s to 60 s. [GATEHOUSE_MAX_STALENESS: "3s"]
  std::chrono::milliseconds max_staleness{3000};
  // Bounds of the memory; 0 entries: nothing is remembered.
  // [GATEHOUSE_MEMORY_ENTRIES, GATEHOUSE_MEMORY_MIB]
  size_t memory_entries = 10'000;
  size_t memory_mib = 64;
  // Told what the application's operator should know, on a thread of the client's own.
  // Must not block. Unset: a line on standard error.
  std::function<void(const std::string&)> warn;

  // From the environment variables named above. kSetting where one cannot be read.
  static Result<Settings> FromEnvironment();
};

}  // namespace gatehouse
