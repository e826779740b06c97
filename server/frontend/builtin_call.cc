#include "server/frontend/builtin_call.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "server/base/log.h"
#include "server/frontend/wire.h"

namespace gatehouse::frontend {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// A watcher holds its name as long as it watches.
constexpr size_t kMaxNameBytes = 4096;
// How long a stream may take to end at shutdown.
constexpr auto kLeaveWithin = std::chrono::seconds(1);
// How long a client may take to send its request, and to take the answer to a Check.
constexpr auto kHurry = std::chrono::seconds(2);

grpc::Status ParseRequest(const grpc::ByteBuffer& bytes, HealthCheckRequest& request) {
  if (absl::Status status = Parse(bytes, request); !status.ok()) return ToGrpc(status);
  if (request.service().size() <= kMaxNameBytes) return grpc::Status::OK;
  return {grpc::StatusCode::INVALID_ARGUMENT,
          absl::StrCat("service: longer than ", kMaxNameBytes, " bytes")};
}

grpc::Status ShuttingDown() {
  return {grpc::StatusCode::UNAVAILABLE, "the server is shutting down"};
}

}  // namespace

BuiltinCall::BuiltinCall(BuiltinServices& services, grpc::ServerCompletionQueue& queue)
    : services_(services), queue_(queue) {}

BuiltinCall::~BuiltinCall() {
  if (entered_ != nullptr) entered_->fetch_sub(1, std::memory_order_relaxed);
}

BuiltinCall::Method BuiltinCall::MethodOf(const std::string& name) {
  if (name == "/grpc.health.v1.Health/Check") return Method::kCheck;
  if (name == "/grpc.health.v1.Health/Watch") return Method::kWatch;
  if (name == "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" ||
      name == "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo") {
    return Method::kReflect;
  }
  return Method::kNone;
}

void* BuiltinCall::Begin(Step& step) {
  ++pending_;
  return step.tag();
}

void BuiltinCall::OnStep(Step::Handler handler, bool ok) {
  --pending_;
  (this->*handler)(ok);
  if (ended_ && pending_ == 0) services_.Ended(*this);
}

void BuiltinCall::Accept() {
  context_.AsyncNotifyWhenDone(done_.tag());
  services_.generic().RequestCall(&context_, &stream_, &queue_, &queue_, Begin(accepted_));
}

void BuiltinCall::OnAccepted(bool ok) {
  if (!ok) {  // the server is shutting down: no call came
    ended_ = true;
    return;
  }
  Begin(done_);
  services_.AcceptOn(queue_);
  method_ = MethodOf(context_.method());
  if (method_ == Method::kReflect && services_.reflection() == nullptr) method_ = Method::kNone;
  if (method_ == Method::kNone) {
    return Finish({grpc::StatusCode::UNIMPLEMENTED,
                   absl::StrCat("there is no method ", log::Escape(context_.method(), 200))});
  }
  // A Check takes its place when it asks, so that nobody keeps probes out with nothing.
  if (method_ != Method::kCheck && !Enter()) return;
  begun_ = std::chrono::system_clock::now();
  SetAlarm();
  Read();
  if (services_.closing()) Leave();
}

bool BuiltinCall::Enter() {
  const bool check = method_ == Method::kCheck;
  entered_ = check ? &services_.checks_ : &services_.streams_;
  const int limit = check ? BuiltinServices::kMaxChecks : BuiltinServices::kMaxStreams;
  if (entered_->fetch_add(1, std::memory_order_relaxed) < limit) return true;
  Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "too many such calls"});
  return false;
}

void BuiltinCall::Read() { stream_.Read(&bytes_, Begin(read_)); }

void BuiltinCall::Write(const google::protobuf::MessageLite& message) {
  writing_ = true;
  stream_.Write(Serialize(message), Begin(wrote_));
}

void BuiltinCall::Finish(const grpc::Status& status) {
  finishing_ = true;
  stream_.Finish(status, Begin(finished_));
}

void BuiltinCall::OnRead(bool ok) {
  if (finishing_) return;
  if (!ok) {
    return Finish(method_ == Method::kReflect
                      ? grpc::Status::OK
                      : grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no request"));
  }
  asked_ = true;
  switch (method_) {
    case Method::kCheck:
      return Check();
    case Method::kWatch:
      return StartWatching();
    case Method::kReflect:
      return Reflect();
    case Method::kNone:
      return;
  }
}

void BuiltinCall::Check() {
  if (!Enter()) return;
  HealthCheckRequest request;
  if (grpc::Status status = ParseRequest(bytes_, request); !status.ok()) return Finish(status);
  HealthCheckResponse response;
  response.set_status(services_.Look(request.service()).status);
  if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
    return Finish({grpc::StatusCode::NOT_FOUND, "there is no service of this name"});
  }
  finishing_ = true;
  stream_.WriteAndFinish(Serialize(response), grpc::WriteOptions(), grpc::Status::OK,
                         Begin(finished_));
}

void BuiltinCall::StartWatching() {
  HealthCheckRequest request;
  if (grpc::Status status = ParseRequest(bytes_, request); !status.ok()) return Finish(status);
  watched_ = request.service();
  bytes_.Clear();
  Report();
}

void BuiltinCall::Report() {
  if (writing_ || finishing_) return;
  const BuiltinServices::Health health = services_.Look(*watched_);
  HealthCheckResponse response;
  const bool unknown = health.status == HealthCheckResponse::SERVICE_UNKNOWN;
  response.set_status(health.closing && unknown ? HealthCheckResponse::NOT_SERVING : health.status);
  if (said_ != response.status()) {
    said_ = response.status();
    Write(response);
  } else if (health.closing) {
    Finish(ShuttingDown());
  }
}

void BuiltinCall::Reflect() {
  Reflection::Request request;
  if (absl::Status status = Parse(bytes_, request); !status.ok()) return Finish(ToGrpc(status));
  Write(services_.reflection()->Answer(request));
}

void BuiltinCall::OnWrote(bool ok) {
  writing_ = false;
  if (!ok || gone_) return Finish(grpc::Status::CANCELLED);
  if (method_ == Method::kWatch) return Report();
  if (services_.closing()) return Leave();
  Read();
}

void BuiltinCall::OnDone(bool /*ok*/) {
  gone_ = true;
  // A write that is under way must have come first, which may still succeed.
  if (!finishing_ && !writing_) Finish(grpc::Status::CANCELLED);
}

void BuiltinCall::OnFinished(bool /*ok*/) {
  ended_ = true;
  CancelAlarm();
}

void BuiltinCall::OnWoken(bool expired) {
  {
    MutexLock lock(alarm_mu_);
    alarm_set_ = false;
  }
  if (ended_) return;
  if (expired && (leaving_ || IsHurried())) return context_.TryCancel();
  // Before what is said is looked at, so that no change falls in between.
  SetAlarm();
  if (services_.closing()) return Leave();
  if (watched_.has_value()) Report();
}

void BuiltinCall::Leave() {
  if (watched_.has_value()) return Report();
  // Check and Watch are still answered if their request comes before the alarm.
  if (method_ == Method::kReflect && !writing_ && !finishing_) Finish(ShuttingDown());
}

void BuiltinCall::SetAlarm() {
  using std::chrono::system_clock;
  MutexLock lock(alarm_mu_);
  // Asked for under the lock that Wake takes: either this sees the shutdown, or its
  // Wake finds the alarm set.
  leaving_ = services_.closing();
  auto until = system_clock::time_point::max();
  if (leaving_) {
    until = system_clock::now() + kLeaveWithin;
  } else if (IsHurried()) {
    until = begun_ + kHurry;
  }
  alarm_set_ = true;
  alarm_.Set(&queue_, until, Begin(woken_));
}

void BuiltinCall::CancelAlarm() {
  MutexLock lock(alarm_mu_);
  if (alarm_set_) alarm_.Cancel();
}

void BuiltinCall::Wake() { CancelAlarm(); }

}  // namespace gatehouse::frontend
