#include "server/keys/jwks_url.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/keys/key_copy.h"
#include "server/keys/refreshed_source.h"
#include "server/keys/url.h"
#include "server/keys/url_origin.h"
#include "server/keys/usable_keys.h"

namespace gatehouse::keys {
namespace {

// A clock that is set again while the server is down.
constexpr absl::Duration kForgivenFuture = absl::Seconds(60);

// Why the copy cannot be used; empty if it can.
std::string WhyNot(const KeyCopy& copy, const JwksUrlOptions& options, absl::Duration age) {
  if (copy.issuer != options.issuer) return "is another issuer's";
  if (copy.url != options.url) return "is from another URL";
  if (age < -kForgivenFuture) return "is from the future";
  if (age > options.max_age) {
    return absl::StrCat("is ", absl::FormatDuration(age), " old, more than max_age");
  }
  return "";
}

std::optional<FirstKeys> KeysFromDisk(const std::string& path, const JwksUrlOptions& options,
                                      const Clock& clock) {
  const auto ignored = [&](absl::string_view reason) {
    log::Warning("the copy of the keys on disk is not used",
                 {{"issuer", options.issuer}, {"file", path}, {"reason", reason}});
    return std::nullopt;
  };
  const absl::StatusOr<KeyCopy> copy = ReadKeyCopy(path);
  if (absl::IsNotFound(copy.status())) return std::nullopt;
  if (!copy.ok()) return ignored(copy.status().message());
  const absl::Duration age = clock.Now() - copy->fetched;
  if (const std::string why = WhyNot(*copy, options, age); !why.empty()) return ignored(why);
  const absl::StatusOr<UsableKeys> usable = ReadUsableKeys(copy->jwks, options.algorithms);
  if (!usable.ok()) return ignored(usable.status().message());
  if (usable->keys.empty()) return ignored(WhyNone(*usable));
  log::Warning("keys are from the copy on disk until the issuer answers",
               {{"issuer", options.issuer},
                {"file", path},
                {"keys", usable->keys.keys().size()},
                {"age", absl::FormatDuration(absl::Trunc(age, absl::Seconds(1)))}});
  return FirstKeys{.keys = usable->keys,
                   .fetched = copy->fetched,
                   .age = std::max(age, absl::ZeroDuration()),
                   .from_disk = true};
}

}  // namespace

std::unique_ptr<KeySource> MakeJwksUrlSource(JwksUrlOptions options, const Clock& clock) {
  RefreshedOptions refreshed{.issuer = options.issuer,
                             .place = WithoutQuery(options.url),
                             .algorithms = options.algorithms,
                             .times = {.cooldown = options.cooldown,
                                       .retry_after = options.retry_after,
                                       .retry_at_most = options.retry_at_most},
                             .grace = options.grace,
                             .max_age = options.max_age,
                             .max_waiters = options.max_waiters};
  std::optional<FirstKeys> first;
  if (!options.copy_folder.empty()) {
    refreshed.copy_path = KeyCopyPath(options.copy_folder, options.issuer);
    refreshed.copy_url = options.url;
    first = KeysFromDisk(refreshed.copy_path, options, clock);
  }
  auto origin =
      MakeUrlOrigin({.url = std::move(options.url),
                     .discovery = std::move(options.discovery),
                     .ca_file = std::move(options.ca_file),
                     .limits = {.timeout = options.timeout, .max_bytes = options.max_bytes},
                     .lifetime = options.lifetime});
  return MakeRefreshedSource(std::move(refreshed), std::move(origin), std::move(first), clock);
}

}  // namespace gatehouse::keys
