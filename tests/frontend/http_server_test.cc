#include "server/frontend/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/frontend/raw_http.h"

namespace gatehouse::frontend {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    options_.takes_body = [](absl::string_view method, absl::string_view path) {
      return method == "POST" && path == "/form";
    };
    Start();
  }

  // /hello answers at once; /later when the test says; /form with the body; /echo with what
  // came; else 404.
  void Start() {
    server_.reset();
    auto server = HttpServer::Start(
        "127.0.0.1", 0, options_, [this](const HttpRequest& request, const HttpCall& call) {
          ++handled_;
          if (request.path() == "/hello") return call.reply({.body = "hello\n"});
          if (request.path() == "/form") return call.reply({.body = request.body});
          if (request.path() == "/later") {
            const std::lock_guard<std::mutex> lock(mu_);
            return later_.push_back(call);
          }
          if (request.path() == "/timer") {
            return call.loop->After(absl::Hours(1), [call] { call.reply({.status = 503}); });
          }
          if (request.path() == "/echo") {
            const std::lock_guard<std::mutex> lock(mu_);
            seen_ = request;
            return call.reply({.status = 200});
          }
          if (request.path() == "/inject") {
            return call.reply({.headers = {{"X-Name", "a\r\nX-Evil: 1"}}});
          }
          call.reply({.status = 404, .body = "nothing here\n"});
        });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  RawHttp Connect() { return RawHttp(server_->port()); }
  std::string Ask(const std::string& request) { return RawHttp::Ask(server_->port(), request); }

  // The next request that waits.
  HttpCall TakeLater() {
    while (true) {
      {
        const std::lock_guard<std::mutex> lock(mu_);
        if (!later_.empty()) {
          HttpCall call = std::move(later_.front());
          later_.pop_front();
          return call;
        }
      }
      std::this_thread::yield();
    }
  }

  HttpOptions options_;
  std::atomic<int> handled_ = 0;
  std::mutex mu_;
  std::list<HttpCall> later_;
  HttpRequest seen_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAPathWithoutItsQuery) {
  EXPECT_THAT(Ask("GET /hello?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("hello\n")));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  const std::string reply = Ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 6")));
  EXPECT_THAT(reply, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              AllOf(HasSubstr("HTTP/1.1 200"), HasSubstr("HTTP/1.1 404")));
}

TEST_F(HttpServerTest, HandsOverEveryHeaderAndTheTargetAsItCame) {
  Ask("DELETE /echo?a=%2F HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a:  2\t\r\nX_A:\r\n"
      "Connection: close\r\n\r\n");
  const std::lock_guard<std::mutex> lock(mu_);
  EXPECT_EQ(seen_.method, "DELETE");
  EXPECT_EQ(seen_.target, "/echo?a=%2F");
  EXPECT_THAT(seen_.headers,
              ::testing::IsSupersetOf({Pair("X-A", "1"), Pair("x-a", "2"), Pair("X_A", "")}));
}

TEST_F(HttpServerTest, TakesABodyWhereItIsWantedUpToItsLimit) {
  const auto form = [](size_t size, const std::string& path = "/form") {
    return absl::StrCat("POST ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n",
                        "Content-Length: ", size, "\r\n\r\n", std::string(size, 'x'));
  };
  EXPECT_THAT(Ask(form(16 * 1024)),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr(std::string(16 * 1024, 'x'))));
  EXPECT_THAT(Ask(form(16 * 1024 + 1)), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(Ask(form(0)), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(form(5, "/hello")), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
              StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, GarbageIs400AndAHeaderTooLargeIs431) {
  EXPECT_THAT(Ask("\x16\x03\x01 garbage\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, AHeadUpToItsLimitIsTaken) {
  options_.max_head_bytes = size_t{32} * 1024;
  Start();
  std::string head = "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ";
  head += std::string(options_.max_head_bytes - head.size() - 4, 'x');
  EXPECT_THAT(Ask(head + "\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(Ask(head + "x\r\n\r\n"), StartsWith("HTTP/1.1 431"));
}

// Each is one request to some, and two, or another one, to others. What follows must never
// be answered as a request of its own.
TEST_F(HttpServerTest, WhatCanBeReadInTwoWaysIs400AndClosesTheConnection) {
  const std::string next = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string post = "POST /form HTTP/1.1\r\nHost: x\r\n";
  const std::string get = "GET /hello HTTP/1.1\r\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"length and chunks",
       post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"chunks and length",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
      {"chunks", post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"a bad chunk", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"},
      {"chunks in other words", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {"chunks with a tab", post + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n"},
      {"identity", post + "Transfer-Encoding: identity\r\n\r\n"},
      {"no coding", post + "Transfer-Encoding:\r\n\r\n"},
      {"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"},
      {"one length twice", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"},
      {"a list of lengths", post + "Content-Length: 1, 1\r\n\r\nx"},
      {"a signed length", post + "Content-Length: +1\r\n\r\nx"},
      {"a hexadecimal length", post + "Content-Length: 0x1\r\n\r\nx"},
      {"an empty length", post + "Content-Length:\r\n\r\n"},
      {"a negative length", post + "Content-Length: -1\r\n\r\n"},
      {"a folded line", get + "Host: x\r\nX: a\r\n b\r\n\r\n"},
      {"a folded first field", get + " Host: x\r\n\r\n"},
      {"a bare LF between fields", get + "Host: x\nX: a\r\n\r\n"},
      {"a bare LF after the request line", "GET /hello HTTP/1.1\nHost: x\r\n\r\n"},
      {"bare LFs alone", "GET /hello HTTP/1.1\nHost: x\n\n"},
      {"a bare CR", get + "Host: x\rX: a\r\n\r\n"},
      {"a space before the colon", get + "Host : x\r\n\r\n"},
      {"a space in a name", get + "Host: x\r\nX A: 1\r\n\r\n"},
      {"no name", get + "Host: x\r\n: 1\r\n\r\n"},
      {"no colon", get + "Host: x\r\nX\r\n\r\n"},
      {"a NUL in a value", get + "Host: x\r\nX: a" + std::string(1, '\0') + "b\r\n\r\n"},
      {"a NUL in a name", get + "Host: x\r\nX" + std::string(1, '\0') + ": b\r\n\r\n"},
      {"a control byte in the target", "GET /hello\x01 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a byte beyond ASCII in the target", "GET /h\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"two spaces", "GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a tab", "GET\t/hello HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a space in the target", "GET /hello x HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"HTTP/0.9", "GET /hello\r\n\r\n"},
      {"HTTP/2", "GET /hello HTTP/2.0\r\nHost: x\r\n\r\n"},
      {"another version", "GET /hello HTTP/1.2\r\nHost: x\r\n\r\n"},
      {"an empty line first", "\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"two hosts", get + "Host: x\r\nHost: y\r\n\r\n"},
      {"no host", get + "\r\n"},
  };
  for (const auto& [name, request] : cases) {
    const std::string reply = Ask(request + next);
    EXPECT_THAT(reply, AllOf(StartsWith("HTTP/1.1 400"), HasSubstr("Connection: close"))) << name;
    EXPECT_EQ(reply.find("HTTP/1.1", 1), std::string::npos) << name << "\n" << reply;
  }
  EXPECT_EQ(handled_, 0) << "none of them reached the handler";
}

TEST_F(HttpServerTest, ABodyIsNoNextRequest) {
  const std::string inner = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_THAT(Ask(absl::StrCat("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: ", inner.size(),
                               "\r\n\r\n", inner,
                               "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")),
              AllOf(HasSubstr("HTTP/1.1 404"), Not(HasSubstr("hello\n"))));
  EXPECT_EQ(handled_, 2);
}

TEST_F(HttpServerTest, Http10IsAnsweredAndClosed) {
  EXPECT_THAT(Ask("GET /hello HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Connection: close")));
  EXPECT_THAT(Ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, AClientThatAsksMaySendItsBodyGoesOn) {
  RawHttp client = Connect();
  client.Send(
      "POST /form HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n"
      "Connection: close\r\n\r\n");
  EXPECT_EQ(client.ReadUntil("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("abc");
  EXPECT_THAT(client.ReadAll(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("abc")));
}

TEST_F(HttpServerTest, ABodyThatIsRefusedIsNotAskedFor) {
  for (const char* what : {"POST /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3",
                           "POST /form HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999",
                           "POST /form HTTP/1.1\r\nExpect: 200-ok\r\nContent-Length: 3"}) {
    EXPECT_THAT(Ask(absl::StrCat(what, "\r\nHost: x\r\n\r\n")), StartsWith("HTTP/1.1 4")) << what;
  }
}

TEST_F(HttpServerTest, ATunnelIsRefused) {
  EXPECT_THAT(Ask("CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
}

TEST_F(HttpServerTest, AHeaderWithALineEndIsNeverSent) {
  EXPECT_THAT(Ask("GET /inject HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 500"), Not(HasSubstr("X-Evil"))));
}

TEST_F(HttpServerTest, AnAnswerMayComeLaterFromAnotherThread) {
  RawHttp client = Connect();
  client.Send("GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const HttpCall call = TakeLater();
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"))
      << "others do not wait for it";
  std::thread([call] { call.reply({.body = "later\n"}); }).join();
  call.reply({.body = "again\n"});
  EXPECT_THAT(client.ReadAll(), AllOf(HasSubstr("later\n"), Not(HasSubstr("again"))));
}

TEST_F(HttpServerTest, OneRequestOfAConnectionIsWithTheHandlerAtATime) {
  RawHttp client = Connect();
  client.Send(
      "GET /later HTTP/1.1\r\nHost: x\r\n\r\n"
      "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const HttpCall call = TakeLater();
  Ask("GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(handled_, 2) << "the second one waits";
  call.reply({.body = "later\n"});
  const std::string replies = client.ReadAll();
  EXPECT_LT(replies.find("later\n"), replies.find("hello\n"));
}

TEST_F(HttpServerTest, AnAnswerToAConnectionThatHasGoneGoesNowhere) {
  {
    RawHttp client = Connect();
    client.Send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  const HttpCall call = TakeLater();
  call.reply({.body = std::string(1 << 20, 'x')});
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
  server_.reset();
  call.reply({});  // and when the port has gone
  call.loop->Post([] { FAIL(); });
}

TEST_F(HttpServerTest, ARequestThatNeverEndsIsCutOffHoweverOftenAByteComes) {
  options_.request_time = absl::Milliseconds(300);
  Start();
  RawHttp silent = Connect();
  RawHttp slow = Connect();
  slow.Send("GET /hello HTTP/1.1\r\nX: ");
  boost::system::error_code error;
  slow.socket().non_blocking(true);
  char byte = 0;
  while (true) {  // until the server has closed it
    slow.socket().read_some(boost::asio::buffer(&byte, 1), error);
    if (error && error != boost::asio::error::would_block) break;
    boost::asio::write(slow.socket(), boost::asio::buffer("x", 1), error);
    if (error && error != boost::asio::error::would_block) break;
    // A round trip: the server reads the bytes one by one.
    EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                StartsWith("HTTP/1.1 200"));
  }
  EXPECT_EQ(silent.ReadAll(), "");
}

TEST_F(HttpServerTest, ABodyThatNeverEndsIsCutOff) {
  options_.request_time = absl::Milliseconds(100);
  Start();
  RawHttp slow = Connect();
  slow.Send("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(slow.ReadAll(), "");
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, MoreConnectionsThanItHoldsDoNotLockOutAProbe) {
  std::list<RawHttp> idle;
  for (int i = 0; i < 600; ++i) idle.emplace_back(server_->port());
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  const auto second = HttpServer::Start("127.0.0.1", server_->port(), {}, nullptr);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(server_->port())));
}

TEST_F(HttpServerTest, EndsWithConnectionsOpen) {
  RawHttp open = Connect();
  open.Send("GET");
  server_.reset();
  EXPECT_EQ(open.ReadAll(), "");
}

TEST_F(HttpServerTest, AShutdownEndsWhatWaitsAndLetsWhatIsAnsweredOut) {
  RawHttp waits = Connect();
  RawHttp timer = Connect();
  RawHttp idle = Connect();
  waits.Send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  timer.Send("GET /timer HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpCall call = TakeLater();
  while (handled_ < 2) std::this_thread::yield();
  std::thread ending([this] { server_->Shutdown(absl::Seconds(60)); });
  EXPECT_EQ(idle.ReadAll(), "");
  EXPECT_THAT(timer.ReadAll(), AllOf(StartsWith("HTTP/1.1 503"), HasSubstr("Connection: close")));
  call.reply({.body = "in time\n"});
  EXPECT_THAT(waits.ReadAll(), AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("in time")));
  ending.join();
}

TEST_F(HttpServerTest, AShutdownWaitsNoLongerThanItsGrace) {
  RawHttp waits = Connect();
  waits.Send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpCall call = TakeLater();
  server_->Shutdown(absl::ZeroDuration());
  server_.reset();
  EXPECT_EQ(waits.ReadAll(), "");
}

}  // namespace
}  // namespace gatehouse::frontend
