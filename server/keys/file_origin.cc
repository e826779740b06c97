#include "server/keys/file_origin.h"

#include <sys/stat.h>

#include <optional>
#include <tuple>
#include <utility>

#include "server/base/read_file.h"
#include "server/base/status_macros.h"

namespace gatehouse::keys {
namespace {

constexpr size_t kMaxJwksBytes = size_t{256} * 1024;

// What differs when a file was written to or replaced.
using Mark = std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long>;

std::optional<Mark> MarkOf(const std::string& path) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0) return std::nullopt;
  return Mark(about.st_dev, about.st_ino, about.st_size, about.st_mtim.tv_sec,
              about.st_mtim.tv_nsec, about.st_ctim.tv_sec, about.st_ctim.tv_nsec);
}

class FileOrigin final : public KeyOrigin {
 public:
  FileOrigin(std::string path, absl::Duration look_every)
      : path_(std::move(path)), look_every_(look_every) {}

  absl::StatusOr<Brought> Bring(const std::function<void()>& /*meanwhile*/) override {
    // Taken before reading, so that what is written meanwhile differs from it.
    const std::optional<Mark> mark = MarkOf(path_);
    const bool same = mark.has_value() && mark == mark_;
    if (same && settled_) return Brought{Brought::Kind::kUntouched, "", look_every_};
    mark_.reset();
    GH_ASSIGN_OR_RETURN(std::string jwks, ReadSmallFile(path_, kMaxJwksBytes));
    mark_ = mark;
    // The times of a file are coarse: one that was written to twice within a tick
    // looks the same, so a changed one is read once more.
    settled_ = same;
    return Brought{Brought::Kind::kNew, std::move(jwks), look_every_};
  }

  void Distrust() override { mark_.reset(); }

 private:
  const std::string path_;
  const absl::Duration look_every_;
  std::optional<Mark> mark_;
  bool settled_ = false;
};

}  // namespace

std::unique_ptr<KeyOrigin> MakeFileOrigin(std::string path, absl::Duration look_every) {
  return std::make_unique<FileOrigin>(std::move(path), look_every);
}

}  // namespace gatehouse::keys
