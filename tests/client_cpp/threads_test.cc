// The whole client on the machine's own clock, with many threads: for ThreadSanitizer.

#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "client/cpp/src/core.h"
#include "gatehouse/v1/authorization_service.pb.h"

namespace gatehouse::client {
namespace {

constexpr int kTokens = 20;

// Answers at once, on the caller's thread or one of its own, by what was revoked. Tells
// its streams of it.
class LiveTransport final : public Transport {
 public:
  struct OpenStream final : Stream {
    explicit OpenStream(LiveTransport& owner) : transport(owner) {}
    void Send(std::string message) override {
      v1::WatchRequest request;
      request.ParseFromString(message);
      transport.Tell(nullptr, request.ping());
    }
    void Cancel() override {}
    LiveTransport& transport;
  };

  void Call(Method, std::string bytes, int64_t, Done done) override {
    ++calls;
    v1::VerifyRequest request;
    request.ParseFromString(bytes);
    v1::VerifyResponse reply;
    {
      const std::lock_guard<std::mutex> lock(mu_);
      const bool revoked = revoked_[static_cast<size_t>(std::stoi(request.token()))];
      reply.mutable_decision()->set_effect(revoked ? v1::EFFECT_DENY : v1::EFFECT_ALLOW);
      reply.mutable_decision()->set_code(revoked ? v1::CODE_TOKEN_REVOKED : v1::CODE_OK);
      reply.mutable_decision()->set_http_status(revoked ? 401 : 200);
      reply.set_revision(revision_);
    }
    reply.set_store_id("s");
    reply.set_rules("r");
    reply.mutable_remember_for()->set_seconds(30);
    reply.add_tags(TagOf(std::stoi(request.token())));
    done({}, reply.SerializeAsString());
  }
  std::shared_ptr<Stream> Watch(std::string first, Events events) override {
    {
      const std::lock_guard<std::mutex> lock(stream_mu_);
      events_ = std::move(events);
    }
    auto stream = std::make_shared<OpenStream>(*this);
    stream->Send(std::move(first));
    return stream;
  }
  void Renew() override {}
  void Close() override {
    const std::lock_guard<std::mutex> lock(stream_mu_);
    events_ = {};
  }

  // As the server: counts first, is told then.
  void Revoke(int token) {
    v1::WatchResponse news;
    v1::RevocationChange& change = *news.add_changes();
    change.set_kind(v1::RevocationChange::KIND_REVOKED);
    change.set_tag(TagOf(token));
    {
      const std::lock_guard<std::mutex> lock(mu_);
      revoked_[static_cast<size_t>(token)] = true;
      change.set_revision(++revision_);
    }
    Tell(&news, 0);
  }

  std::atomic<int> calls{0};

 private:
  static std::string TagOf(int token) { return std::string(16, static_cast<char>('a' + token)); }

  void Tell(v1::WatchResponse* given, int64_t ping) {
    const std::lock_guard<std::mutex> stream(stream_mu_);
    v1::WatchResponse news;
    if (given != nullptr) news = *given;
    {
      const std::lock_guard<std::mutex> lock(mu_);
      news.set_revision(revision_);
    }
    news.set_store_id("s");
    news.set_rules("r");
    news.set_ping(ping);
    if (events_.message != nullptr) events_.message(news.SerializeAsString());
  }

  std::mutex stream_mu_;
  Events events_;
  std::mutex mu_;
  int64_t revision_ = 1;
  std::vector<bool> revoked_ = std::vector<bool>(kTokens, false);
};

TEST(ThreadsTest, NobodyIsAllowedAfterARevocationThatWasTold) {
  std::atomic<int> revoked_up_to{0};
  std::atomic<int> told{0};
  std::atomic<int> asked{0};
  std::atomic<bool> wrong{false};
  auto owned = std::make_unique<LiveTransport>();
  LiveTransport& transport = *owned;
  Settings settings;
  settings.target = "localhost:1";
  settings.warn = [](const std::string&) {};
  settings.memory_entries = 64;
  Client client(std::make_shared<Core>(settings, MakeClock(), std::move(owned), MakeChance()));
  ASSERT_TRUE(client.WaitUntilLive(std::chrono::seconds(10)));

  std::vector<Subscription> subscriptions;
  for (int token = 0; token < kTokens; ++token) {
    subscriptions.push_back(client.OnRevoked(std::to_string(token), [&](const Answer& denial) {
      if (denial.allowed()) wrong = true;
      ++told;
    }));
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int step = 0; revoked_up_to < kTokens || step < 100; ++step) {
        const int token = (step * 7 + i) % kTokens;
        const bool revoked = token < revoked_up_to;
        // Perhaps on another thread, and later.
        const auto look = [&, revoked](const Answer& answer) {
          if (revoked && answer.allowed()) wrong = true;
          if (answer.decided()) ++asked;
        };
        if (step % 3 == 0) {
          client.Verify(std::to_string(token), {}, look);
        } else {
          CallOptions options;
          options.fresh = step % 50 == 1;
          look(client.Verify(std::to_string(token), options));
        }
        if (step % 100 == 0) (void)client.figures();
      }
    });
  }
  for (int token = 0; token < kTokens; ++token) {
    const int before = asked;
    while (asked < before + 50) std::this_thread::yield();
    transport.Revoke(token);
    revoked_up_to = token + 1;
  }
  for (std::thread& thread : threads) thread.join();
  while (told < kTokens) std::this_thread::yield();
  EXPECT_FALSE(wrong);
  EXPECT_GT(client.figures().hits, 0U);
  EXPECT_LT(transport.calls, asked);
}

TEST(ThreadsTest, AClockRunsItsTasksInOrderAndStops) {
  const std::unique_ptr<Clock> clock = MakeClock();
  std::atomic<int> ran{0};
  const int64_t now = clock->Now();
  std::vector<int> order;
  clock->At(now + 20 * kMillisecond, [&] {
    order.push_back(2);
    ++ran;
  });
  clock->At(now + 10 * kMillisecond, [&] {
    order.push_back(1);
    ++ran;
  });
  clock->At(now + 3600 * kSecond, [&] { ++ran; });
  while (ran < 2) std::this_thread::yield();
  clock->Stop();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(clock->Now(), now + 20 * kMillisecond);
}

}  // namespace
}  // namespace gatehouse::client
