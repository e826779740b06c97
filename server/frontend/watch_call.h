#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <optional>
#include <string>

#include "gatehouse/v1/authorization_service.pb.h"
#include "server/frontend/queue_event.h"
#include "server/frontend/watcher.h"

namespace gatehouse::frontend {

class WatchHub;

// One stream of Watch, from being asked for to its end, when it has itself destroyed.
// All of it is for the queue's thread.
class WatchCall {
 public:
  using Stream = grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;

  explicit WatchCall(WatchHub& hub) : hub_(hub) {}
  ~WatchCall();

  void Accept();
  // Says what is new, if it is time; ends it if its client does not keep up.
  void Look(int64_t now);
  // Ends it, behind what is under way.
  void End(const grpc::Status& status);
  // Ends it now, whatever is under way: its client reads the status although it may not have
  // taken what came before.
  void CutOff(const grpc::Status& status);

  // Ends it now, without a word.
  void Cancel() { context_.TryCancel(); }

  grpc::ServerContext& context() { return context_; }
  // Has come, and not ended.
  bool is_live() const { return came_ && !ended_; }
  // A client that was let in and is not being ended.
  bool is_open() const { return entered_ && !finishing_ && !final_.has_value(); }

 private:
  class Step final : public QueueEvent {
   public:
    using Handler = void (WatchCall::*)(bool ok);
    Step(WatchCall& call, Handler handler) : call_(call), handler_(handler) {}
    void OnEvent(bool ok) override { call_.OnStep(handler_, ok); }

   private:
    WatchCall& call_;
    const Handler handler_;
  };

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

  void Read() { stream_.Read(&bytes_, Begin(read_)); }
  // Where it is to begin, by its first message.
  grpc::Status Start(const v1::WatchRequest& request);
  void Send(int64_t now);
  void Finish(const grpc::Status& status);

  WatchHub& hub_;
  grpc::ServerContext context_;
  Stream stream_{&context_};
  grpc::ByteBuffer bytes_;

  Step accepted_{*this, &WatchCall::OnAccepted};
  Step read_{*this, &WatchCall::OnRead};
  Step wrote_{*this, &WatchCall::OnWrote};
  Step finished_{*this, &WatchCall::OnFinished};
  Step done_{*this, &WatchCall::OnDone};

  // Steps begun and not come.
  int pending_ = 0;
  int64_t began_at_ = 0;
  size_t caller_number_ = 0;
  bool came_ = false;
  bool entered_ = false;  // counted among those who watch
  bool started_ = false;  // the first message has come
  bool writing_ = false;
  bool gone_ = false;
  bool finishing_ = false;
  bool ended_ = false;
  // How it is to end when what is under way has been sent, or has ended.
  std::optional<grpc::Status> final_;
  Watcher watcher_;
};

}  // namespace gatehouse::frontend
