#pragma once

#include <boost/asio.hpp>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace gatehouse {

// A connection that sends what a test says, byte by byte.
class RawHttp {
 public:
  explicit RawHttp(int port) : socket_(context_) {
    socket_.connect({boost::asio::ip::make_address("127.0.0.1"), static_cast<uint16_t>(port)});
  }

  // False: the server has closed the connection.
  bool Send(absl::string_view bytes) {
    boost::system::error_code error;
    boost::asio::write(socket_, boost::asio::buffer(bytes.data(), bytes.size()), error);
    return !error;
  }

  // All that comes until the server closes.
  std::string ReadAll() {
    std::string reply;
    boost::system::error_code error;
    boost::asio::read(socket_, boost::asio::dynamic_buffer(reply), error);
    return reply;
  }

  // What comes up to and with `end`.
  std::string ReadUntil(absl::string_view end) {
    boost::system::error_code error;
    const size_t size = boost::asio::read_until(socket_, boost::asio::dynamic_buffer(buffer_),
                                                std::string(end), error);
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }

  boost::asio::ip::tcp::socket& socket() { return socket_; }

  // The answer to one request, after which the connection is closed.
  static std::string Ask(int port, absl::string_view request) {
    RawHttp connection(port);
    connection.Send(request);
    return connection.ReadAll();
  }

 private:
  boost::asio::io_context context_;
  boost::asio::ip::tcp::socket socket_;
  std::string buffer_;
};

}  // namespace gatehouse
