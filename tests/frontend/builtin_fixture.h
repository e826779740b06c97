#pragma once

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "server/frontend/builtin_services.h"
#include "server/frontend/queue_event.h"

namespace gatehouse::frontend {

// A client's context with a deadline beyond what any test needs.
class Context : public grpc::ClientContext {
 public:
  Context() { set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1)); }
};

// The builtin services alone, on two queues, with what they say in the test's hand.
class BuiltinTest : public ::testing::Test {
 protected:
  using Request = grpc::health::v1::HealthCheckRequest;
  using Response = grpc::health::v1::HealthCheckResponse;
  using Health = grpc::health::v1::Health;

  BuiltinTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterAsyncGenericService(&services_.generic());
    for (int i = 0; i < 2; ++i) queues_.push_back(builder.AddCompletionQueue());
    server_ = builder.BuildAndStart();
    for (auto& queue : queues_) {
      services_.Start(*queue);
      threads_.emplace_back([&queue] {
        void* tag = nullptr;
        bool ok = false;
        while (queue->Next(&tag, &ok)) QueueEvent::FromTag(tag).OnEvent(ok);
      });
    }
    idle_ = in_flight_;
    grpc::ChannelArguments arguments;
    // The window stays small, so that a test can fill it.
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    channel_ = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port),
                                         grpc::InsecureChannelCredentials(), arguments);
    health_ = Health::NewStub(channel_);
  }

  ~BuiltinTest() override { Stop(); }

  // Does not end before every stream has.
  void Stop() {
    if (server_ == nullptr) return;
    services_.Shutdown();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::hours(1));
    while (in_flight_ != 0) std::this_thread::yield();
    for (auto& queue : queues_) queue->Shutdown();
    for (std::thread& thread : threads_) thread.join();
    server_.reset();
  }

  void WaitUntilIdle() const {
    while (in_flight_ != idle_) std::this_thread::yield();
  }

  static Request Named(const std::string& name) {
    Request request;
    request.set_service(name);
    return request;
  }

  // The status, or the code of the call's failure below zero.
  int Check(const std::string& name) {
    Context context;
    Response response;
    const grpc::Status status = health_->Check(&context, Named(name), &response);
    return status.ok() ? response.status() : -status.error_code();
  }

  std::atomic<int64_t> in_flight_ = 0;
  int64_t idle_ = 0;
  BuiltinServices services_{{v1::VerifyRequest::descriptor()->file()}, in_flight_};
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::unique_ptr<grpc::Server> server_;
  std::vector<std::thread> threads_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Health::Stub> health_;
};

}  // namespace gatehouse::frontend
