#pragma once

#include <google/protobuf/arena.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "envoy/service/auth/v3/external_auth.pb.h"
#include "server/edge/request.h"

namespace gatehouse::frontend {

// Makes what the gate decides on from Envoy's requests, one after the other, and keeps its
// memory between them. For one thread.
class CheckReader {
 public:
  CheckReader();

  // What `bytes`, a CheckRequest, tells: views into this, until the next call.
  // INVALID_ARGUMENT if it does not tell of one HTTP request.
  absl::StatusOr<edge::Request> Read(const grpc::ByteBuffer& bytes);

 private:
  absl::Status ReadHeaders(const envoy::service::auth::v3::AttributeContext::HttpRequest& http);

  std::vector<char> block_;
  google::protobuf::Arena arena_;  // of the last message; begins with block_
  std::vector<edge::Header> headers_;
  std::vector<std::pair<absl::string_view, absl::string_view>> context_;
};

}  // namespace gatehouse::frontend
