#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "server/base/clock.h"
#include "server/engine/authorizer.h"
#include "server/frontend/cold_work.h"
#include "server/frontend/fair_waits.h"
#include "server/frontend/http_loop.h"
#include "server/frontend/metrics.h"

namespace gatehouse::frontend {

// Those on all HTTP ports who wait for keys. With those of the gRPC port (KeyWaits) they are
// fewer than one source of keys has places for.
struct HttpWaits {
  FairWaits questions{512};
  FairWaits revocations{128};
};

// What the requests of one HTTP port are put off for: their turn to have a signature
// verified, and keys. As UnaryCall does it for calls. For the port's thread; outlives it.
class HttpLater {
 public:
  // How a request goes on.
  struct Turn {
    engine::Effort effort = engine::Effort::kKnownOnly;
    engine::KeyNews news = engine::KeyNews::kNone;
    // It cannot be decided: say so, and that it may be tried again.
    bool hopeless = false;
  };
  using Step = std::function<void(const Turn&)>;

  struct Request {
    ColdWork::Lane lane = ColdWork::Lane::kQuestions;
    size_t caller = 0;        // its number
    int64_t until_nanos = 0;  // on the steady clock: then it is hopeless
  };

  // All outlive it.
  HttpLater(HttpWaits& waits, ThreadMetrics& metrics, const Clock& clock)
      : waits_(waits), metrics_(metrics), clock_(clock) {}
  ~HttpLater();
  HttpLater(const HttpLater&) = delete;
  HttpLater& operator=(const HttpLater&) = delete;

  // `examined`, what came of `turn`, is not decided. Runs `step` once, later or now; it may
  // be put off again. What `step` holds keeps the source of keys alive.
  void PutOff(const engine::Examination& examined, const Turn& turn, const Request& request,
              const std::shared_ptr<HttpLoop>& loop, Step step);

 private:
  struct Item final : ColdItem {
    Request request;
    engine::KeyNews news = engine::KeyNews::kNone;
    Step step;
  };
  struct Signal;
  struct Waiting {
    std::shared_ptr<Signal> signal;
    keys::KeySource* source = nullptr;
    keys::KeySource::Ticket ticket = keys::KeySource::kNone;
    FairWaits::Ticket share = 0;
    Request request;
    Step step;
  };

  FairWaits& WaitsOf(const Request& request);
  void GoCold(const Turn& turn, const Request& request, HttpLoop& loop, Step step);
  void RunCold();
  void WaitForKeys(keys::KeySource& source, const Request& request,
                   const std::shared_ptr<HttpLoop>& loop, Step step);
  void OnWaited(uint64_t number);
  void GiveUp(const Step& step);

  HttpWaits& waits_;
  ThreadMetrics& metrics_;
  const Clock& clock_;
  ColdWork cold_;
  uint64_t next_ = 1;
  absl::flat_hash_map<uint64_t, Waiting> waiting_;
};

}  // namespace gatehouse::frontend
