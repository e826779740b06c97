#include "server/frontend/spiffe_table.h"

#include <algorithm>
#include <functional>

#include "absl/strings/match.h"
#include "server/config/spiffe_id.h"

namespace gatehouse::frontend {

void SpiffeTable::Add(const std::string& id, size_t number) {
  if (!absl::EndsWith(id, config::kAllBelow)) {
    exact_.emplace(id, number);
    return;
  }
  std::string above = id.substr(0, id.size() - 1);
  const auto place =
      std::lower_bound(lengths_.begin(), lengths_.end(), above.size(), std::greater<>());
  if (place == lengths_.end() || *place != above.size()) lengths_.insert(place, above.size());
  above_.emplace(std::move(above), number);
}

std::optional<size_t> SpiffeTable::Find(absl::string_view id) const {
  if (const auto found = exact_.find(id); found != exact_.end()) return found->second;
  if (lengths_.empty() || !config::IsSpiffeId(id)) return std::nullopt;
  for (const size_t length : lengths_) {
    if (id.size() <= length || id[length - 1] != '/') continue;
    const auto found = above_.find(id.substr(0, length));
    if (found != above_.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace gatehouse::frontend
