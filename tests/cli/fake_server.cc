#include "tests/cli/fake_server.h"

#include <grpcpp/grpcpp.h>

namespace gatehouse::cli {

FakeServer::FakeServer() {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(this);
  builder.SetMaxReceiveMessageSize(1 << 20);
  server_ = builder.BuildAndStart();
  target_ = "127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() { Stop(); }

void FakeServer::Stop(std::chrono::system_clock::time_point deadline) {
  server_->Shutdown(deadline);
  server_->Wait();
}

Result FakeServer::Run(std::vector<std::string> arguments, const std::string& token,
                       std::map<std::string, std::string> environment) const {
  environment.emplace("GATEHOUSE_TARGET", target_);
  // Generous: a slow machine must not turn an answer into a missed deadline.
  arguments.insert(arguments.begin(), {"--timeout", "60s"});
  return RunChild({.arguments = arguments, .input = token, .environment = environment});
}

void FakeServer::Note(const grpc::ServerContext& context) {
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find("authorization");
  authorization_ =
      found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
}

v1::Decision Allowed() {
  v1::Decision decision;
  decision.set_effect(v1::EFFECT_ALLOW);
  decision.set_code(v1::CODE_OK);
  decision.set_http_status(200);
  decision.set_id("d-1");
  return decision;
}

v1::Decision Denied(v1::Code code, const std::string& detail) {
  v1::Decision decision;
  decision.set_effect(v1::EFFECT_DENY);
  decision.set_code(code);
  decision.set_http_status(401);
  decision.set_detail(detail);
  decision.set_id("d-2");
  return decision;
}

v1::Principal Ada() {
  v1::Principal ada;
  ada.set_issuer("https://login.example.com");
  ada.set_subject("ada");
  ada.add_roles("admin");
  ada.add_roles("user");
  ada.mutable_issue_time()->set_seconds(1795216315);
  ada.mutable_expire_time()->set_seconds(1795217215);
  return ada;
}

}  // namespace gatehouse::cli
