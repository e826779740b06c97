#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "envoy/service/auth/v3/external_auth.grpc.pb.h"
#include "tests/frontend/server_fixture.h"

namespace gatehouse {

// A server with a few routes, asked as Envoy does.
class ExtAuthzTest : public ServerTest {
 protected:
  using Authorization = envoy::service::auth::v3::Authorization;
  using CheckRequest = envoy::service::auth::v3::CheckRequest;
  using CheckResponse = envoy::service::auth::v3::CheckResponse;
  using HeaderValueOption = envoy::service::auth::v3::HeaderValueOption;

  ExtAuthzTest() {
    using Needs = policy::Route::Needs;
    config_.routes = {
        {.methods = {"GET"}, .path = "/public/**", .needs = Needs::kNothing},
        {.methods = {"GET"}, .path = "/me", .needs = Needs::kToken},
        {.methods = {"GET"}, .path = "/mesh", .needs = Needs::kNothing, .peers = {"spiffe://e/a"}},
        {.methods = {"GET"},
         .path = "/api/{owner}/tasks/{id}",
         .resource = "task/{id}",
         .action = "read"},
    };
    config_.edge.security_headers = {{"x-content-type-options", "nosniff"}};
  }

  void Begin() {
    Start();
    envoy_ = Authorization::NewStub(channel_);
  }

  static CheckRequest Ask(const std::string& path, const std::string& authorization = "") {
    CheckRequest request;
    auto* const http = request.mutable_attributes()->mutable_request()->mutable_http();
    http->set_method("GET");
    http->set_host("api.example.com");
    http->set_path(path);
    if (!authorization.empty()) AddHeader(request, "authorization", authorization);
    return request;
  }
  static void AddHeader(CheckRequest& request, const std::string& name, const std::string& value) {
    auto* const header =
        request.mutable_attributes()->mutable_request()->mutable_http()->add_headers();
    header->set_key(name);
    header->set_value(value);
  }
  static envoy::service::auth::v3::AttributeContext::HttpRequest& Http(CheckRequest& request) {
    return *request.mutable_attributes()->mutable_request()->mutable_http();
  }

  // Whatever is asked, gRPC says OK.
  CheckResponse Check(const CheckRequest& request, const std::string& caller = "",
                      bool with_deadline = true) {
    grpc::ClientContext context;
    if (with_deadline) SetDeadline(context, kDeadline);
    context.set_wait_for_ready(true);
    if (!caller.empty()) context.AddMetadata("authorization", "Bearer " + caller);
    CheckResponse response;
    const grpc::Status status = envoy_->Check(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  // 200, or what is inside.
  static int StatusOf(const CheckResponse& response) {
    EXPECT_EQ(response.has_ok_response(), response.status().code() == 0);
    return response.has_ok_response() ? 200 : response.denied_response().status().code();
  }

  template <typename Headers>
  static std::map<std::string, std::string> Values(const Headers& headers) {
    std::map<std::string, std::string> out;
    for (const HeaderValueOption& one : headers) {
      EXPECT_TRUE(one.has_append() && !one.append().value());
      EXPECT_EQ(one.append_action(), HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
      EXPECT_TRUE(out.emplace(one.header().key(), one.header().value()).second);
    }
    return out;
  }

  // Callers "envoy", who may check, and "other", who may not; their tokens.
  void AddCallers() {
    for (const std::string name : {"envoy", "other"}) {
      std::ofstream(folder_ / name) << TokenOf(name) << "\n";
      config_.callers.push_back(
          {.name = name,
           .token_file = folder_ / name,
           .may = {name == "envoy" ? config::Right::kCheck : config::Right::kVerify},
           .audiences = {}});
    }
  }
  static std::string TokenOf(const std::string& caller) {
    return absl::StrCat(caller, "-", std::string(40, 'x'));
  }

  static constexpr std::chrono::seconds kDeadline{20};
  std::unique_ptr<Authorization::Stub> envoy_;
};

}  // namespace gatehouse
