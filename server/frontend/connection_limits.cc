#include "server/frontend/connection_limits.h"

#include <algorithm>
#include <limits>

#include "absl/time/time.h"

namespace gatehouse::frontend {
namespace {

// How long a connection may take to say what it is: one that never speaks would
// keep the server from ending.
constexpr int kHandshakeMillis = 5'000;

// A peer that has vanished is noticed.
constexpr int kPingMillis = 60'000;
constexpr int kPingAnswerMillis = 20'000;

// Clients may ping every 10s. Pings that were held up on their way come closer together, and
// the third too early ends the connection.
constexpr int kLeastBetweenPingsMillis = 5'000;

// A caller's token has 512 bytes at most; what sidecars tell of a peer is longer.
constexpr int kMaxMetadataBytes = 16 * 1024;

int Millis(absl::Duration duration) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  return static_cast<int>(std::min(absl::ToInt64Milliseconds(duration), kMost));
}

}  // namespace

void SetConnectionLimits(grpc::ServerBuilder& builder, const config::Connections& connections) {
  // Otherwise a second server on the same port would take half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // One connection cannot take all places.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, connections.max_streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadataBytes);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingAnswerMillis);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kLeastBetweenPingsMillis);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeMillis);
  if (connections.max_age == absl::ZeroDuration()) return;
  // gRPC itself takes a tenth more or less, by chance.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Millis(connections.max_age));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             Millis(connections.max_age_grace));
}

}  // namespace gatehouse::frontend
