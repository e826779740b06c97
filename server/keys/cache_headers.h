#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "server/keys/http_fetch.h"

namespace gatehouse::keys {

// What an answer's headers say about keeping it (RFC 9111), line by line. Of further
// answers on the way (100 Continue, a proxy's CONNECT) the last one counts.
class CacheHeaders {
 public:
  void Add(absl::string_view line);

  const Validators& validators() const { return validators_; }
  // nullopt if the answer does not say.
  std::optional<absl::Duration> Lifetime() const;

 private:
  void AddCacheControl(absl::string_view value);

  Validators validators_;
  std::optional<int64_t> max_age_;
  int64_t age_ = 0;
  bool do_not_keep_ = false;
};

}  // namespace gatehouse::keys
