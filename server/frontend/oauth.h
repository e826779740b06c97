#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/denial_log.h"
#include "server/frontend/http_later.h"
#include "server/frontend/http_server.h"
#include "server/frontend/metrics.h"
#include "server/frontend/reply.h"
#include "server/frontend/ruleset.h"
#include "server/revocation/store.h"

namespace gatehouse::frontend {

// POST /oauth/introspect (RFC 7662) and /oauth/revoke (RFC 7009). Clients are the callers
// (Authenticate). What cannot be decided is 503, never "inactive" and never "revoked". For
// the thread of one port, which it outlives, as it outlives what the store still has to
// write.
class OAuth {
 public:
  // All outlive it.
  OAuth(const Rulesets& rulesets, AuthorizationService& service, revocation::RevocationStore& store,
        HttpWaits& waits, Metrics& metrics, const Clock& clock);

  // Whether the path is one of these two.
  static bool Has(absl::string_view path);
  void Answer(const HttpRequest& request, HttpCall call);

 private:
  struct Ask;

  void Reply(const Ask& ask, HttpReply reply);
  void Fail(const Ask& ask, int status, absl::string_view error, absl::string_view why);
  // False: the request has been answered.
  bool Read(const HttpRequest& request, Ask& ask);
  bool Admit(const HttpRequest& request, const Ask& ask, const Caller*& caller);
  void Run(const std::shared_ptr<Ask>& ask, const HttpLater::Turn& turn);
  void Introspect(const Ask& ask, const engine::Examination& examined);
  void Revoke(const std::shared_ptr<Ask>& ask, const engine::Examination& examined);
  void LogRefusal(absl::string_view reason, absl::string_view caller);

  AuthorizationService& service_;
  revocation::RevocationStore& store_;
  ThreadMetrics& metrics_;
  const Clock& clock_;
  Rulesets::Reader rules_;
  CallerTable::Memory known_callers_;
  DecisionIds ids_;
  DenialLog denials_;
  HttpLater later_;
};

}  // namespace gatehouse::frontend
