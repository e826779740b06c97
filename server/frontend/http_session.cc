#include "server/frontend/http_session.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/time/time.h"

namespace gatehouse::frontend {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

namespace {

constexpr auto kReplyTime = std::chrono::seconds(5);
// How long, and for how much, what was sent after a refused request is still taken, so that
// the client gets to read the refusal.
constexpr auto kLingerTime = std::chrono::seconds(1);
constexpr size_t kMaxLingerBytes = size_t{256} * 1024;

bool HasControlByte(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

}  // namespace

HttpSession::~HttpSession() {
  all_.open.erase(place_);
  if (all_.draining && all_.open.empty()) all_.on_empty();
}

void HttpSession::Begin() {
  place_ = all_.open.insert(all_.open.end(), weak_from_this());
  stream_.expires_after(absl::ToChronoNanoseconds(all_.options.request_time));
  deadline_is_set_ = true;
  Next();
}

void HttpSession::Close() {
  beast::error_code ignored;
  (void)stream_.socket().close(ignored);
  kept_.reset();
}

void HttpSession::Next() {
  busy_ = false;
  scan_ = HttpHeadScan();
  request_ = HttpRequest();
  parser_.emplace();
  head_only_ = false;
  if (all_.draining) return Close();
  Touch();
  if (in_.empty() && !deadline_is_set_) {
    stream_.expires_after(absl::ToChronoNanoseconds(all_.options.idle_time));
    return Read(&HttpSession::OnHeadBytes);
  }
  OnHeadBytes();
}

void HttpSession::Read(void (HttpSession::*then)()) {
  stream_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this(), then](Error error, size_t bytes) {
                            if (error) return self->Close();  // gone, or too slow
                            self->in_.append(self->chunk_.data(), bytes);
                            (self.get()->*then)();
                          });
}

void HttpSession::OnHeadBytes() {
  if (!deadline_is_set_) {
    stream_.expires_after(absl::ToChronoNanoseconds(all_.options.request_time));
    deadline_is_set_ = true;
  }
  const HttpHeadScan::State state = scan_.Look(in_);
  if (state == HttpHeadScan::State::kBad) return Refuse(400, "no valid HTTP request\n");
  const bool whole = state == HttpHeadScan::State::kWhole;
  if ((whole ? scan_.size() : in_.size()) > all_.options.max_head_bytes) {
    return Refuse(431, "too large\n");
  }
  if (!whole) return Read(&HttpSession::OnHeadBytes);
  OnHead();
}

void HttpSession::OnHead() {
  Touch();
  beast::error_code error;
  parser_->header_limit(static_cast<uint32_t>(scan_.size()) + 1);
  parser_->skip(true);  // the body is none of its business
  parser_->put(asio::buffer(in_.data(), scan_.size()), error);
  if (error || !parser_->is_header_done()) return Refuse(400, "no valid HTTP request\n");
  in_.erase(0, scan_.size());
  const auto& message = parser_->get();
  const auto text = [](beast::string_view view) { return std::string(view.data(), view.size()); };
  request_.method = text(message.method_string());
  request_.target = text(message.target());
  for (const auto& field : message) {
    request_.headers.emplace_back(text(field.name_string()), text(field.value()));
  }
  head_only_ = request_.method == "HEAD";
  keep_alive_ = message.version() == 11 && message.keep_alive();
  CheckHead(message.version());
}

size_t HttpSession::CountOf(absl::string_view name, absl::string_view* value) const {
  size_t count = 0;
  for (const auto& [key, its_value] : request_.headers) {
    if (!absl::EqualsIgnoreCase(key, name)) continue;
    ++count;
    if (value != nullptr) *value = its_value;
  }
  return count;
}

void HttpSession::CheckHead(unsigned version) {
  const size_t hosts = CountOf("host");
  if (hosts > 1 || (hosts == 0 && version == 11)) return Refuse(400, "one Host is required\n");
  if (CountOf("transfer-encoding") != 0) {
    return Refuse(400, "Transfer-Encoding is not taken; send Content-Length\n");
  }
  if (request_.method == "CONNECT") return Refuse(405, "this is no proxy\n");
  CheckBody();
}

void HttpSession::CheckBody() {
  absl::string_view length;
  const size_t lengths = CountOf("content-length", &length);
  const bool digits = std::all_of(length.begin(), length.end(), absl::ascii_isdigit);
  if (lengths > 1 || (lengths == 1 && (length.empty() || !digits))) {
    return Refuse(400, "no valid HTTP request\n");
  }
  uint64_t bytes = 0;
  if (lengths == 1 && !absl::SimpleAtoi(length, &bytes)) return Refuse(413, "too large\n");
  if (bytes == 0) return CheckExpect();
  const auto& takes_body = all_.options.takes_body;
  if (!takes_body || !takes_body(request_.method, request_.path())) {
    // Of a path that there is not, that matters more.
    const auto& not_found = all_.options.not_found;
    const std::string why = not_found ? not_found(request_.path()) : "";
    return why.empty() ? Refuse(400, "this takes no body\n") : Refuse(404, why);
  }
  if (bytes > all_.options.max_body_bytes) return Refuse(413, "too large\n");
  body_bytes_ = bytes;
  CheckExpect();
}

void HttpSession::CheckExpect() {
  absl::string_view expect;
  const size_t expects = CountOf("expect", &expect);
  if (expects == 0) return OnBodyBytes();
  if (expects > 1 || !absl::EqualsIgnoreCase(expect, "100-continue")) {
    return Refuse(417, "only 100-continue can be expected\n");
  }
  // Who sends the body before it is asked to has it taken all the same.
  if (parser_->get().version() != 11 || in_.size() >= body_bytes_) return OnBodyBytes();
  static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(stream_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](beast::error_code error, size_t) {
                      if (error) return self->Close();
                      self->OnBodyBytes();
                    });
}

void HttpSession::OnBodyBytes() {
  if (in_.size() < body_bytes_) return Read(&HttpSession::OnBodyBytes);
  request_.body = in_.substr(0, body_bytes_);
  in_.erase(0, body_bytes_);
  body_bytes_ = 0;
  Handle();
}

void HttpSession::Handle() {
  Touch();
  busy_ = true;
  deadline_is_set_ = false;
  stream_.expires_never();
  kept_ = shared_from_this();  // nothing else holds it until there is an answer
  const uint64_t number = ++requests_;
  auto reply = [weak = weak_from_this(), number, loop = all_.loop](HttpReply answer) {
    loop->Post([weak, number, answer = std::move(answer)]() mutable {
      const auto self = weak.lock();
      if (self != nullptr) self->Answer(number, std::move(answer));
    });
  };
  all_.handler(std::exchange(request_, HttpRequest()),
               {.reply = std::move(reply), .loop = all_.loop});
}

void HttpSession::Answer(uint64_t number, HttpReply reply) {
  if (kept_ == nullptr || number != requests_) return;  // answered already
  const auto self = std::exchange(kept_, nullptr);
  for (const auto& [name, value] : reply.headers) {
    if (HasControlByte(name) || HasControlByte(value)) {
      reply = {.status = 500, .body = "a header could not be sent\n"};
      break;
    }
  }
  Write(std::move(reply), keep_alive_ && !all_.draining);
}

void HttpSession::Refuse(int status, std::string why) {
  busy_ = true;
  Write({.status = status, .body = std::move(why)}, false);
}

void HttpSession::Write(HttpReply reply, bool keep_alive) {
  auto response = std::make_shared<http::response<http::string_body>>();
  response->version(11);
  response->result(static_cast<unsigned>(reply.status));
  if (!reply.content_type.empty()) {
    response->set(http::field::content_type, reply.content_type);
  }
  response->set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : reply.headers) response->insert(name, value);
  response->keep_alive(keep_alive);
  response->body() = std::move(reply.body);
  response->prepare_payload();
  if (head_only_) response->body().clear();
  stream_.expires_after(kReplyTime);
  http::async_write(stream_, *response,
                    [self = shared_from_this(), response](beast::error_code error, size_t) {
                      if (error) return self->Close();
                      if (response->need_eof()) return self->Linger();
                      self->Next();
                    });
}

// A connection that is closed with bytes unread is reset, and the reply perhaps lost.
void HttpSession::Linger() {
  busy_ = false;
  if (all_.draining) return Close();
  beast::error_code ignored;
  (void)stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLingerTime);
  TakeRest(0);
}

void HttpSession::TakeRest(size_t taken) {
  if (taken > kMaxLingerBytes) return Close();
  stream_.async_read_some(asio::buffer(chunk_), [self = shared_from_this(), taken](
                                                    beast::error_code error, size_t bytes) {
    if (error) return self->Close();
    self->TakeRest(taken + bytes);
  });
}

}  // namespace gatehouse::frontend
