#pragma once

#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "server/base/clock.h"
#include "server/base/file_watch.h"
#include "server/base/mutex.h"
#include "server/config/config.h"
#include "server/server.h"

namespace gatehouse {

// As config::LoadConfig. `watch` looks at `path` already; when this was read, it looks at
// the files and folders of the policy, the callers' token files, and the issuers' secret
// and CA files too, and at nothing else.
absl::StatusOr<config::Config> LoadWatched(const std::string& path, FileWatch& watch);

// Reloads a server's configuration when it is asked to, and when a file has changed that
// `watch` looks at: it looks every second, and lets a file be until two looks agree. While
// `path` itself is missing nothing is reloaded, which is told once; another file that is
// missing is a change like any other, and the server's to refuse. A configuration
// that was refused is tried again every few seconds, since a file that it names may
// have come meanwhile; it is told again only when there is something else to tell.
// The server's certificates are looked at as often, whatever comes of the configuration.
class Reloader {
 public:
  // `server` and `clock` outlive it. `watch` was made by LoadWatched when the
  // configuration in force was read.
  Reloader(Server& server, std::string path, FileWatch watch, const Clock& clock);
  // Waits for a reload that is under way.
  ~Reloader();

  // Soon, on the reloader's own thread. Thread-safe.
  void Ask() GH_EXCLUDES(mu_);

 private:
  enum class Due { kLook, kReload, kEnd };

  void Run();
  Due Await() GH_EXCLUDES(mu_);
  void Look();
  void Reload();
  void TryAgain();
  void TellGone();

  Server& server_;
  const std::string path_;
  const Clock& clock_;
  // For the thread.
  FileWatch watch_;
  bool told_gone_ = false;
  absl::Status status_;  // of the last time
  int looks_since_ = 0;

  Mutex mu_;
  CondVar changed_;
  bool asked_ GH_GUARDED_BY(mu_) = false;
  bool end_ GH_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace gatehouse
