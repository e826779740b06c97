#include "server/frontend/check_reply.h"

#include <google/protobuf/struct.pb.h>
#include <grpcpp/support/slice.h>

#include <string>
#include <utility>

#include "envoy/service/auth/v3/external_auth.pb.h"
#include "server/frontend/backward_writer.h"

namespace gatehouse::frontend {
namespace {

namespace v3 = envoy::service::auth::v3;
using google::protobuf::ListValue;
using google::protobuf::Struct;
using google::protobuf::Value;

constexpr int kMapKey = 1;
constexpr int kMapValue = 2;

grpc::StatusCode StatusOf(int http_status) {
  switch (http_status) {
    case 200:
      return grpc::StatusCode::OK;
    case 400:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case 401:
      return grpc::StatusCode::UNAUTHENTICATED;
    case 403:
      return grpc::StatusCode::PERMISSION_DENIED;
    default:
      return grpc::StatusCode::UNAVAILABLE;
  }
}

// A HeaderValueOption that takes the place of whatever the header said before.
void WriteHeader(int number, absl::string_view name, absl::string_view value, BackwardWriter& out) {
  const size_t end = out.size();
  out.Varint(v3::HeaderValueOption::kAppendActionFieldNumber,
             v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
  out.Bytes(v3::HeaderValueOption::kAppendFieldNumber, {});  // false, said aloud
  const size_t header = out.size();
  out.Bytes(v3::ResponseHeader::kValueFieldNumber, value);
  out.Bytes(v3::ResponseHeader::kKeyFieldNumber, name);
  out.Message(v3::HeaderValueOption::kHeaderFieldNumber, header);
  out.Message(number, end);
}

void WriteText(absl::string_view name, absl::string_view text, BackwardWriter& out) {
  if (text.empty()) return;
  const size_t end = out.size();
  out.Bytes(Value::kStringValueFieldNumber, text);
  out.Message(kMapValue, end);
  out.Bytes(kMapKey, name);
  out.Message(Struct::kFieldsFieldNumber, end);
}

void WriteList(absl::string_view name, const policy::Principal::Names& texts, BackwardWriter& out) {
  if (texts.empty()) return;
  const size_t end = out.size();
  for (auto text = texts.rbegin(); text != texts.rend(); ++text) {
    const size_t value = out.size();
    out.Bytes(Value::kStringValueFieldNumber, *text);
    out.Message(ListValue::kValuesFieldNumber, value);
  }
  out.Message(Value::kListValueFieldNumber, end);
  out.Message(kMapValue, end);
  out.Bytes(kMapKey, name);
  out.Message(Struct::kFieldsFieldNumber, end);
}

void WriteMetadata(const edge::Answer& answer, const CheckNotes& notes, BackwardWriter& out) {
  const size_t end = out.size();
  WriteText("code", answer.code, out);
  WriteText("decision_id", notes.decision_id, out);
  WriteText("route", notes.route, out);
  if (notes.principal != nullptr) {
    WriteList("roles", notes.principal->roles, out);
    WriteText("tenant", notes.principal->tenant, out);
    WriteText("issuer", notes.principal->issuer, out);
    WriteText("subject", notes.principal->subject, out);
  }
  out.Message(v3::CheckResponse::kDynamicMetadataFieldNumber, end);
}

void WriteOk(const edge::Answer& answer, const edge::Settings& settings, BackwardWriter& out) {
  const size_t end = out.size();
  for (const auto& [name, value] : settings.security_headers) {
    WriteHeader(v3::OkHttpResponse::kResponseHeadersToAddFieldNumber, name, value, out);
  }
  for (const absl::string_view name : answer.remove) {
    out.Bytes(v3::OkHttpResponse::kHeadersToRemoveFieldNumber, name);
  }
  for (const auto& [name, value] : answer.set) {
    WriteHeader(v3::OkHttpResponse::kHeadersFieldNumber, name, value, out);
  }
  out.Message(v3::CheckResponse::kOkResponseFieldNumber, end);
}

void WriteDenied(const edge::Answer& answer, const edge::Settings& settings, BackwardWriter& out) {
  constexpr int kHeaders = v3::DeniedHttpResponse::kHeadersFieldNumber;
  const size_t end = out.size();
  out.Bytes(v3::DeniedHttpResponse::kBodyFieldNumber, edge::BodyOf(answer));
  for (const auto& [name, value] : settings.security_headers) {
    WriteHeader(kHeaders, name, value, out);
  }
  if (!answer.challenge.empty()) WriteHeader(kHeaders, "www-authenticate", answer.challenge, out);
  WriteHeader(kHeaders, "cache-control", "no-store", out);
  WriteHeader(kHeaders, "content-type", "application/json", out);
  const size_t status = out.size();
  out.Varint(v3::HttpStatus::kCodeFieldNumber, static_cast<uint64_t>(answer.status));
  out.Message(v3::DeniedHttpResponse::kStatusFieldNumber, status);
  out.Message(v3::CheckResponse::kDeniedResponseFieldNumber, end);
}

void WriteStatus(const edge::Answer& answer, BackwardWriter& out) {
  const size_t end = out.size();
  const grpc::StatusCode code = StatusOf(answer.status);
  if (code != grpc::StatusCode::OK) {
    out.Bytes(google::rpc::Status::kMessageFieldNumber, answer.detail);
    out.Varint(google::rpc::Status::kCodeFieldNumber, static_cast<uint64_t>(code));
  }
  out.Message(v3::CheckResponse::kStatusFieldNumber, end);
}

}  // namespace

grpc::ByteBuffer EncodeCheck(const edge::Answer& answer, const edge::Settings& settings,
                             const CheckNotes& notes) {
  thread_local BackwardWriter out;
  out.Clear();
  WriteMetadata(answer, notes, out);
  if (StatusOf(answer.status) == grpc::StatusCode::OK) {
    WriteOk(answer, settings, out);
  } else {
    WriteDenied(answer, settings, out);
  }
  WriteStatus(answer, out);
  const absl::string_view bytes = out.view();
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

}  // namespace gatehouse::frontend
