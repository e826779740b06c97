#include "server/reloader.h"

#include <utility>
#include <variant>
#include <vector>

#include "server/base/log.h"

namespace gatehouse {
namespace {

constexpr int64_t kBetweenLooksNanos = 1'000'000'000;
constexpr int kLooksBetweenTries = 5;

// The files of an issuer's keys that a reload reads. A JWKS file's own source looks at it.
void AddKeyFiles(const config::Keys& keys, std::vector<std::string>& paths) {
  const auto add = [&paths](const config::SecretPlace& secret) {
    if (secret.kind == config::SecretPlace::Kind::kFile) paths.push_back(secret.name);
  };
  if (const auto* const url = std::get_if<config::KeysUrl>(&keys); url != nullptr) {
    if (url->ca_file.has_value()) paths.push_back(*url->ca_file);
  } else if (const auto* const secret = std::get_if<config::KeysSecret>(&keys); secret != nullptr) {
    add(secret->current);
    if (secret->previous.has_value()) add(*secret->previous);
  }
}

std::vector<std::string> PathsOf(const std::string& path, const config::Config& config) {
  std::vector<std::string> paths = config.policy_paths;
  paths.push_back(path);
  for (const config::Caller& caller : config.callers) {
    if (!caller.token_file.empty()) paths.push_back(caller.token_file);
  }
  for (const config::Issuer& issuer : config.issuers) AddKeyFiles(issuer.keys, paths);
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
    server_.LookAtCertificates();
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
      return watch_.Found(path_) ? Reload() : TellGone();
    case FileWatch::Look::kChanging:
      return;
    case FileWatch::Look::kSame:
      if (!status_.ok() && watch_.Found(path_) && ++looks_since_ >= kLooksBetweenTries) TryAgain();
      return;
  }
}

void Reloader::Reload() {
  told_gone_ = false;
  looks_since_ = 0;
  status_ = server_.Reload(LoadWatched(path_, watch_));
}

void Reloader::TryAgain() {
  looks_since_ = 0;
  status_ = server_.Retry(LoadWatched(path_, watch_), status_);
}

void Reloader::TellGone() {
  if (told_gone_) return;
  told_gone_ = true;
  log::Warning("the configuration file is missing; what it said stays in force", {{"file", path_}});
}

}  // namespace gatehouse
