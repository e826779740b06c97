#include "server/keys/static_keys.h"

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/keys/read_file.h"
#include "server/keys/usable_keys.h"

namespace gatehouse::keys {
namespace {

constexpr size_t kMaxSecretBytes = size_t{64} * 1024;
constexpr size_t kMaxJwksBytes = size_t{256} * 1024;

class StaticSource final : public KeySource {
 public:
  explicit StaticSource(jose::KeySet keys)
      : keys_(std::make_shared<const jose::KeySet>(std::move(keys))),
        loaded_(SystemClock().Now()) {}

  std::shared_ptr<const jose::KeySet> Current() const override { return keys_; }

  Ticket AwaitFetch(Waiter waiter) override {
    waiter(Fetched::kSucceeded);
    return kNone;
  }
  void Forget(Ticket /*ticket*/) override {}

  KeySourceState State() const override {
    return {.has_keys = true,
            .key_count = keys_->keys().size(),
            .last_success = loaded_,
            .last_error = ""};
  }

 private:
  const std::shared_ptr<const jose::KeySet> keys_;
  const absl::Time loaded_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<KeySource>> MakeSecretSource(Secret secret) {
  GH_ASSIGN_OR_RETURN(auto key, jose::MakeHmacKey(std::move(secret), {jose::Algorithm::kHs256}));
  return std::make_unique<StaticSource>(jose::KeySet({std::move(key)}));
}

absl::StatusOr<Secret> ReadSecretEnv(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): never set here
  if (value == nullptr) {
    return absl::NotFoundError(absl::StrCat("the environment variable ", name, " is not set"));
  }
  Secret secret{std::string(value)};
  if (secret.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the environment variable ", name, " is empty"));
  }
  return secret;
}

absl::StatusOr<Secret> ReadSecretFile(const std::string& path) {
  GH_ASSIGN_OR_RETURN(std::string bytes, ReadSmallFile(path, kMaxSecretBytes));
  if (absl::EndsWith(bytes, "\r\n")) {
    bytes.resize(bytes.size() - 2);
  } else if (absl::EndsWith(bytes, "\n")) {
    bytes.pop_back();
  }
  if (bytes.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
  return Secret(std::move(bytes));
}

absl::StatusOr<std::unique_ptr<KeySource>> MakeJwksFileSource(
    const std::string& path, const std::vector<jose::Algorithm>& algorithms) {
  GH_ASSIGN_OR_RETURN(const std::string bytes, ReadSmallFile(path, kMaxJwksBytes));
  absl::StatusOr<UsableKeys> usable = ReadUsableKeys(bytes, algorithms);
  if (!usable.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", usable.status().message()));
  }
  for (const jose::RefusedKey& key : usable->left_out) {
    log::Warning("key left out", {{"file", path}, {"kid", key.kid}, {"reason", key.reason}});
  }
  return std::make_unique<StaticSource>(std::move(usable->keys));
}

}  // namespace gatehouse::keys
