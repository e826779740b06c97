#include "tests/bench/check_request.h"

#include <google/protobuf/unknown_field_set.h>

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace gatehouse::bench {
namespace {

using envoy::service::auth::v3::AttributeContext;
using envoy::service::auth::v3::CheckRequest;
using google::protobuf::UnknownFieldSet;

constexpr std::pair<absl::string_view, absl::string_view> kHeaders[] = {
    {":method", "GET"},
    {":scheme", "https"},
    {":authority", "api.example.com"},
    {"user-agent",
     "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/142.0.0.0 Safari/537.36"},
    {"accept", "application/json, text/plain, */*"},
    {"accept-encoding", "gzip, deflate, br, zstd"},
    {"accept-language", "en-GB,en;q=0.9,de;q=0.8"},
    {"cache-control", "no-cache"},
    {"referer", "https://app.example.com/documents"},
    {"sec-ch-ua", R"("Chromium";v="142", "Not_A Brand";v="99")"},
    {"sec-ch-ua-mobile", "?0"},
    {"sec-ch-ua-platform", R"("Linux")"},
    {"sec-fetch-dest", "empty"},
    {"sec-fetch-mode", "cors"},
    {"sec-fetch-site", "same-site"},
    {"x-forwarded-for", "203.0.113.7"},
    {"x-forwarded-proto", "https"},
    {"x-request-id", "7f3c1a52-9d0e-4b86-a1f4-2c5d8e9b0a13"},
};

UnknownFieldSet& UnknownOf(google::protobuf::Message& message) {
  return *message.GetReflection()->MutableUnknownFields(&message);
}

// A message, encoded, within another one.
void AddMessage(int number, const UnknownFieldSet& message, UnknownFieldSet& out) {
  message.SerializeToString(out.AddLengthDelimited(number));
}

// Peer.address, whose socket_address says address and port_value.
void SetAddress(absl::string_view address, uint64_t port, google::protobuf::Message& peer) {
  UnknownFieldSet socket;
  socket.AddLengthDelimited(2, std::string(address));
  socket.AddVarint(3, port);
  UnknownFieldSet either;
  AddMessage(1, socket, either);
  AddMessage(1, either, UnknownOf(peer));
}

void SetTime(google::protobuf::Message& request) {
  UnknownFieldSet time;
  time.AddVarint(1, 1795216315);
  time.AddVarint(2, 482'913'000);
  AddMessage(1, time, UnknownOf(request));
}

}  // namespace

CheckRequest MakeCheckRequest(absl::string_view token, absl::string_view path) {
  CheckRequest out;
  AttributeContext& attributes = *out.mutable_attributes();
  attributes.mutable_source()->set_principal("spiffe://example.org/ns/web/sa/gateway");
  SetAddress("203.0.113.7", 51426, *attributes.mutable_source());
  AttributeContext::Peer destination;
  SetAddress("10.0.12.34", 8443, destination);
  destination.SerializeToString(UnknownOf(attributes).AddLengthDelimited(2));
  UnknownOf(attributes).AddLengthDelimited(11);  // metadata_context, with nothing in it
  UnknownOf(attributes).AddLengthDelimited(13);  // route_metadata_context
  SetTime(*attributes.mutable_request());
  AttributeContext::HttpRequest& http = *attributes.mutable_request()->mutable_http();
  const auto add = [&http](absl::string_view name, std::string value) {
    AttributeContext::Entry& header = *http.add_headers();
    header.set_key(std::string(name));
    header.set_value(std::move(value));
  };
  for (const auto& [name, value] : kHeaders) add(name, std::string(value));
  add(":path", std::string(path));
  add("authorization", absl::StrCat("Bearer ", token));
  http.set_method("GET");
  http.set_path(std::string(path));
  http.set_host("api.example.com");
  http.set_scheme("https");
  UnknownFieldSet& more = UnknownOf(http);
  more.AddLengthDelimited(1, "8437105938273615402");  // id
  more.AddLengthDelimited(10, "HTTP/2");
  return out;
}

}  // namespace gatehouse::bench
