#include <memory>
#include <utility>
#include <vector>

#include "empty.grpc.pb.h"
#include "gatehouse/v1/authorization_service.grpc.pb.h"
#include "server/base/mutex.h"
#include "tests/bench/null_reply.h"
#include "tests/bench/null_server.h"

namespace gatehouse::bench {
namespace {

// Messages that go back on a shelf instead of to the heap, the reply already
// filled. Thread-safe.
template <typename Request, typename Reply>
class Shelf final : public grpc::MessageAllocator<Request, Reply> {
 public:
  grpc::MessageHolder<Request, Reply>* AllocateMessages() override {
    MutexLock lock(mu_);
    if (free_.empty()) {
      all_.push_back(std::make_unique<Messages>(*this));
      return all_.back().get();
    }
    Messages* messages = free_.back();
    free_.pop_back();
    return messages;
  }

 private:
  class Messages final : public grpc::MessageHolder<Request, Reply> {
   public:
    explicit Messages(Shelf& shelf) : shelf_(shelf) {
      FillReply(reply_);
      this->set_request(&request_);
      this->set_response(&reply_);
    }
    void Release() override {
      MutexLock lock(shelf_.mu_);
      shelf_.free_.push_back(this);
    }

   private:
    Shelf& shelf_;
    Request request_;
    Reply reply_;
  };

  Mutex mu_;
  std::vector<std::unique_ptr<Messages>> all_ GH_GUARDED_BY(mu_);
  std::vector<Messages*> free_ GH_GUARDED_BY(mu_);
};

grpc::ServerUnaryReactor* Done(grpc::CallbackServerContext* context) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

class Authorization final : public v1::AuthorizationService::CallbackService {
 public:
  Authorization() {
    SetMessageAllocatorFor_Verify(&verify_);
    SetMessageAllocatorFor_Authorize(&authorize_);
  }
  grpc::ServerUnaryReactor* Verify(grpc::CallbackServerContext* context,
                                   const v1::VerifyRequest* /*request*/,
                                   v1::VerifyResponse* /*reply*/) override {
    return Done(context);
  }
  grpc::ServerUnaryReactor* Authorize(grpc::CallbackServerContext* context,
                                      const v1::AuthorizeRequest* /*request*/,
                                      v1::AuthorizeResponse* /*reply*/) override {
    return Done(context);
  }

 private:
  Shelf<v1::VerifyRequest, v1::VerifyResponse> verify_;
  Shelf<v1::AuthorizeRequest, v1::AuthorizeResponse> authorize_;
};

class Empty final : public EmptyService::CallbackService {
 public:
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const Nothing* /*request*/,
                                 Nothing* /*reply*/) override {
    return Done(context);
  }
};

class CallbackServer final : public NullServer {
 public:
  void Register(grpc::ServerBuilder& builder) override {
    builder.RegisterService(&authorization_);
    builder.RegisterService(&empty_);
  }
  void Start() override {}
  void Join() override {}

 private:
  Authorization authorization_;
  Empty empty_;
};

}  // namespace

std::unique_ptr<NullServer> MakeCallbackServer() { return std::make_unique<CallbackServer>(); }

}  // namespace gatehouse::bench
