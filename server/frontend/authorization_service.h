#pragma once

#include <string>

#include "server/base/clock.h"
#include "server/engine/authorizer.h"
#include "server/engine/revoker.h"
#include "server/frontend/denial_log.h"
#include "server/frontend/metrics.h"
#include "server/frontend/unary_call.h"
#include "server/revocation/store.h"

namespace gatehouse::frontend {

// gatehouse.v1.AuthorizationService: translate in, call the engine or the store,
// translate out. Each method ends its call as UnaryCall asks. Thread-safe.
class AuthorizationService {
 public:
  // All outlive the service.
  AuthorizationService(engine::Authorizer& authorizer, const engine::Revoker& revoker,
                       revocation::RevocationStore& store, Metrics& metrics, const Clock& clock)
      : authorizer_(authorizer),
        revoker_(revoker),
        store_(store),
        metrics_(metrics),
        clock_(clock),
        denials_(clock) {}

  void Verify(UnaryCall& call);
  void Authorize(UnaryCall& call);
  void Revoke(UnaryCall& call);
  void ListRevocations(UnaryCall& call);

 private:
  // Ends `call` with what was found out, or puts it off. `claims_of`: the token
  // whose claims are asked for, or empty.
  void Answer(UnaryCall& call, Method method, const engine::Examination& examined,
              bool show_principal, absl::string_view claims_of);

  engine::Authorizer& authorizer_;
  const engine::Revoker& revoker_;
  revocation::RevocationStore& store_;
  Metrics& metrics_;
  const Clock& clock_;
  DenialLog denials_;
};

}  // namespace gatehouse::frontend
