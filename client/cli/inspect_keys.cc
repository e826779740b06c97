#include "client/cli/inspect_keys.h"

#include <utility>
#include <variant>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"
#include "server/keys/discovery.h"
#include "server/keys/static_keys.h"
#include "server/keys/url.h"

namespace gatehouse::cli {
namespace {

constexpr size_t kMaxJwksBytes = size_t{256} * 1024;

class OfflineSource final : public keys::KeySource {
 public:
  explicit OfflineSource(std::shared_ptr<const jose::KeySet> keys) : keys_(std::move(keys)) {}

  std::shared_ptr<const jose::KeySet> Current() const override { return keys_; }
  Ticket AwaitFetch(Waiter waiter) override {
    waiter(keys_ == nullptr ? Fetched::kFailed : Fetched::kSucceeded);
    return kNone;
  }
  void Forget(Ticket /*ticket*/) override {}
  void Suspect() override {}
  keys::KeySourceState State() const override {
    keys::KeySourceState state;
    state.has_keys = keys_ != nullptr;
    state.key_count = keys_ != nullptr ? keys_->keys().size() : 0;
    return state;
  }

 private:
  const std::shared_ptr<const jose::KeySet> keys_;
};

absl::Status At(absl::string_view place, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(place, ": ", status.message()));
}

absl::StatusOr<OfflineKeys> FromFile(const std::string& path) {
  GH_ASSIGN_OR_RETURN(const std::string text, ReadSmallFileOrPipe(path, kMaxJwksBytes));
  absl::StatusOr<jose::ParsedKeySet> parsed = jose::ParseJwks(text);
  if (!parsed.ok()) return At(path, parsed.status());
  OfflineKeys out;
  out.keys = std::make_shared<const jose::KeySet>(std::move(parsed->keys));
  out.place = absl::StrCat("the file ", path);
  out.refused = std::move(parsed->refused);
  return out;
}

struct Read {
  const jose::IssuerRules& rules;
  const std::string& jwks_file;

  absl::StatusOr<OfflineKeys> operator()(const config::KeysUrl& keys) const {
    if (!jwks_file.empty()) return FromFile(jwks_file);
    OfflineKeys out;
    if (keys.discover) {
      out.place = keys::ConfigurationUrl(keys.url);
      out.problem = absl::StrCat("the issuer's keys are behind the jwks_uri that ", out.place,
                                 " names, which was not asked; fetch what is at that jwks_uri "
                                 "into a file and give it with --jwks");
      return out;
    }
    out.place = keys::WithoutQuery(keys.url);
    out.problem = absl::StrCat("the issuer's keys are behind ", out.place,
                               ", which was not asked; fetch them into a file and give it with "
                               "--jwks");
    return out;
  }
  absl::StatusOr<OfflineKeys> operator()(const config::KeysFile& keys) const {
    return FromFile(keys.path);
  }
  absl::StatusOr<OfflineKeys> operator()(const config::KeysSecret& keys) const {
    std::vector<std::shared_ptr<const jose::VerificationKey>> all;
    GH_ASSIGN_OR_RETURN(all.emplace_back(), FromPlace(keys.current));
    if (keys.previous.has_value()) {
      GH_ASSIGN_OR_RETURN(all.emplace_back(), FromPlace(*keys.previous));
    }
    OfflineKeys out;
    out.keys = std::make_shared<const jose::KeySet>(std::move(all));
    out.place = PlaceOf(keys.current);
    out.secret = true;
    return out;
  }

  static std::string PlaceOf(const config::SecretPlace& place) {
    const bool file = place.kind == config::SecretPlace::Kind::kFile;
    return absl::StrCat(
        file ? "the secret in the file " : "the secret in the environment variable ", place.name);
  }
  absl::StatusOr<std::shared_ptr<const jose::VerificationKey>> FromPlace(
      const config::SecretPlace& place) const {
    auto secret = place.kind == config::SecretPlace::Kind::kFile ? keys::ReadSecretFile(place.name)
                                                                 : keys::ReadSecretEnv(place.name);
    if (!secret.ok()) return secret.status();
    auto key = jose::MakeHmacKey(*std::move(secret), rules.algorithms);
    if (!key.ok()) return At(PlaceOf(place), key.status());
    return key;
  }
};

}  // namespace

OfflineKeys ReadOfflineKeys(const config::Issuer& issuer, const std::string& jwks_file) {
  absl::StatusOr<OfflineKeys> keys = std::visit(Read{issuer.rules, jwks_file}, issuer.keys);
  if (!keys.ok()) {
    OfflineKeys out;
    out.place = "nowhere";
    out.problem = absl::StrCat("the issuer's keys cannot be read: ", keys.status().message());
    return out;
  }
  if (!jwks_file.empty() && !std::holds_alternative<config::KeysUrl>(issuer.keys)) {
    keys->place += " (--jwks is for issuers with a URL, and was not used)";
  }
  return *std::move(keys);
}

std::unique_ptr<keys::KeySource> MakeOfflineSource(std::shared_ptr<const jose::KeySet> keys) {
  return std::make_unique<OfflineSource>(std::move(keys));
}

}  // namespace gatehouse::cli
