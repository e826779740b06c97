#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/base/clock.h"
#include "server/config/config.h"
#include "server/edge/gate.h"
#include "server/frontend/denial_log.h"
#include "server/frontend/http_later.h"
#include "server/frontend/http_server.h"
#include "server/frontend/metrics.h"
#include "server/frontend/reply.h"
#include "server/frontend/ruleset.h"

namespace gatehouse::frontend {

// A port that proxies of one kind ask before they pass a request on. What they ask about
// stands in three headers of the dialect's, each exactly once, spelled with `-`; a second one
// with `_` counts as well. Other dialects' headers are headers like any other, and the line
// of the asking request itself is not looked at.
//
// 200 with the identity headers that have a value; 401 and 403 with a body;
// 400 for what can be read in two ways; 503 for what could not be decided within 100 ms, and for
// a proxy that may not ask. For the thread of its port, which it outlives.
class ForwardAuth {
 public:
  // What its requests' heads may take: what browsers and proxies let cookies and addresses
  // take.
  static constexpr size_t kMaxHeadBytes = size_t{32} * 1024;

  // All outlive it.
  ForwardAuth(const config::ForwardAuth& options, const Rulesets& rulesets, HttpWaits& waits,
              Metrics& metrics, const Clock& clock);

  void Answer(HttpRequest request, HttpCall call);

 private:
  struct Ask;

  // Finds out who asks. False: the request has been answered.
  bool Identify(Ask& ask);
  // False: the request has been answered.
  bool Read(Ask& ask);
  void Run(const std::shared_ptr<Ask>& ask, const HttpLater::Turn& turn);
  void Decided(const Ask& ask, const edge::Answer& answer);
  void Log(const Ask& ask, const edge::Answer& answer, absl::string_view id);
  void Note(const Ask& ask, const edge::Answer& answer, policy::Code code, absl::string_view id);
  void LogReason(const Ask& ask, absl::string_view code, absl::string_view reason,
                 absl::string_view id);
  void Send(const Ask& ask, const edge::Answer& answer);
  // Without a decision.
  void Fail(const Ask& ask, int status, absl::string_view code, absl::string_view detail,
            absl::string_view reason);
  // The same, since who asks may not: which is no answer to what was asked.
  void FailCaller(const Ask& ask, absl::string_view reason);

  const config::ForwardAuth options_;
  ThreadMetrics& metrics_;
  const Clock& clock_;
  Rulesets::Reader rules_;
  CallerTable::Memory known_callers_;
  DecisionIds ids_;
  DenialLog denials_;
  edge::Gate::Scratch scratch_;
  HttpLater later_;
};

}  // namespace gatehouse::frontend
