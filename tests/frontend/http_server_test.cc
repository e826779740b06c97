#include "server/frontend/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio.hpp>
#include <memory>
#include <string>
#include <vector>

namespace gatehouse::frontend {
namespace {

using boost::asio::ip::tcp;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() {
    auto server = HttpServer::Start("127.0.0.1", 0, [](const std::string& path) -> HttpReply {
      if (path == "/hello") return {.body = "hello\n"};
      return {.status = 404, .body = "nothing here\n"};
    });
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  tcp::socket Connect() {
    tcp::socket socket(context_);
    socket.connect({boost::asio::ip::make_address("127.0.0.1"), server_->port()});
    return socket;
  }

  // All that the server sends until it closes.
  static std::string ReadAll(tcp::socket& socket) {
    std::string reply;
    boost::system::error_code error;
    boost::asio::read(socket, boost::asio::dynamic_buffer(reply), error);
    return reply;
  }

  std::string Ask(const std::string& request) {
    tcp::socket socket = Connect();
    boost::asio::write(socket, boost::asio::buffer(request));
    return ReadAll(socket);
  }

  boost::asio::io_context context_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAPathWithoutItsQuery) {
  EXPECT_THAT(Ask("GET /hello?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("hello\n")));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  const std::string reply = Ask("HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(reply, ::testing::AllOf(StartsWith("HTTP/1.1 200"), HasSubstr("Content-Length: 6")));
  EXPECT_THAT(reply, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
                  "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              ::testing::AllOf(HasSubstr("HTTP/1.1 200"), HasSubstr("HTTP/1.1 404")));
}

TEST_F(HttpServerTest, OtherMethodsAreRefused) {
  EXPECT_THAT(Ask("POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
              StartsWith("HTTP/1.1 405"));
}

TEST_F(HttpServerTest, GarbageIs400AndAHeaderTooLargeIs431) {
  EXPECT_THAT(Ask("\x16\x03\x01 garbage\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, ABodyIsRefused) {
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
              StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, ARequestThatNeverEndsIsCutOffWhileOthersAreAnswered) {
  tcp::socket slow = Connect();
  boost::asio::write(slow, boost::asio::buffer(std::string("GET /hello HTT")));
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 200"));
  EXPECT_EQ(ReadAll(slow), "");  // returns when the server has closed it
}

TEST_F(HttpServerTest, MoreConnectionsThanItHoldsDoNotLockOutAProbe) {
  std::vector<tcp::socket> idle;
  for (int i = 0; i < 600; ++i) idle.push_back(Connect());
  EXPECT_THAT(Ask("GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  const auto second = HttpServer::Start("127.0.0.1", server_->port(), nullptr);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(server_->port())));
}

TEST_F(HttpServerTest, EndsWithConnectionsOpen) {
  tcp::socket open = Connect();
  boost::asio::write(open, boost::asio::buffer(std::string("GET")));
  server_.reset();
  EXPECT_EQ(ReadAll(open), "");
}

}  // namespace
}  // namespace gatehouse::frontend
