#include "server/keys/static_keys.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"

namespace gatehouse::keys {
namespace {

constexpr size_t kMaxSecretBytes = size_t{64} * 1024;

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
  void Suspect() override {}

  KeySourceState State() const override {
    KeySourceState state;
    state.has_keys = true;
    state.key_count = keys_->keys().size();
    state.last_success = loaded_;
    return state;
  }

 private:
  const std::shared_ptr<const jose::KeySet> keys_;
  const absl::Time loaded_;
};

}  // namespace

absl::StatusOr<SecretKey> MakeSecretKey(Secret secret,
                                        const std::vector<jose::Algorithm>& algorithms) {
  return jose::MakeHmacKey(std::move(secret), algorithms);
}

absl::StatusOr<std::unique_ptr<KeySource>> MakeSecretSource(SecretKey current, SecretKey previous) {
  std::vector<SecretKey> keys = {std::move(current)};
  if (previous != nullptr) {
    if (previous->thumbprint() == keys[0]->thumbprint()) {
      return absl::InvalidArgumentError("is the same secret as the current one");
    }
    keys.push_back(std::move(previous));
  }
  return std::make_unique<StaticSource>(jose::KeySet(std::move(keys)));
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

}  // namespace gatehouse::keys
