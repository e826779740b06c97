#include "server/frontend/reply.h"

#include <google/protobuf/io/coded_stream.h>
#include <grpc/slice.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>

#include "gatehouse/v1/authorization_service.pb.h"
#include "server/frontend/wire.h"

namespace gatehouse::frontend {
namespace {

using google::protobuf::io::CodedOutputStream;
using policy::Code;

// In the order of policy::Code.
constexpr std::array<v1::Code, policy::kCodes> kWireCodes = {
    v1::CODE_OK,
    v1::CODE_TOKEN_MISSING,
    v1::CODE_TOKEN_INVALID,
    v1::CODE_TOKEN_EXPIRED,
    v1::CODE_TOKEN_REVOKED,
    v1::CODE_INSUFFICIENT_PERMISSIONS,
};

// The key of a field of wire type `type`: one byte for the numbers used here.
constexpr uint8_t Key(int number, int type) { return static_cast<uint8_t>(number << 3 | type); }
constexpr int kVarint = 0;
constexpr int kBytes = 2;

constexpr char kDigits[] = "0123456789abcdef";

// Each code's Decision, serialized but for the id, which is its last field.
const std::array<std::string, policy::kCodes>& DecisionPrefixes() {
  static const auto* const prefixes = [] {
    auto* made = new std::array<std::string, policy::kCodes>;
    for (size_t code = 0; code < policy::kCodes; ++code) {
      v1::Decision decision;
      FillDecision(static_cast<Code>(code), "", decision);
      (*made)[code] = decision.SerializeAsString();
    }
    return made;
  }();
  return *prefixes;
}

size_t BytesFieldSize(size_t length) {
  return 1 + CodedOutputStream::VarintSize64(length) + length;
}

uint8_t* WriteBytesField(int number, absl::string_view value, uint8_t* out) {
  *out++ = Key(number, kBytes);
  out = CodedOutputStream::WriteVarint64ToArray(value.size(), out);
  std::memcpy(out, value.data(), value.size());
  return out + value.size();
}

void AppendField(int number, absl::string_view value, std::string& out) {
  const size_t size = out.size();
  out.resize(size + BytesFieldSize(value.size()));
  WriteBytesField(number, value, reinterpret_cast<uint8_t*>(&out[size]));
}

// An empty text is not sent.
void AppendText(int number, absl::string_view value, std::string& out) {
  if (!value.empty()) AppendField(number, value, out);
}

void AppendTime(int number, absl::Time time, std::string& out) {
  google::protobuf::Timestamp stamp;
  SetTimestamp(time, stamp);
  std::array<uint8_t, 32> bytes{};
  const size_t size = stamp.ByteSizeLong();
  stamp.SerializeWithCachedSizesToArray(bytes.data());
  AppendField(number, {reinterpret_cast<const char*>(bytes.data()), size}, out);
}

// A Duration message, serialized; empty for one that is not positive.
class DurationBytes {
 public:
  explicit DurationBytes(absl::Duration duration) {
    if (duration <= absl::ZeroDuration()) return;
    using google::protobuf::Duration;
    absl::Duration rest;
    const auto seconds =
        static_cast<uint64_t>(absl::IDivDuration(duration, absl::Seconds(1), &rest));
    const auto nanos = static_cast<uint32_t>(absl::ToInt64Nanoseconds(rest));
    uint8_t* out = bytes_.data();
    if (seconds != 0) {
      *out++ = Key(Duration::kSecondsFieldNumber, kVarint);
      out = CodedOutputStream::WriteVarint64ToArray(seconds, out);
    }
    if (nanos != 0) {
      *out++ = Key(Duration::kNanosFieldNumber, kVarint);
      out = CodedOutputStream::WriteVarint32ToArray(nanos, out);
    }
    size_ = static_cast<size_t>(out - bytes_.data());
  }

  absl::string_view view() const { return {reinterpret_cast<const char*>(bytes_.data()), size_}; }

 private:
  std::array<uint8_t, 24> bytes_;
  size_t size_ = 0;
};

}  // namespace

v1::Code WireOf(Code code) { return kWireCodes[static_cast<size_t>(code)]; }

v1::Effect EffectOf(Code code) { return code == Code::kOk ? v1::EFFECT_ALLOW : v1::EFFECT_DENY; }

void FillDecision(Code code, absl::string_view id, v1::Decision& decision) {
  const policy::CodeRow& row = policy::RowOf(code);
  decision.set_effect(EffectOf(code));
  decision.set_code(WireOf(code));
  decision.set_http_status(row.http_status);
  decision.set_detail(std::string(row.detail));
  decision.set_id(std::string(id));
}

void FillPrincipal(const policy::Principal& principal, v1::Principal& out) {
  const auto& p = principal;
  out.set_issuer(p.issuer.data(), p.issuer.size());
  out.set_subject(p.subject.data(), p.subject.size());
  out.set_tenant(p.tenant.data(), p.tenant.size());
  for (const absl::string_view role : p.roles) out.add_roles(role.data(), role.size());
  for (const absl::string_view scope : p.scopes) out.add_scopes(scope.data(), scope.size());
  out.set_session_id(p.session_id.data(), p.session_id.size());
  out.set_token_id(p.token_id.data(), p.token_id.size());
  out.set_client_id(p.client_id.data(), p.client_id.size());
  out.set_email(p.email.data(), p.email.size());
  if (p.issue_time.has_value()) SetTimestamp(*p.issue_time, *out.mutable_issue_time());
  SetTimestamp(p.expire_time, *out.mutable_expire_time());
}

std::string RenderPrincipal(const policy::Principal& principal) {
  using P = v1::Principal;
  const policy::Principal& p = principal;
  std::string out;
  out.reserve(256);
  AppendText(P::kIssuerFieldNumber, p.issuer, out);
  AppendText(P::kSubjectFieldNumber, p.subject, out);
  AppendText(P::kTenantFieldNumber, p.tenant, out);
  for (const absl::string_view role : p.roles) AppendField(P::kRolesFieldNumber, role, out);
  for (const absl::string_view scope : p.scopes) AppendField(P::kScopesFieldNumber, scope, out);
  AppendText(P::kSessionIdFieldNumber, p.session_id, out);
  AppendText(P::kTokenIdFieldNumber, p.token_id, out);
  AppendText(P::kClientIdFieldNumber, p.client_id, out);
  AppendText(P::kEmailFieldNumber, p.email, out);
  if (p.issue_time.has_value()) AppendTime(P::kIssueTimeFieldNumber, *p.issue_time, out);
  AppendTime(P::kExpireTimeFieldNumber, p.expire_time, out);
  return out;
}

grpc::ByteBuffer EncodeReply(Code code, absl::string_view id, absl::string_view rendered,
                             const Stamp& stamp) {
  using Response = v1::VerifyResponse;
  using Other = v1::AuthorizeResponse;
  static_assert(int{Response::kDecisionFieldNumber} == int{Other::kDecisionFieldNumber});
  static_assert(int{Response::kPrincipalFieldNumber} == int{Other::kPrincipalFieldNumber});
  static_assert(int{Response::kRevisionFieldNumber} == int{Other::kRevisionFieldNumber});
  static_assert(int{Response::kStoreIdFieldNumber} == int{Other::kStoreIdFieldNumber});
  static_assert(int{Response::kRulesFieldNumber} == int{Other::kRulesFieldNumber});
  static_assert(int{Response::kRememberForFieldNumber} == int{Other::kRememberForFieldNumber});
  static_assert(int{Response::kTagsFieldNumber} == int{Other::kTagsFieldNumber});
  static const auto& prefixes = DecisionPrefixes();
  const std::string& prefix = prefixes[static_cast<size_t>(code)];
  const size_t decision_size = prefix.size() + BytesFieldSize(id.size());
  const auto unsigned_revision = static_cast<uint64_t>(stamp.revision);
  const DurationBytes remember_for(stamp.remember_for);

  size_t size = BytesFieldSize(decision_size) + BytesFieldSize(stamp.store_id.size()) + 1 +
                CodedOutputStream::VarintSize64(unsigned_revision) +
                stamp.tags.size() * BytesFieldSize(sizeof(revocation::Tag::bytes));
  if (!rendered.empty()) size += BytesFieldSize(rendered.size());
  if (!stamp.rules.empty()) size += BytesFieldSize(stamp.rules.size());
  if (!remember_for.view().empty()) size += BytesFieldSize(remember_for.view().size());

  grpc_slice slice = grpc_slice_malloc(size);
  uint8_t* out = GRPC_SLICE_START_PTR(slice);
  *out++ = Key(Response::kDecisionFieldNumber, kBytes);
  out = CodedOutputStream::WriteVarint64ToArray(decision_size, out);
  out = std::copy(prefix.begin(), prefix.end(), out);
  out = WriteBytesField(v1::Decision::kIdFieldNumber, id, out);
  if (!rendered.empty()) out = WriteBytesField(Response::kPrincipalFieldNumber, rendered, out);
  *out++ = Key(Response::kRevisionFieldNumber, kVarint);
  out = CodedOutputStream::WriteVarint64ToArray(unsigned_revision, out);
  out = WriteBytesField(Response::kStoreIdFieldNumber, stamp.store_id, out);
  if (!stamp.rules.empty()) out = WriteBytesField(Response::kRulesFieldNumber, stamp.rules, out);
  if (!remember_for.view().empty()) {
    out = WriteBytesField(Response::kRememberForFieldNumber, remember_for.view(), out);
  }
  for (const revocation::Tag& tag : stamp.tags) {
    out = WriteBytesField(Response::kTagsFieldNumber,
                          {reinterpret_cast<const char*>(tag.bytes.data()), tag.bytes.size()}, out);
  }

  const grpc::Slice owned(slice, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&owned, 1);
}

grpc::ByteBuffer EncodeExplained(Code code, absl::string_view id, absl::string_view rendered,
                                 const Stamp& stamp, const engine::Trace& trace) {
  v1::VerifyResponse response;
  FillDecision(code, id, *response.mutable_decision());
  for (const engine::Step& step : trace) {
    v1::Step& out = *response.mutable_decision()->add_explanation();
    out.set_name(std::string(step.name));
    out.set_passed(step.passed);
    out.set_detail(step.detail);
  }
  if (!rendered.empty()) response.mutable_principal()->ParseFromString(std::string(rendered));
  SetStamp(stamp, response);
  return Serialize(response);
}

BatchReply::BatchReply(size_t decisions) { decisions_.reserve(decisions * 64); }

void BatchReply::Add(Code code, absl::string_view id) {
  static const auto& prefixes = DecisionPrefixes();
  const std::string& prefix = prefixes[static_cast<size_t>(code)];
  const size_t size = prefix.size() + BytesFieldSize(id.size());
  const size_t before = decisions_.size();
  decisions_.resize(before + BytesFieldSize(size));
  auto* out = reinterpret_cast<uint8_t*>(&decisions_[before]);
  *out++ = Key(v1::BatchAuthorizeResponse::kDecisionsFieldNumber, kBytes);
  out = CodedOutputStream::WriteVarint64ToArray(size, out);
  out = std::copy(prefix.begin(), prefix.end(), out);
  WriteBytesField(v1::Decision::kIdFieldNumber, id, out);
}

grpc::ByteBuffer BatchReply::Encode(Code code, absl::string_view id, absl::string_view rendered,
                                    const Stamp& stamp) {
  v1::BatchAuthorizeResponse rest;
  FillDecision(code, id, *rest.mutable_decision());
  if (!rendered.empty()) rest.mutable_principal()->ParseFromString(std::string(rendered));
  SetStamp(stamp, rest);
  rest.AppendToString(&decisions_);  // fields may stand in any order
  const grpc::Slice slice(decisions_.data(), decisions_.size());
  return grpc::ByteBuffer(&slice, 1);
}

DecisionIds::DecisionIds() { Renew(); }

void DecisionIds::Renew() {
  std::random_device random;
  for (char& digit : id_) digit = kDigits[random() & 15];
}

absl::string_view DecisionIds::Next() {
  uint32_t count = count_++;
  if (count == 0) Renew();
  for (size_t i = kLength; i > kLength - 8; --i) {
    id_[i - 1] = kDigits[count & 15];
    count >>= 4;
  }
  return {id_, kLength};
}

}  // namespace gatehouse::frontend
