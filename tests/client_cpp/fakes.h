#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/core.h"
#include "client/cpp/src/transport.h"
#include "gatehouse/client.h"
#include "gatehouse/v1/authorization_service.pb.h"

namespace gatehouse::client {

// Stands still until it is moved; tasks run on the thread that moves it.
class FakeTime final : public Clock {
 public:
  int64_t Now() const override { return now_; }
  WallTime WallNow() const override {
    return WallTime(std::chrono::duration_cast<WallTime::duration>(
        std::chrono::nanoseconds(now_ - 1000 * kSecond) + std::chrono::seconds(1'800'000'000)));
  }
  void At(int64_t when, std::function<void()> task) override {
    if (!stopped_) tasks_.emplace(when, std::move(task));
  }
  void Stop() override {
    stopped_ = true;
    tasks_.clear();
  }

  // Runs what becomes due, each at its moment.
  void Advance(int64_t time) {
    const int64_t until = now_ + time;
    while (!tasks_.empty() && tasks_.begin()->first <= until) {
      auto task = std::move(tasks_.begin()->second);
      now_ = std::max(now_, tasks_.begin()->first);
      tasks_.erase(tasks_.begin());
      task();
    }
    now_ = until;
  }

 private:
  int64_t now_ = 1000 * kSecond;
  bool stopped_ = false;
  std::multimap<int64_t, std::function<void()>> tasks_;
};

// What was asked, for the test to answer.
class FakeTransport final : public Transport {
 public:
  struct Asked {
    Method method;
    std::string request;
    int64_t timeout;
    Done done;
  };
  struct OpenStream final : Stream {
    std::vector<v1::WatchRequest> sent;
    Events events;
    bool cancelled = false;

    void Send(std::string bytes) override {
      ASSERT_TRUE(sent.emplace_back().ParseFromString(bytes));
    }
    void Cancel() override {
      if (!std::exchange(cancelled, true)) End(1);
    }
    void Tell(const v1::WatchResponse& message) { events.message(message.SerializeAsString()); }
    void End(int code) {
      const auto end = events.end;
      end({code, "of the test"});
    }
  };

  void Call(Method method, std::string request, int64_t timeout, Done done) override {
    asked.push_back({method, std::move(request), timeout, std::move(done)});
  }
  std::shared_ptr<Stream> Watch(std::string first, Events events) override {
    auto stream = std::make_shared<OpenStream>();
    stream->events = std::move(events);
    stream->Send(std::move(first));
    streams.push_back(stream);
    return stream;
  }
  void Renew() override { ++renewed; }
  void Close() override {}

  std::deque<Asked> asked;
  std::vector<std::shared_ptr<OpenStream>> streams;
  int renewed = 0;
};

inline std::string TagBytes(char c) { return std::string(16, c); }

// A client over both, whose stream says store "s", rules "r".
class ClientTest : public testing::Test {
 protected:
  void Make(Settings settings = {}) {
    settings.target = "localhost:1";
    settings.warn = [this](const std::string& what) { warnings.push_back(what); };
    auto clock = std::make_unique<FakeTime>();
    auto wire = std::make_unique<FakeTransport>();
    time = clock.get();
    transport = wire.get();
    client.emplace(std::make_shared<Core>(std::move(settings), std::move(clock), std::move(wire),
                                          [this] { return chance; }));
  }
  FakeTransport::OpenStream& stream() { return *transport->streams.back(); }

  v1::WatchResponse News(int64_t revision) {
    v1::WatchResponse news;
    news.set_revision(revision);
    news.set_store_id("s");
    news.set_rules("r");
    news.set_ping(stream().sent.back().ping());
    return news;
  }
  v1::WatchResponse Change(int64_t revision, char tag,
                           v1::RevocationChange::Kind kind = v1::RevocationChange::KIND_REVOKED) {
    v1::WatchResponse news = News(revision);
    v1::RevocationChange& change = *news.add_changes();
    change.set_kind(kind);
    change.set_tag(TagBytes(tag));
    if (kind != v1::RevocationChange::KIND_KEY_GONE) change.set_revision(revision);
    return news;
  }
  // Makes a client with a live stream, at revision 10.
  void MakeLive(Settings settings = {}) {
    Make(std::move(settings));
    stream().Tell(News(10));
  }

  // A good answer that may be remembered for 30 s, with tag "a".
  template <class Response>
  static Response Good(int64_t revision = 10, const std::string& subject = "ada") {
    Response response;
    response.mutable_decision()->set_effect(v1::EFFECT_ALLOW);
    response.mutable_decision()->set_code(v1::CODE_OK);
    response.mutable_decision()->set_http_status(200);
    response.mutable_decision()->set_id("d1");
    response.mutable_principal()->set_subject(subject);
    response.set_revision(revision);
    response.set_store_id("s");
    response.set_rules("r");
    response.mutable_remember_for()->set_seconds(30);
    response.add_tags(TagBytes('a'));
    return response;
  }
  static v1::VerifyResponse Allowed(int64_t revision = 10) {
    return Good<v1::VerifyResponse>(revision);
  }
  static v1::VerifyResponse Denied(int64_t revision = 11) {
    v1::VerifyResponse response = Allowed(revision);
    response.clear_principal();
    response.mutable_decision()->set_effect(v1::EFFECT_DENY);
    response.mutable_decision()->set_code(v1::CODE_TOKEN_REVOKED);
    response.mutable_decision()->set_http_status(401);
    return response;
  }

  // Answers the oldest call.
  void Answer(const google::protobuf::MessageLite& reply) {
    ASSERT_FALSE(transport->asked.empty());
    const auto asked = std::move(transport->asked.front());
    transport->asked.pop_front();
    asked.done({}, reply.SerializeAsString());
  }
  void Fail(int code) {
    ASSERT_FALSE(transport->asked.empty());
    const auto asked = std::move(transport->asked.front());
    transport->asked.pop_front();
    asked.done({code, "of the test"}, "");
  }

  // What came back; unset: nothing yet.
  using Place = std::shared_ptr<std::optional<gatehouse::Answer>>;
  Place Verify(const std::string& token = "t", const CallOptions& options = {}) {
    auto place = std::make_shared<std::optional<gatehouse::Answer>>();
    client->Verify(token, options, [place](gatehouse::Answer answer) { *place = answer; });
    return place;
  }
  Place Authorize(const Check& check, const CallOptions& options = {}) {
    auto place = std::make_shared<std::optional<gatehouse::Answer>>();
    client->Authorize("t", check, options, [place](gatehouse::Answer answer) { *place = answer; });
    return place;
  }
  // Verifies and is answered so.
  gatehouse::Answer Ask(const v1::VerifyResponse& reply, const CallOptions& options = {}) {
    const Place place = Verify("t", options);
    Answer(reply);
    return place->value_or(gatehouse::Answer());
  }
  // Whether the question is answered from memory. If not its call is failed.
  bool Remembers(const std::string& token = "t") {
    const Place place = Verify(token);
    const bool remembered = place->has_value() && (*place)->remembered();
    if (!remembered && !transport->asked.empty()) Fail(13);
    return remembered;
  }

  // Outlive the client.
  double chance = 1;
  std::vector<std::string> warnings;
  std::optional<Client> client;
  // The client's.
  FakeTime* time = nullptr;
  FakeTransport* transport = nullptr;
};

}  // namespace gatehouse::client
