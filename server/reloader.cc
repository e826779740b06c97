#include "server/reloader.h"

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "server/base/log.h"

namespace gatehouse {
namespace {

constexpr int64_t kBetweenLooksNanos = 1'000'000'000;
constexpr int kLooksBetweenTries = 5;

std::vector<std::string> PathsOf(const std::string& path, const config::Config& config) {
  std::vector<std::string> paths = config.policy_paths;
  paths.push_back(path);
  for (const config::Caller& caller : config.callers) paths.push_back(caller.token_file);
  return paths;
}

}  // namespace

absl::StatusOr<config::Config> LoadWatched(const std::string& path, FileWatch& watch) {
  watch.Settle();
  auto config = config::LoadConfig(path);
  // What was read before it was looked at may have changed in between.
  if (config.ok() && watch.Follow(PathsOf(path, *config))) config = config::LoadConfig(path);
  return config;
}

Reloader::Reloader(Server& server, std::string path, FileWatch watch, const Clock& clock)
    : server_(server),
      path_(std::move(path)),
      clock_(clock),
      watch_(std::move(watch)),
      thread_([this] { Run(); }) {}

Reloader::~Reloader() {
  {
    MutexLock lock(mu_);
    end_ = true;
  }
  changed_.NotifyAll();
  thread_.join();
}

void Reloader::Ask() {
  {
    MutexLock lock(mu_);
    asked_ = true;
  }
  changed_.NotifyAll();
}

void Reloader::Run() {
  while (true) {
    switch (Await()) {
      case Due::kEnd:
        return;
      case Due::kReload:
        Reload();
        break;
      case Due::kLook:
        Look();
        break;
    }
    server_.FreeReplaced();
  }
}

Reloader::Due Reloader::Await() {
  MutexLock lock(mu_);
  const int64_t until = clock_.SteadyNanos() + kBetweenLooksNanos;
  while (!end_ && !asked_ && clock_.SteadyNanos() < until) clock_.WaitUntil(mu_, changed_, until);
  if (end_) return Due::kEnd;
  return std::exchange(asked_, false) ? Due::kReload : Due::kLook;
}

void Reloader::Look() {
  switch (watch_.LookAgain()) {
    case FileWatch::Look::kChanged:
      return Reload();
    case FileWatch::Look::kGone:
      return TellGone();
    case FileWatch::Look::kChanging:
      return;
    case FileWatch::Look::kSame:
      told_gone_.clear();
      if (!load_.ok() && ++looks_since_ >= kLooksBetweenTries) TryAgain();
      return;
  }
}

void Reloader::Reload() {
  told_gone_.clear();
  looks_since_ = 0;
  const auto config = LoadWatched(path_, watch_);
  load_ = config.status();
  server_.Reload(config).IgnoreError();  // it has told and counted it
}

void Reloader::TryAgain() {
  looks_since_ = 0;
  if (config::LoadConfig(path_).status() != load_) Reload();
}

void Reloader::TellGone() {
  const std::string gone = absl::StrJoin(watch_.gone(), ", ");
  if (gone == told_gone_) return;
  told_gone_ = gone;
  log::Warning("a file of the configuration is missing; what it said stays in force",
               {{"files", gone}});
}

}  // namespace gatehouse
