#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "server/keys/http_fetch.h"

namespace gatehouse::keys {

// A document that is asked for again and again, and sent only when it has changed.
// Not thread-safe.
class ConditionalGet {
 public:
  // `fetcher` outlives this. `request` without `known`.
  ConditionalGet(HttpFetcher& fetcher, FetchRequest request)
      : fetcher_(fetcher), request_(std::move(request)) {}

  // As HttpFetcher::Get, but the body is there after a 304 too.
  absl::StatusOr<FetchAnswer> Get(const std::function<void()>& meanwhile);
  // The last answer was of no use: the next one must be whole.
  void Distrust() { request_.known = {}; }

  const std::string& url() const { return request_.url; }

 private:
  HttpFetcher& fetcher_;
  FetchRequest request_;
  FetchAnswer last_;
};

}  // namespace gatehouse::keys
