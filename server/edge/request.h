#pragma once

#include <utility>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace gatehouse::edge {

struct Header {
  absl::string_view name;  // as it was sent
  absl::string_view value;
};

// What a proxy says of a request that it was sent. Views.
struct Request {
  absl::string_view method = {};
  absl::string_view host = {};    // as it was sent, perhaps with a port
  absl::string_view target = {};  // path and query, as they go upstream
  // All of them that the proxy passes on, one that was sent twice twice.
  absl::Span<const Header> headers = {};
  // The SPIFFE id of whoever sent it, as the proxy has verified it. Empty: unknown.
  absl::string_view peer = {};
  // What the proxy's own configuration says of this route; become attributes of the question.
  absl::Span<const std::pair<absl::string_view, absl::string_view>> context = {};
  // Whether the proxy can be told to remove a header.
  bool can_remove_headers = false;
};

}  // namespace gatehouse::edge
