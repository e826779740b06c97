#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/message_lite.h"
#include "google/protobuf/timestamp.pb.h"
#include "grpcpp/support/status.h"

// Between bytes, messages and values.
namespace gatehouse::frontend {

// INVALID_ARGUMENT if `bytes` are no message of this type.
absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message);
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message);

grpc::Status ToGrpc(const absl::Status& status);

void SetDuration(absl::Duration duration, google::protobuf::Duration& out);
void SetTimestamp(absl::Time time, google::protobuf::Timestamp& stamp);
// INVALID_ARGUMENT, naming `field`, if it is outside of the years 1 to 9999 or has
// nanoseconds beyond a second.
absl::StatusOr<absl::Time> FromTimestamp(const google::protobuf::Timestamp& stamp,
                                         absl::string_view field);

}  // namespace gatehouse::frontend
