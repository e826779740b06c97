#include "server/keys/jwks_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/keys/file_origin.h"
#include "server/keys/refreshed_source.h"
#include "server/keys/usable_keys.h"

namespace gatehouse::keys {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);

absl::StatusOr<UsableKeys> ReadKeys(const JwksFileOptions& options, KeyOrigin& origin) {
  GH_ASSIGN_OR_RETURN(const Brought brought, origin.Bring(nullptr));
  absl::StatusOr<UsableKeys> usable = ReadUsableKeys(brought.jwks, options.algorithms);
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(options.path, ": ", why));
  };
  if (!usable.ok()) return bad(usable.status().message());
  if (usable->keys.empty()) return bad(WhyNone(*usable));
  return usable;
}

}  // namespace

absl::StatusOr<std::unique_ptr<KeySource>> MakeJwksFileSource(const JwksFileOptions& options,
                                                              const Clock& clock) {
  auto origin = MakeFileOrigin(options.path, kLookEvery);
  GH_ASSIGN_OR_RETURN(UsableKeys usable, ReadKeys(options, *origin));
  for (const jose::RefusedKey& key : usable.left_out) {
    log::Warning("key left out",
                 {{"file", options.path}, {"kid", key.kid}, {"reason", key.reason}});
  }
  RefreshedOptions refreshed{.issuer = options.issuer,
                             .place = options.path,
                             .algorithms = options.algorithms,
                             .times = {.cooldown = absl::Milliseconds(100),
                                       .retry_after = kLookEvery,
                                       .retry_at_most = kLookEvery},
                             .grace = options.grace,
                             .empty_is_a_mistake = true};
  return MakeRefreshedSource(std::move(refreshed), std::move(origin),
                             FirstKeys{.keys = std::move(usable.keys),
                                       .fetched = clock.Now(),
                                       .age = absl::ZeroDuration(),
                                       .left_out = std::move(usable.left_out)},
                             clock);
}

absl::Status CheckJwksFile(const JwksFileOptions& options) {
  return ReadKeys(options, *MakeFileOrigin(options.path, kLookEvery)).status();
}

}  // namespace gatehouse::keys
