// The client against a real server, behind a proxy that cuts, delays and holds back.

#include <gtest/gtest.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <iostream>
#include <mutex>
#include <thread>

#include "client/cpp/src/core.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "tests/client_cpp/stand.h"

namespace gatehouse::client {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kMaxStaleness(3);

double MonotonicSeconds() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// A transport that loses every change, and lets the heartbeats through: a stream that
// looks live.
class DeafTransport final : public Transport {
 public:
  explicit DeafTransport(std::unique_ptr<Transport> real) : real_(std::move(real)) {}
  void Call(Method method, std::string request, int64_t timeout, Done done) override {
    real_->Call(method, std::move(request), timeout, std::move(done));
  }
  std::shared_ptr<Stream> Watch(std::string first, Events events) override {
    events.message = [hear = std::move(events.message)](const std::string& bytes) {
      v1::WatchResponse message;
      message.ParseFromString(bytes);
      message.clear_changes();
      hear(message.SerializeAsString());
    };
    return real_->Watch(std::move(first), std::move(events));
  }
  void Renew() override { real_->Renew(); }
  void Close() override { real_->Close(); }

 private:
  const std::unique_ptr<Transport> real_;
};

class Chaos : public testing::Test {
 protected:
  void TearDown() override { Server().Proxy("mend"); }

  static Stand& Server() { return SharedStand(); }
  Client Make(const std::string& target, Settings settings) {
    settings.target = target;
    settings.warn = [this](const std::string& what) {
      const std::lock_guard<std::mutex> lock(mu_);
      warnings_.push_back(what);
    };
    Result<Client> made = Client::Create(settings);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return *std::move(made);
  }
  // Live already.
  Client MakeLive(const std::string& target) {
    Client client = Make(target, Server().SettingsFor(target));
    EXPECT_TRUE(client.WaitUntilLive(seconds(20)));
    return client;
  }
  static std::string NewToken() {
    static int count = 0;
    return Server().NewToken("chaos-" + std::to_string(++count));
  }
  // Asks until it is allowed and remembered.
  static void Warm(Client& client, const std::string& token) {
    for (const double end = MonotonicSeconds() + 20; MonotonicSeconds() < end;) {
      const Answer answer = client.Verify(token);
      if (answer.allowed() && answer.remembered()) return;
    }
    FAIL() << "it was never remembered";
  }
  // Asks until it is denied for being revoked. When that was; nullopt: not within `limit`.
  static std::optional<double> UntilDenied(Client& client, const std::string& token,
                                           milliseconds limit) {
    const double end = MonotonicSeconds() + std::chrono::duration<double>(limit).count();
    while (MonotonicSeconds() < end) {
      const Answer answer = client.Verify(token);
      if (answer.code() == Code::kTokenRevoked) return MonotonicSeconds();
    }
    return std::nullopt;
  }
  // The rule that everything here is about, of one token: remembered, revoked, denied.
  static std::optional<double> RevokedWhileRemembered(Client& client, milliseconds limit,
                                                      double* from_begin = nullptr) {
    const std::string token = NewToken();
    Warm(client, token);
    std::optional<double> denied;
    std::thread asker([&] { denied = UntilDenied(client, token, limit); });
    const auto [began, ended] = Server().Revoke(token);
    asker.join();
    if (!denied.has_value()) return std::nullopt;
    EXPECT_FALSE(client.Verify(token).allowed());
    if (from_begin != nullptr) *from_begin = *denied - began;
    return *denied - ended;
  }
  // Asks until it is allowed again.
  static void ExpectRecovery(Client& client, const std::string& token) {
    const double end = MonotonicSeconds() + 20;
    while (MonotonicSeconds() < end) {
      if (client.Verify(token).allowed()) return Warm(client, token);
    }
    FAIL() << client.Verify(token).error().message;
  }
  // Nobody tells the client of the revocation of `token` from `since` on. It must not be
  // allowed once max_staleness has passed.
  static void ExpectNoAllowBeyondStaleness(Client& client, const std::string& token, double since) {
    const double limit = since + static_cast<double>(kMaxStaleness.count());
    CallOptions quick;
    quick.deadline = milliseconds(100);
    while (MonotonicSeconds() < limit + 1) {
      const double began = MonotonicSeconds();
      const Answer answer = client.Verify(token, quick);
      if (began > limit) {
        ASSERT_FALSE(answer.allowed());
      }
      if (!answer.decided()) {
        ASSERT_EQ(answer.http_status(), 503);
      }
    }
  }
  std::vector<std::string> warnings() {
    const std::lock_guard<std::mutex> lock(mu_);
    return warnings_;
  }

 private:
  std::mutex mu_;
  std::vector<std::string> warnings_;
};

TEST_F(Chaos, WhatIsRevokedWhileItIsRememberedIsDenied) {
  Client client = MakeLive(Server().grpc());
  std::vector<double> behind_ack;
  std::vector<double> behind_call;
  for (int i = 0; i < 200; ++i) {
    double from_begin = 0;
    const std::optional<double> late = RevokedWhileRemembered(client, kMaxStaleness, &from_begin);
    ASSERT_TRUE(late.has_value()) << i;
    behind_ack.push_back(std::max(0.0, *late));
    behind_call.push_back(from_begin);
  }
  std::sort(behind_ack.begin(), behind_ack.end());
  std::sort(behind_call.begin(), behind_call.end());
  std::printf(
      "revoke to deny, C++, 200 rounds: p50 %.2f ms, p99 %.2f ms behind the "
      "acknowledgement; p50 %.2f ms, p99 %.2f ms behind the call\n",
      behind_ack[100] * 1e3, behind_ack[197] * 1e3, behind_call[100] * 1e3, behind_call[197] * 1e3);
}

TEST_F(Chaos, WithTheWatchSwitchedOffBehindItsBackTheSameTestFails) {
  Settings settings = Server().SettingsFor(Server().grpc());
  settings.warn = [](const std::string&) {};
  Result<std::unique_ptr<Transport>> real = MakeTransport(settings);
  ASSERT_TRUE(real.ok());
  Client client(std::make_shared<Core>(
      settings, MakeClock(), std::make_unique<DeafTransport>(*std::move(real)), MakeChance()));
  ASSERT_TRUE(client.WaitUntilLive(seconds(20)));
  EXPECT_FALSE(RevokedWhileRemembered(client, kMaxStaleness).has_value());
}

TEST_F(Chaos, AReplyThatItsRevocationHasOvertakenIsNotRemembered) {
  Client client = MakeLive(Server().proxy());
  const std::string token = NewToken();
  Warm(client, NewToken());
  Server().Proxy("hold");
  std::atomic<bool> came{false};
  std::atomic<bool> allowed{false};
  CallOptions options;
  options.deadline = seconds(20);
  client.Verify(token, options, [&](const Answer& answer) {
    allowed = answer.allowed();
    came = true;
  });
  Server().Proxy("held");
  const uint64_t changes = client.figures().changes;
  Server().Revoke(token);
  while (client.figures().changes == changes) std::this_thread::yield();
  Server().Proxy("release");
  while (!came) std::this_thread::yield();
  EXPECT_TRUE(allowed);  // it began before
  EXPECT_EQ(client.Verify(token).code(), Code::kTokenRevoked);
}

TEST_F(Chaos, AServerThatIsKilledIsNotAskedInVainForeverAndComesBack) {
  Client client = MakeLive(Server().proxy());
  const std::string token = NewToken();
  Warm(client, token);
  Server().Simply("kill");
  const double killed = MonotonicSeconds();
  ExpectNoAllowBeyondStaleness(client, token, killed);
  const uint64_t tries = client.figures().rpcs[{"Verify", "UNAVAILABLE"}];
  EXPECT_GT(tries, 0U);
  Server().Simply("start");
  ExpectRecovery(client, token);
  EXPECT_TRUE(RevokedWhileRemembered(client, kMaxStaleness).has_value());
}

TEST_F(Chaos, WhatIsRevokedWhileItCannotBeToldIsDeniedOnceItCan) {
  Client client = MakeLive(Server().proxy());
  const std::string token = NewToken();
  const std::string other = NewToken();
  Warm(client, token);
  Warm(client, other);
  Server().Simply("kill");
  Server().Proxy("cut", ", \"refuse\": true");
  Server().Simply("start");
  Server().Revoke(token);
  Server().Proxy("mend");
  ExpectRecovery(client, other);
  // No sooner than it must: what the old stream proved may still count.
  EXPECT_TRUE(UntilDenied(client, token, kMaxStaleness).has_value());
}

TEST_F(Chaos, AServerThatIsRestartedIsFound) {
  Client client = MakeLive(Server().proxy());
  const std::string token = NewToken();
  Warm(client, token);
  Server().Simply("restart");
  ExpectRecovery(client, token);
  EXPECT_TRUE(RevokedWhileRemembered(client, kMaxStaleness).has_value());
}

TEST_F(Chaos, AServerThatIsRestoredFromABackupIsBelievedAnew) {
  Client client = MakeLive(Server().proxy());
  const std::string token = NewToken();
  const std::string revoked = NewToken();
  Warm(client, token);
  const std::string path =
      Get(Server().Do(R"({"do": "backup", "name": "cpp.db"})"), "path").string_value();
  ASSERT_TRUE(client.Revoke(TokenTarget{revoked}).ok());
  EXPECT_EQ(client.Verify(revoked).code(), Code::kTokenRevoked);
  Server().Do(R"({"do": "restore", "path": ")" + path + "\"}");
  ExpectRecovery(client, token);
  // The backup does not know of it; nor does the client insist on a revision of the past.
  ExpectRecovery(client, revoked);
  EXPECT_TRUE(RevokedWhileRemembered(client, kMaxStaleness).has_value());
}

TEST_F(Chaos, APartitionEndsTheUseOfTheMemoryAndHeals) {
  for (const char* const way : {"both", "down", "up"}) {
    SCOPED_TRACE(way);
    Client client = MakeLive(Server().proxy());
    const std::string token = NewToken();
    const std::string other = NewToken();
    Warm(client, token);
    Warm(client, other);
    Server().Proxy("partition", std::string(", \"way\": \"") + way + "\"");
    const double parted = MonotonicSeconds();
    Server().Revoke(token);
    ExpectNoAllowBeyondStaleness(client, token, parted);
    Server().Proxy("mend");
    ExpectRecovery(client, other);
    EXPECT_EQ(client.Verify(token).code(), Code::kTokenRevoked);
  }
}

TEST_F(Chaos, HeartbeatsThatComeTooLateEndTheUseOfTheMemory) {
  Client client = MakeLive(Server().proxy());
  const std::string token = NewToken();
  Warm(client, token);
  Server().Proxy("delay", ", \"seconds\": 4, \"way\": \"down\"");
  const double delayed = MonotonicSeconds();
  Server().Revoke(token);
  ExpectNoAllowBeyondStaleness(client, token, delayed);
  Server().Proxy("mend");
  ExpectRecovery(client, NewToken());
}

TEST_F(Chaos, AStreamThatIsHalfClosedIsBegunAnew) {
  for (const char* const way : {"down", "up"}) {
    SCOPED_TRACE(way);
    Client client = MakeLive(Server().proxy());
    const std::string token = NewToken();
    Warm(client, token);
    Server().Proxy("half_close", std::string(", \"way\": \"") + way + "\"");
    ExpectRecovery(client, token);
    EXPECT_TRUE(RevokedWhileRemembered(client, kMaxStaleness).has_value());
  }
}

TEST_F(Chaos, OtherRulesEmptyTheMemory) {
  Client client = MakeLive(Server().grpc());
  const std::string token = NewToken();
  const Check check{"note/1", "list", "somebody"};
  ASSERT_TRUE(client.Authorize(token, check).allowed());
  ASSERT_TRUE(client.Authorize(token, check).remembered());
  const Json& policy = Get(Get(Cases(), "configuration"), "policy");
  Json other = policy;
  auto& resources = *(*other.mutable_struct_value()->mutable_fields())["resources"]
                         .mutable_struct_value()
                         ->mutable_fields();
  (*(*resources["note"].mutable_struct_value()->mutable_fields())["actions"]
        .mutable_struct_value()
        ->mutable_fields())
      .erase("list");
  Server().Do("{\"do\": \"reload\", \"policy\": " + TextOf(other) + "}");
  for (const double end = MonotonicSeconds() + 3; MonotonicSeconds() < end;) {
    if (!client.Authorize(token, check).allowed()) break;
  }
  EXPECT_EQ(client.Authorize(token, check).code(), Code::kInsufficientPermissions);
  Server().Do("{\"do\": \"reload\", \"policy\": " + TextOf(policy) + "}");
}

TEST_F(Chaos, QuestionsAtTheSameTimeMakeOneCallEach) {
  Client client = MakeLive(Server().grpc());
  const std::string token = NewToken();
  std::vector<Check> checks;
  for (int i = 0; i < 100; ++i) checks.push_back({"note/" + std::to_string(i), "list", "ada"});
  std::vector<std::thread> threads;
  std::atomic<int> allowed{0};
  std::atomic<int> came{0};
  CallOptions options;
  options.deadline = seconds(20);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int round = 0; round < 25; ++round) {
        for (const Check& check : checks) {
          client.Authorize(token, check, options, [&](const Answer& answer) {
            allowed += answer.allowed() ? 1 : 0;
            ++came;
          });
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  while (came < 10'000) std::this_thread::yield();
  EXPECT_EQ(allowed, 10'000);
  EXPECT_EQ((client.figures().rpcs[{"Authorize", "OK"}]), 100U);
}

TEST_F(Chaos, ManyClientsDoNotRunAtAServerThatComesBack) {
  constexpr int kClients = 20;
  std::vector<Client> clients;
  clients.reserve(kClients);
  const std::string token = NewToken();
  for (int i = 0; i < kClients; ++i) clients.push_back(MakeLive(Server().proxy()));
  for (Client& client : clients) Warm(client, token);
  const double before = Get(Server().Proxy("mend"), "accepted").number_value();
  Server().Proxy("cut", ", \"refuse\": true");
  for (const double end = MonotonicSeconds() + 4; MonotonicSeconds() < end;) {
    for (Client& client : clients) (void)client.Verify(token);
  }
  Server().Proxy("mend");
  for (Client& client : clients) {
    ASSERT_TRUE(client.WaitUntilLive(seconds(20)));
    ExpectRecovery(client, token);
  }
  const double after = Get(Server().Proxy("mend"), "accepted").number_value();
  // Two connections each, tried 8 times at most in 4 s when the pauses are the shortest.
  EXPECT_LE(after - before, kClients * 2 * 16);
  for (Client& client : clients) {
    Figures figures = client.figures();
    const uint64_t failed = figures.rpcs[{"Verify", "UNAVAILABLE"}];
    EXPECT_LE(figures.retries, failed / 10 + 11);
    EXPECT_LE((figures.rpcs[{"Verify", "OK"}]), 5U);
  }
}

TEST_F(Chaos, ACallThatWaitsIsRefusedInACallback) {
  Client client = MakeLive(Server().grpc());
  const std::string token = NewToken();
  std::atomic<int> refused{0};
  std::atomic<bool> done{false};
  client.Verify(token, {}, [&](const Answer&) {
    CallOptions fresh;
    fresh.fresh = true;
    refused += client.Verify(token, fresh).decided() ? 0 : 1;
    refused += client.BatchAuthorize(token, {{"note/1"}}, fresh).answers.at(0).decided() ? 0 : 1;
    refused += client.Filter(token, "note", "read").answer.decided() ? 0 : 1;
    refused += client.Revoke(TokenTarget{token}).ok() ? 0 : 1;
    refused += client.Reinstate("x", "").ok() ? 0 : 1;
    done = true;
  });
  while (!done) std::this_thread::yield();
  EXPECT_EQ(refused, 5);
}

TEST_F(Chaos, WhoWaitsToBeToldIsToldOfARevocation) {
  Client client = MakeLive(Server().grpc());
  const std::string token = NewToken();
  std::atomic<int> told{0};
  std::atomic<bool> right{false};
  const Subscription subscription = client.OnRevoked(token, [&](const Answer& denial) {
    right = denial.code() == Code::kTokenRevoked;
    ++told;
  });
  const std::string other = NewToken();
  const Subscription unrelated = client.OnRevoked(other, [&](const Answer&) { told += 100; });
  Warm(client, token);
  Server().Revoke(token);
  while (told == 0) std::this_thread::yield();
  EXPECT_TRUE(right);
  EXPECT_EQ(told, 1);
}

TEST_F(Chaos, WhoRevokesReadsItsOwnWrite) {
  Client client = MakeLive(Server().grpc());
  for (int i = 0; i < 20; ++i) {
    const std::string token = NewToken();
    Warm(client, token);
    ASSERT_TRUE(client.Revoke(TokenTarget{token}).ok());
    ASSERT_EQ(client.Verify(token).code(), Code::kTokenRevoked);
  }
}

TEST_F(Chaos, OneThatMayNotWatchIsAnsweredAndToldOnce) {
  Client client = Make(Server().grpc(), Server().SettingsFor(Server().grpc(), "unwatched"));
  const std::string token = NewToken();
  while (warnings().empty()) std::this_thread::yield();
  EXPECT_TRUE(client.Verify(token).allowed());
  EXPECT_FALSE(client.Verify(token).remembered());
  ASSERT_EQ(warnings().size(), 1U);
  EXPECT_NE(warnings()[0].find("GATEHOUSE_TOKEN_FILE"), std::string::npos) << warnings()[0];
}

TEST_F(Chaos, AnOlderServerIsAnsweredAndNamed) {
  const Json stub = Server().Do(
      R"({"do": "stub", "replies": {"verify": {"decision": {"effect": 1, "code": 1, "http_status": 200}, "principal": {"subject": "ada"}}}})");
  Client client = Make(Get(stub, "grpc").string_value(), {});
  while (warnings().empty()) std::this_thread::yield();
  EXPECT_NE(warnings()[0].find("GATEHOUSE_TARGET"), std::string::npos) << warnings()[0];
  EXPECT_NE(warnings()[0].find("older"), std::string::npos) << warnings()[0];
  EXPECT_TRUE(client.Verify("t").allowed());
  EXPECT_FALSE(client.Verify("t").remembered());
  const Answer denied = client.Authorize("t", {"note/1"});
  EXPECT_EQ(denied.error().code, ErrorCode::kUnimplemented);
  EXPECT_NE(denied.error().message.find("older"), std::string::npos);
}

TEST_F(Chaos, NoLogOfTheServerHoldsAToken) {
  EXPECT_EQ(Get(Server().Simply("leaks"), "leaks").list_value().values_size(), 0);
}

}  // namespace
}  // namespace gatehouse::client
