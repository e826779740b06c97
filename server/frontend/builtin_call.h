#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "server/base/mutex.h"
#include "server/frontend/builtin_services.h"
#include "server/frontend/queue_event.h"

namespace gatehouse::frontend {

// One call of a builtin service, from being asked for to its end, when it has itself
// destroyed. Everything but Wake is for the queue's thread.
class BuiltinCall {
 public:
  BuiltinCall(BuiltinServices& services, grpc::ServerCompletionQueue& queue);
  ~BuiltinCall();

  void Accept();

  // From any thread: what health says has changed, or the server shuts down.
  void Wake();

 private:
  enum class Method { kNone, kCheck, kWatch, kReflect };

  // Each thing that can be under way has an event of its own, since several are at
  // once: a read, a write, the alarm.
  class Step final : public QueueEvent {
   public:
    using Handler = void (BuiltinCall::*)(bool ok);
    Step(BuiltinCall& call, Handler handler) : call_(call), handler_(handler) {}
    void OnEvent(bool ok) override { call_.OnStep(handler_, ok); }

   private:
    BuiltinCall& call_;
    const Handler handler_;
  };

  static Method MethodOf(const std::string& name);

  // The tag for a step that is now begun.
  void* Begin(Step& step);
  // Destroys the call if nothing more is to come.
  void OnStep(Step::Handler handler, bool ok);

  void OnAccepted(bool ok);
  void OnRead(bool ok);
  void OnWrote(bool ok);
  void OnFinished(bool ok);
  // The client has gone, or everything was sent.
  void OnDone(bool ok);
  // `expired`: the alarm's time has come, nobody has called Wake.
  void OnWoken(bool expired);

  // False, and the call is finished, if too many are open.
  bool Enter();
  // Nothing but time is to come: a request must come soon, and a Check's reply be taken.
  bool IsHurried() const { return !asked_ || method_ == Method::kCheck; }
  void Read();
  void Write(const google::protobuf::MessageLite& message);
  void Finish(const grpc::Status& status);

  void Check();
  void StartWatching();
  // Says the status if it is not the one last said.
  void Report();
  void Reflect();
  void Leave();

  void SetAlarm();
  void CancelAlarm();

  BuiltinServices& services_;
  grpc::ServerCompletionQueue& queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_{&context_};
  grpc::ByteBuffer bytes_;

  Step accepted_{*this, &BuiltinCall::OnAccepted};
  Step read_{*this, &BuiltinCall::OnRead};
  Step wrote_{*this, &BuiltinCall::OnWrote};
  Step finished_{*this, &BuiltinCall::OnFinished};
  Step done_{*this, &BuiltinCall::OnDone};
  Step woken_{*this, &BuiltinCall::OnWoken};

  // Steps begun and not come.
  int pending_ = 0;
  Method method_ = Method::kNone;
  std::chrono::system_clock::time_point begun_;
  // A request has come.
  bool asked_ = false;
  // The alarm that is set is the one of a shutdown.
  bool leaving_ = false;
  // What this call is counted in.
  std::atomic<int>* entered_ = nullptr;
  bool writing_ = false;
  bool gone_ = false;
  bool finishing_ = false;
  bool ended_ = false;
  // Watch: the name, and what was said last.
  std::optional<std::string> watched_;
  std::optional<BuiltinServices::ServingStatus> said_;

  Mutex alarm_mu_;
  grpc::Alarm alarm_ GH_GUARDED_BY(alarm_mu_);
  bool alarm_set_ GH_GUARDED_BY(alarm_mu_) = false;
};

}  // namespace gatehouse::frontend
