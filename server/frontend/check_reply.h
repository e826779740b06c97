#pragma once

#include <grpcpp/support/byte_buffer.h>

#include "absl/strings/string_view.h"
#include "server/edge/gate.h"
#include "server/edge/settings.h"
#include "server/policy/principal.h"

namespace gatehouse::frontend {

// What the proxy may log, and limit rates by. Views; what is empty is left out.
struct CheckNotes {
  const policy::Principal* principal = nullptr;  // null: nobody is known
  absl::string_view route = {};                  // its template
  absl::string_view decision_id = {};
};

// The CheckResponse for `answer`, which was decided: encoded without building the message,
// which is most of what a known token would cost.
grpc::ByteBuffer EncodeCheck(const edge::Answer& answer, const edge::Settings& settings,
                             const CheckNotes& notes);

}  // namespace gatehouse::frontend
