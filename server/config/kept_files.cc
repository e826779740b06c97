#include "server/config/kept_files.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/keys/key_copy.h"

namespace gatehouse::config {
namespace {

namespace fs = std::filesystem;

using Inode = std::pair<dev_t, ino_t>;

// Where `path` leads, also where the last link points to nothing.
std::string WithoutLinks(const std::string& path) {
  constexpr int kMostLinks = 40;
  std::error_code error;
  fs::path at = fs::absolute(path, error);
  for (int i = 0; i < kMostLinks && fs::is_symlink(at, error); ++i) {
    at = at.parent_path() / fs::read_symlink(at, error);
  }
  const fs::path found = fs::weakly_canonical(at, error);
  return error ? at.lexically_normal().string() : found.string();
}

// What tells files apart. `inode` is unset where there is none.
struct Identity {
  explicit Identity(const std::string& path) : place(WithoutLinks(path)) {
    struct stat found{};
    if (stat(path.c_str(), &found) == 0) inode = {found.st_dev, found.st_ino};
  }

  bool Is(const Identity& other) const {
    if (inode.has_value() && other.inode.has_value()) return inode == other.inode;
    return place == other.place;
  }

  std::string place;
  std::optional<Inode> inode;
};

struct AddKeys {
  std::vector<KeptFile>& out;

  void operator()(const KeysUrl& keys) const {
    if (keys.ca_file.has_value()) out.push_back({*keys.ca_file, "an issuer's ca_file"});
  }
  void operator()(const KeysFile& keys) const {
    out.push_back({keys.path, "an issuer's jwks_file"});
  }
  void operator()(const KeysSecret& keys) const {
    Add(keys.current);
    if (keys.previous.has_value()) Add(*keys.previous);
  }
  void Add(const SecretPlace& secret) const {
    if (secret.kind == SecretPlace::Kind::kFile) out.push_back({secret.name, "an issuer's secret"});
  }
};

void AddDatabase(const std::string& path, std::vector<KeptFile>& out) {
  if (path.empty()) return;
  // SQLite puts the files that belong to it beside what links lead to.
  for (const std::string& base : {path, WithoutLinks(path)}) {
    out.push_back({base, "the database"});
    for (const char* suffix : {"-wal", "-shm", "-journal"}) {
      out.push_back({base + suffix, "a part of the database"});
    }
  }
}

// The names of a log and of what it is renamed to.
std::vector<std::string> NamesOf(const DecisionLog& log) {
  std::vector<std::string> names = {log.path};
  names.reserve(static_cast<size_t>(log.keep_files) + 1);
  for (int i = 1; i <= log.keep_files; ++i) names.push_back(absl::StrCat(log.path, ".", i));
  return names;
}

absl::Status NotItsOwn(const std::string& name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(log::Escape(name, 512), " is ", what,
                                                 "; decisions need a file of their own, as do "
                                                 "those that it is renamed to"));
}

bool WouldBePolicy(const Identity& log, const KeptFile& kept) {
  std::error_code error;
  if (!fs::is_directory(kept.path, error)) return false;
  const fs::path path(log.place);
  return Identity(path.parent_path().string()).Is(Identity(kept.path)) &&
         (path.extension() == ".yaml" || path.extension() == ".yml");
}

}  // namespace

std::vector<KeptFile> KeptFilesOf(const Config& config, const std::string& config_file) {
  std::vector<KeptFile> out;
  AddDatabase(config.sqlite_path, out);
  out.push_back({config_file, "the configuration"});
  for (const std::string& path : config.policy_paths) out.push_back({path, "a policy"});
  for (const Caller& caller : config.callers) {
    if (!caller.token_file.empty()) out.push_back({caller.token_file, "a caller's token_file"});
  }
  if (config.tls.has_value()) {
    out.push_back({config.tls->cert_file, "listen.tls.cert_file"});
    out.push_back({config.tls->key_file, "listen.tls.key_file"});
    const std::string& roots = config.tls->client_ca_file;
    if (!roots.empty()) out.push_back({roots, "listen.tls.client_ca_file"});
  }
  const std::string folder = fs::path(config.sqlite_path).parent_path().string();
  for (const Issuer& issuer : config.issuers) {
    std::visit(AddKeys{out}, issuer.keys);
    if (std::holds_alternative<KeysUrl>(issuer.keys)) {
      out.push_back({keys::KeyCopyPath(folder.empty() ? "." : folder, issuer.rules.issuer),
                     "the copy of an issuer's keys"});
    }
    if (issuer.development_key_file.has_value()) {
      out.push_back({*issuer.development_key_file, "an issuer's private_key_file"});
    }
  }
  return out;
}

const KeptFile* FindSame(const std::string& path, const std::vector<KeptFile>& files) {
  const Identity wanted(path);
  for (const KeptFile& file : files) {
    if (wanted.Is(Identity(file.path))) return &file;
  }
  return nullptr;
}

absl::Status CheckOwnFiles(const DecisionLog& log) {
  std::vector<std::pair<Identity, const KeptFile*>> kept;
  kept.reserve(log.kept.size());
  for (const KeptFile& file : log.kept) kept.emplace_back(Identity(file.path), &file);
  const Identity itself(log.path);
  for (const auto& [identity, file] : kept) {
    if (WouldBePolicy(itself, *file)) return NotItsOwn(log.path, "read as a policy");
  }
  std::map<Inode, std::string> names;
  for (const std::string& name : NamesOf(log)) {
    const Identity identity(name);
    for (const auto& [other, file] : kept) {
      if (identity.Is(other)) return NotItsOwn(name, file->what);
    }
    if (!identity.inode.has_value()) continue;
    const auto [before, is_new] = names.emplace(*identity.inode, name);
    if (!is_new) return NotItsOwn(name, absl::StrCat("the same file as ", before->second));
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::config
