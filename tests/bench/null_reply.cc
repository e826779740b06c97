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

}  // namespace

void FillReply(v1::VerifyResponse& reply) { Fill(reply); }
void FillReply(v1::AuthorizeResponse& reply) { Fill(reply); }

void FillReply(v1::BatchAuthorizeResponse& reply, int decisions) {
  Fill(reply);
  reply.clear_decisions();
  for (int i = 0; i < decisions; ++i) Fill(*reply.add_decisions());
}

}  // namespace gatehouse::bench
