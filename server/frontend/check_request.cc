#include "server/frontend/check_request.h"

#include "absl/types/span.h"
#include "server/base/status_macros.h"
#include "server/frontend/wire.h"

namespace gatehouse::frontend {

using envoy::service::auth::v3::AttributeContext;
using envoy::service::auth::v3::CheckRequest;

namespace {

// Most requests take less; what one takes beyond is given back for the next.
constexpr size_t kBlockBytes = size_t{16} * 1024;

google::protobuf::ArenaOptions OptionsFor(absl::Span<char> block) {
  google::protobuf::ArenaOptions options;
  options.initial_block = block.data();
  options.initial_block_size = block.size();
  return options;
}

}  // namespace

CheckReader::CheckReader() : block_(kBlockBytes), arena_(OptionsFor(absl::MakeSpan(block_))) {}

absl::Status CheckReader::ReadHeaders(const AttributeContext::HttpRequest& http) {
  headers_.clear();
  if (http.headers_size() > 0 && http.header_map().headers_size() > 0) {
    return absl::InvalidArgumentError("the request has headers in both of two forms");
  }
  for (const AttributeContext::Entry& header : http.headers()) {
    headers_.push_back({header.key(), header.value()});
  }
  for (const AttributeContext::HeaderValue& header : http.header_map().headers()) {
    if (!header.value().empty() && !header.raw_value().empty()) {
      return absl::InvalidArgumentError("a header has two values");
    }
    headers_.push_back(
        {header.key(), header.value().empty() ? header.raw_value() : header.value()});
  }
  return absl::OkStatus();
}

absl::StatusOr<edge::Request> CheckReader::Read(const grpc::ByteBuffer& bytes) {
  arena_.Reset();
  CheckRequest& request = *google::protobuf::Arena::CreateMessage<CheckRequest>(&arena_);
  GH_RETURN_IF_ERROR(Parse(bytes, request));
  const AttributeContext& attributes = request.attributes();
  if (!attributes.request().has_http()) {
    return absl::InvalidArgumentError("the request does not tell of an HTTP request");
  }
  const AttributeContext::HttpRequest& http = attributes.request().http();
  GH_RETURN_IF_ERROR(ReadHeaders(http));
  context_.clear();
  for (const AttributeContext::Entry& entry : attributes.context_extensions()) {
    context_.emplace_back(entry.key(), entry.value());
  }
  return edge::Request{.method = http.method(),
                       .host = http.host(),
                       .target = http.path(),
                       .headers = headers_,
                       .peer = attributes.source().principal(),
                       .context = context_,
                       .can_remove_headers = true};
}

}  // namespace gatehouse::frontend
