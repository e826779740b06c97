#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/base/clock.h"
#include "server/config/config.h"

namespace gatehouse {

// What a start may be told beside the configuration.
struct ServerOptions {
  // Serving threads; 0: as many as CPUs may be used.
  int threads = 0;
};

// A running server: the object graph behind the ports.
class Server {
 public:
  // Reads keys and secrets, opens the database, listens, and serves. Ready only
  // when an issuer's keys are there, which this does not wait for. `clock`
  // outlives the server.
  //   INVALID_ARGUMENT, NOT_FOUND  a secret or key file that is missing or no good
  //   FAILED_PRECONDITION          a database that is none, or in use
  //   UNAVAILABLE                  a port that cannot be had
  // Each names the file, variable or address.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const config::Config& config,
                                                       const Clock& clock,
                                                       const ServerOptions& options = {});

  // Puts `config` in force, all at once: calls that begin after it returns are answered by
  // it, calls in flight end under what they began with. Keys, secrets and tokens are read
  // anew; keys behind a URL that stays the same are not fetched anew. On an error nothing
  // changes: as Start, and
  //   FAILED_PRECONDITION  a field that cannot change without a restart, named
  //   RESOURCE_EXHAUSTED   too many callers' names since the start
  // If `config` is an error, what LoadConfig gave, it is that one. Either way the log and
  // the metrics say what came of it. Thread-safe. Not after Shutdown.
  virtual absl::Status Reload(const absl::StatusOr<config::Config>& config) = 0;

  // As Reload, once more after one that gave `told`: the same error is told and counted
  // no second time.
  virtual absl::Status Retry(const absl::StatusOr<config::Config>& config,
                             const absl::Status& told) = 0;

  // Destroys what reloads have replaced and no call holds any more; now and then, on a
  // thread that may wait for a fetch to be broken off. Gives back how many are left.
  // Thread-safe. Not after Shutdown.
  virtual size_t FreeReplaced() = 0;

  // Looks at the files of listen.tls, and puts in force what has changed there: about once a
  // second, apart from any reload. For one thread at a time. Not after Shutdown.
  virtual void LookAtCertificates() {}

  // Not ready; what is in flight ends within `grace`; then the store closes, and what tells of
  // health last. Must be called once, before destruction.
  virtual void Shutdown(absl::Duration grace) = 0;

  virtual ~Server() = default;

  // 0 for a Unix socket.
  virtual int grpc_port() const = 0;
  virtual int http_port() const = 0;
  // In the configuration's order.
  virtual std::vector<int> forward_auth_ports() const = 0;
};

// Whether the files, secrets and folders that the configuration names can be used, those
// of callers included, without touching the network or the database. An error has a
// line for each fault, "file:line: field: what is wrong", and the first one's code.
absl::Status CheckKeys(const config::Config& config);

// The same of the files of listen.tls. Gives back what is allowed there and an operator should
// know, a sentence each.
absl::StatusOr<std::vector<std::string>> CheckCertificates(const config::Config& config);

// Makes the new, empty store that the configuration names. As CreateSqliteDatabase.
absl::Status CreateStore(const config::Config& config);

// Makes the store that the configuration names out of a backup, as RestoreSqliteDatabase.
// Gives back what it holds, in lines for people.
absl::StatusOr<std::string> RestoreStore(const std::string& backup, const config::Config& config);

// What is allowed and an operator should know, a sentence each.
std::vector<std::string> Warnings(const config::Config& config);

}  // namespace gatehouse
