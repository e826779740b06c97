#pragma once

#include "envoy/service/auth/v3/external_auth.pb.h"
#include "gatehouse/v1/authorization_service.pb.h"

namespace gatehouse::bench {

// What the do-nothing servers answer: as many fields and bytes as the real
// server sends for a token of gatehouse-bench-tokens. `gatehouse-load` reports
// the size of the replies, so that scripts/bench can compare the two.
void FillReply(v1::VerifyResponse& reply);
void FillReply(v1::AuthorizeResponse& reply);
// With so many decisions.
void FillReply(v1::BatchAuthorizeResponse& reply, int decisions);
void FillReply(envoy::service::auth::v3::CheckResponse& reply);

}  // namespace gatehouse::bench
