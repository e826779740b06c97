#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "gatehouse/v1/decision.pb.h"
#include "server/engine/trace.h"
#include "server/frontend/wire.h"
#include "server/policy/decision.h"
#include "server/policy/principal.h"
#include "server/revocation/tag.h"

// The one place where a decision becomes what a caller reads. gRPC, HTTP and the
// metrics take names and numbers from the same table, policy::RowOf.
namespace gatehouse::frontend {

v1::Code WireOf(policy::Code code);
v1::Effect EffectOf(policy::Code code);

void FillDecision(policy::Code code, absl::string_view id, v1::Decision& decision);
void FillPrincipal(const policy::Principal& principal, v1::Principal& out);

// A Principal message, serialized: what the engine keeps as KnownToken::rendered.
std::string RenderPrincipal(const policy::Principal& principal);

// What an answer was given by, for those who remember it. Views.
struct Stamp {
  int64_t revision = 0;
  absl::string_view store_id = {};
  absl::string_view rules = {};
  // Not positive: not at all.
  absl::Duration remember_for = absl::ZeroDuration();
  absl::Span<const revocation::Tag> tags = {};
};

// Into a response of any of the questions.
template <typename Response>
void SetStamp(const Stamp& stamp, Response& response) {
  response.set_revision(stamp.revision);
  response.set_store_id(stamp.store_id.data(), stamp.store_id.size());
  response.set_rules(stamp.rules.data(), stamp.rules.size());
  if (stamp.remember_for > absl::ZeroDuration()) {
    SetDuration(stamp.remember_for, *response.mutable_remember_for());
  }
  for (const revocation::Tag& tag : stamp.tags) {
    response.add_tags(tag.bytes.data(), tag.bytes.size());
  }
}

// A VerifyResponse or AuthorizeResponse (they have the same fields), serialized
// without building the message: this is the path of every decision. `rendered` is
// a serialized Principal; empty for none.
grpc::ByteBuffer EncodeReply(policy::Code code, absl::string_view id, absl::string_view rendered,
                             const Stamp& stamp);

// The same fields with the steps of how it came to that: slowly, as a message.
grpc::ByteBuffer EncodeExplained(policy::Code code, absl::string_view id,
                                 absl::string_view rendered, const Stamp& stamp,
                                 const engine::Trace& trace);

// A BatchAuthorizeResponse, serialized as it grows.
class BatchReply {
 public:
  explicit BatchReply(size_t decisions);

  void Add(policy::Code code, absl::string_view id);

  // The whole, with what the token is worth. Once.
  grpc::ByteBuffer Encode(policy::Code code, absl::string_view id, absl::string_view rendered,
                          const Stamp& stamp);

 private:
  std::string decisions_;
};

// Unique names for decisions. Not thread-safe: one for each thread.
class DecisionIds {
 public:
  static constexpr size_t kLength = 24;
  DecisionIds();
  // 24 hexadecimal digits, valid until the next call.
  absl::string_view Next();

 private:
  void Renew();

  char id_[kLength];
  uint32_t count_ = 0;
};

}  // namespace gatehouse::frontend
