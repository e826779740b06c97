#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "gatehouse/v1/revocation.pb.h"
#include "google/protobuf/timestamp.pb.h"
#include "grpcpp/support/status.h"
#include "server/revocation/revocation.h"
#include "server/revocation/store.h"

// Between bytes, messages and the values that the engine and the store speak of.
namespace gatehouse::frontend {

// INVALID_ARGUMENT if `bytes` are no message of this type.
absl::Status Parse(const grpc::ByteBuffer& bytes, google::protobuf::MessageLite& message);
grpc::ByteBuffer Serialize(const google::protobuf::MessageLite& message);

grpc::Status ToGrpc(const absl::Status& status);

void SetTimestamp(absl::Time time, google::protobuf::Timestamp& stamp);
// INVALID_ARGUMENT, naming `field`, if it is outside of the years 1 to 9999 or has
// nanoseconds beyond a second.
absl::StatusOr<absl::Time> FromTimestamp(const google::protobuf::Timestamp& stamp,
                                         absl::string_view field);

void FillRevocation(const revocation::Fact& fact, v1::Revocation& out);

// A page token names the revision before which the next page begins.
std::string PageToken(int64_t before_revision);
absl::StatusOr<revocation::ListQuery> ToQuery(const v1::ListRevocationsRequest& request);

}  // namespace gatehouse::frontend
