#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "server/edge/gate.h"
#include "tests/engine/engine_fixture.h"

namespace gatehouse::edge {

using engine::kIssuer;
using engine::kNow;

// What a test has a proxy say; owns what a Request has views of.
struct Sent {
  std::string method = "GET";
  std::string host = "api.example.com";
  std::string target = "/me";
  std::vector<std::pair<std::string, std::string>> headers = {};
  std::string peer = {};
  std::vector<std::pair<std::string, std::string>> context = {};
  bool can_remove_headers = true;

  Sent With(std::string name, std::string value) const {
    Sent out = *this;
    out.headers.emplace_back(std::move(name), std::move(value));
    return out;
  }
};

// A gate before an authorizer with one issuer. The routes: public /public/**, /mesh for
// peers alone, /me for whoever has a token, /web for those of audience "web", and
// /api/{owner}/tasks/{id} and /files/{name=**} by the policy: their owners may.
class EdgeTest : public engine::EngineTest {
 protected:
  EdgeTest() {
    Build({engine::RulesFor(kIssuer)}, {"web"});
    sources_[0]->Set(SetOf({&maker_}));
    settings_.cookie = "session";
    settings_.origins = {"https://app.example.com", "http://localhost:3000"};
    settings_.identity.scopes = "x-auth-scopes";
  }

  static std::vector<policy::Route> Routes() {
    using Needs = policy::Route::Needs;
    return {
        {.methods = {"GET"}, .path = "/public/**", .needs = Needs::kNothing, .preflight = true},
        {.path = "/mesh",
         .needs = Needs::kNothing,
         .peers = {"spiffe://example.org/ns/web/*", "spiffe://example.org/ns/ops/sa/cron"},
         .preflight = true},
        {.path = "/me", .needs = Needs::kToken},
        {.methods = {"GET"}, .path = "/web", .needs = Needs::kToken, .audiences = {"web"}},
        {.methods = {"GET", "POST", "DELETE"},
         .path = "/api/{owner}/tasks/{id}",
         .needs = Needs::kDecision,
         .resource = "task/{id}",
         .action = "read",
         .preflight = true},
        {.path = "/files/{name=**}",
         .needs = Needs::kDecision,
         .resource = "file/{name}",
         .action = "read"},
        {.methods = {"GET"},
         .hosts = {"admin.example.com"},
         .path = "/only-admin",
         .needs = Needs::kToken},
    };
  }
  enum RoutePlace { kPublic, kMesh, kMe, kWeb, kTasks, kFiles, kAdmin };

  void MakeGate(std::vector<engine::AudienceMask> masks = {0, 0, 0, 1, 0, 0, 0}) {
    auto table = policy::RouteTable::Compile(Routes());
    ASSERT_TRUE(table.ok()) << table.status();
    gate_ = std::make_unique<Gate>(*std::move(table), std::move(masks), settings_);
  }

  // Views of what is sent live until the next one.
  Answer Decide(const Sent& sent, const engine::Ask& ask = {}) {
    if (gate_ == nullptr) MakeGate();
    sent_ = sent;
    headers_.clear();
    for (const auto& [name, value] : sent_.headers) headers_.push_back({name, value});
    context_.assign(sent_.context.begin(), sent_.context.end());
    return gate_->Decide({.method = sent_.method,
                          .host = sent_.host,
                          .target = sent_.target,
                          .headers = headers_,
                          .peer = sent_.peer,
                          .context = context_,
                          .can_remove_headers = sent_.can_remove_headers},
                         *authorizer_, policy_, ask, scratch_);
  }
  int StatusOf(const Sent& sent) { return Decide(sent).status; }

  std::string TokenWith(const std::string& more) const {
    return maker_.Sign(Claims(kNow, kNow + 900, more));
  }
  Sent WithToken(Sent sent = {}) const {
    return sent.With("authorization", absl::StrCat("Bearer ", Token()));
  }
  Sent WithCookie(Sent sent = {}) const {
    return sent.With("cookie", absl::StrCat("session=", Token()));
  }

  // What reaches the service: what was sent, without what is removed, with what is set.
  static std::vector<std::pair<std::string, std::string>> Upstream(const Sent& sent,
                                                                   const Answer& answer) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto is_dropped = [&](const std::string& name) {
      const auto equals = [&](absl::string_view other) {
        return absl::EqualsIgnoreCase(name, other);
      };
      return std::any_of(answer.remove.begin(), answer.remove.end(), equals) ||
             std::any_of(answer.set.begin(), answer.set.end(),
                         [&](const auto& one) { return equals(one.first); });
    };
    for (const auto& header : sent.headers) {
      if (!is_dropped(header.first)) out.push_back(header);
    }
    for (const auto& [name, value] : answer.set) out.emplace_back(std::string(name), value);
    return out;
  }

  Settings settings_;
  std::unique_ptr<Gate> gate_;
  Gate::Scratch scratch_;
  Sent sent_;
  std::vector<Header> headers_;
  std::vector<std::pair<absl::string_view, absl::string_view>> context_;
};

}  // namespace gatehouse::edge
