#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/edge/gate.h"
#include "server/frontend/denial_log.h"
#include "server/frontend/unary_call.h"

namespace gatehouse::frontend {

// envoy.service.auth.v3.Authorization: translate in, ask the gate, translate out.
// Thread-safe.
class ExtAuthzService {
 public:
  // `clock` outlives the service.
  explicit ExtAuthzService(const Clock& clock) : clock_(clock), denials_(clock) {}

  // Ends `call`, whose caller may check, as UnaryCall asks.
  void Check(UnaryCall& call);

  // What a call is answered that ended with `status`, which is not OK: 400 for
  // INVALID_ARGUMENT, else 503. So that nobody takes an outage for a yes. Logs why.
  grpc::ByteBuffer ReplyTo(const UnaryCall& call, const grpc::Status& status);

 private:
  void Answer(UnaryCall& call, const edge::Gate& gate, const edge::Answer& answer);
  void Log(const UnaryCall& call, const edge::Answer& answer, absl::string_view id);
  void LogReason(const UnaryCall& call, absl::string_view code, absl::string_view reason,
                 absl::string_view id);
  void Note(UnaryCall& call, const edge::Answer& answer, absl::string_view id) const;

  const Clock& clock_;
  DenialLog denials_;
};

}  // namespace gatehouse::frontend
