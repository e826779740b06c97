#pragma once

#include <libpq-fe.h>
#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace gatehouse {

// A PostgreSQL of the test's own, in a folder of its own, reached over a Unix socket
// alone. Everybody who can reach the socket is whoever they say. Ends with this
// object, or with the test's process.
class PostgresServer {
 public:
  // Waits until it answers. Not OK, saying why: Debian's `postgresql` is not installed,
  // or it did not start.
  static absl::StatusOr<std::unique_ptr<PostgresServer>> Start();

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // Of its socket.
  const std::string& folder() const { return folder_; }

 private:
  explicit PostgresServer(std::string folder) : folder_(std::move(folder)) {}
  absl::Status Run();

  const std::string folder_;
  pid_t process_ = -1;
  int log_ = -1;  // what it writes
};

// A connection to it as its superuser. Not thread-safe.
class PostgresConnection {
 public:
  using Rows = std::vector<std::vector<std::optional<std::string>>>;

  static absl::StatusOr<std::unique_ptr<PostgresConnection>> Open(const PostgresServer& server);

  // Runs one or more statements. The error is the message of PostgreSQL, with its code
  // in front: "42501: ...".
  absl::Status Run(const std::string& statements);

  // Runs one statement whose parameters are texts (null: NULL), and gives its rows as text.
  absl::StatusOr<Rows> Query(const std::string& statement,
                             const std::vector<std::optional<std::string>>& parameters = {});

 private:
  explicit PostgresConnection(PGconn* connection) : connection_(connection, &PQfinish) {}

  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

}  // namespace gatehouse
