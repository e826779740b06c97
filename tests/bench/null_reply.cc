#include "tests/bench/null_reply.h"

namespace gatehouse::bench {
namespace {

void Fill(v1::Decision& decision) {
  decision.set_effect(v1::EFFECT_ALLOW);
  decision.set_code(v1::CODE_OK);
  decision.set_http_status(200);
  decision.set_detail("Allowed.");
  decision.set_id("0123456789abcdef01234567");
}

template <typename Reply>
void Fill(Reply& reply) {
  Fill(*reply.mutable_decision());
  v1::Principal& principal = *reply.mutable_principal();
  principal.set_issuer("http://localhost:3000");
  principal.set_subject("benchmark-subject-00000000000000");
  principal.add_roles("user");
  principal.set_session_id("session-000000000000000000000000");
  principal.set_token_id("01234567-89ab-cdef-0123-456789abcdef");
  principal.set_email("ada@example.com");
  principal.mutable_issue_time()->set_seconds(1795216315);
  principal.mutable_expire_time()->set_seconds(1795217215);
  reply.set_revision(1);
  reply.set_store_id("0123456789abcdef0123456789abcdef");
}

void Set(envoy::service::auth::v3::OkHttpResponse& ok, const char* name, const char* value) {
  envoy::service::auth::v3::HeaderValueOption& option = *ok.add_headers();
  option.mutable_header()->set_key(name);
  option.mutable_header()->set_value(value);
  option.mutable_append()->set_value(false);
  option.set_append_action(envoy::service::auth::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
}

}  // namespace

void FillReply(v1::VerifyResponse& reply) { Fill(reply); }
void FillReply(v1::AuthorizeResponse& reply) { Fill(reply); }

void FillReply(v1::BatchAuthorizeResponse& reply, int decisions) {
  Fill(reply);
  reply.clear_decisions();
  for (int i = 0; i < decisions; ++i) Fill(*reply.add_decisions());
}

void FillReply(envoy::service::auth::v3::CheckResponse& reply) {
  reply.mutable_status();
  envoy::service::auth::v3::OkHttpResponse& ok = *reply.mutable_ok_response();
  Set(ok, "x-auth-subject", "benchmark-subject-00000000000000");
  Set(ok, "x-auth-roles", "user");
  ok.add_headers_to_remove("x-auth-tenant");
  auto& metadata = *reply.mutable_dynamic_metadata()->mutable_fields();
  metadata["subject"].set_string_value("benchmark-subject-00000000000000");
  metadata["issuer"].set_string_value("http://localhost:3000");
  metadata["roles"].mutable_list_value()->add_values()->set_string_value("user");
  metadata["route"].set_string_value("/v1/{owner}/kind-025/{id}");
  metadata["decision_id"].set_string_value("0123456789abcdef01234567");
  metadata["code"].set_string_value("OK");
}

}  // namespace gatehouse::bench
