#include "server/frontend/authorization_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"
#include "server/frontend/reply.h"
#include "server/frontend/wire.h"
#include "server/jose/base64url.h"
#include "server/jose/jws.h"

namespace gatehouse::frontend {
namespace {

using engine::Examination;
using policy::Code;
using revocation::NewFact;

// Until callers are told apart, nobody is anybody.
constexpr char kActor[] = "anonymous";

// The claims set of a token that was verified, as it stands in it.
std::string ClaimsOf(absl::string_view token) {
  const auto jws = jose::SplitCompactJws(token);
  return jws.ok() ? jose::DecodeBase64Url(jws->payload).value_or("") : "";
}

absl::StatusOr<NewFact> ToFact(const engine::Revoker& revoker, const v1::RevokeRequest& request) {
  engine::Revoker::Note note{kActor, request.reason()};
  switch (request.target_case()) {
    case v1::RevokeRequest::kTokenId:
      return revoker.TokenId(request.token_id().issuer(), request.token_id().token_id(),
                             std::move(note));
    case v1::RevokeRequest::kSession:
      return revoker.Session(request.session().issuer(), request.session().session_id(),
                             std::move(note));
    case v1::RevokeRequest::kSubject: {
      std::optional<absl::Time> issued_until;
      if (request.subject().has_issued_until()) {
        GH_ASSIGN_OR_RETURN(
            issued_until, FromTimestamp(request.subject().issued_until(), "subject.issued_until"));
      }
      return revoker.Subject(request.subject().issuer(), request.subject().subject(), issued_until,
                             std::move(note));
    }
    case v1::RevokeRequest::kToken:
    case v1::RevokeRequest::TARGET_NOT_SET:
      break;
  }
  return absl::InvalidArgumentError(
      "target: is not set; give one of token, token_id, session, subject");
}

}  // namespace

void AuthorizationService::Answer(UnaryCall& call, Method method, const Examination& examined,
                                  bool show_principal, absl::string_view claims_of) {
  switch (examined.kind) {
    case Examination::Kind::kUnknown:
      return call.Fail({grpc::StatusCode::INTERNAL, "the token was not looked at"});
    case Examination::Kind::kNeedsKeys:
      call.WaitForKeys(*examined.wait_for);
      return;
    case Examination::Kind::kUnavailable:
      call.Fail(ToGrpc(absl::UnavailableError(examined.reason)));
      return;
    case Examination::Kind::kDecided:
      break;
  }
  Worker& worker = call.worker();
  const absl::string_view id = worker.ids.Next();
  std::string with_claims;
  absl::string_view rendered;
  if (show_principal && examined.token != nullptr) {
    rendered = examined.token->rendered;
    if (!claims_of.empty()) {
      v1::Principal claims;  // appended fields are merged
      claims.set_claims(ClaimsOf(claims_of));
      with_claims = absl::StrCat(examined.token->rendered, claims.SerializeAsString());
      rendered = with_claims;
    }
  }
  if (examined.code != Code::kOk) {
    denials_.Write(method == Method::kVerify ? "Verify" : "Authorize", id, examined);
  }
  const grpc::ByteBuffer reply =
      EncodeReply(examined.code, id, rendered, examined.revision, store_.store_id());
  worker.metrics->CountDecision(method, examined.code, examined.cache_hit,
                                clock_.SteadyNanos() - call.started_nanos());
  call.Finish(reply);
}

void AuthorizationService::Verify(UnaryCall& call) {
  thread_local v1::VerifyRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const Examination examined = authorizer_.Examine(request.token(), {.news = call.news()});
  Answer(call, Method::kVerify, examined, examined.code == Code::kOk,
         request.with_claims() ? absl::string_view(request.token()) : absl::string_view());
}

void AuthorizationService::Authorize(UnaryCall& call) {
  thread_local v1::AuthorizeRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const policy::Question question{request.resource(), request.owner(), request.action(),
                                  request.tenant()};
  if (const absl::Status status = policy::CheckQuestion(question); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const Examination examined = authorizer_.Authorize(request.token(), question, {.news = call.news()});
  const bool token_is_good =
      examined.code == Code::kOk || examined.code == Code::kInsufficientPermissions;
  Answer(call, Method::kAuthorize, examined, token_is_good, {});
}

void AuthorizationService::Revoke(UnaryCall& call) {
  v1::RevokeRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  absl::StatusOr<NewFact> fact;
  if (request.target_case() == v1::RevokeRequest::kToken) {
    const Examination examined = authorizer_.Examine(request.token(), {.news = call.news()});
    if (examined.kind == Examination::Kind::kNeedsKeys) {
      return call.WaitForKeys(*examined.wait_for);
    }
    if (examined.kind == Examination::Kind::kUnavailable) {
      return call.Fail(ToGrpc(absl::UnavailableError(examined.reason)));
    }
    fact = revoker_.Token(examined, {kActor, request.reason()});
  } else {
    fact = ToFact(revoker_, request);
  }
  if (!fact.ok()) return call.Fail(ToGrpc(fact.status()));

  // Ends on the store's thread; nothing here is touched after Append.
  call.Defer();
  store_.Append(*std::move(fact), [this, &call](absl::StatusOr<revocation::AppendResult> result) {
    if (!result.ok()) {
      metrics_.CountFailedRevocation();
      int64_t left_out = 0;
      if (denials_.Admit("revocation failed", left_out)) {
        log::Error("revocation failed",
                   {{"reason", std::string(result.status().message())}, {"left_out", left_out}});
      }
      return call.Fail(ToGrpc(result.status()));
    }
    metrics_.CountRevocation(result->existed);
    int64_t left_out = 0;
    if (denials_.Admit("revoked", left_out)) {
      log::Info("revoked", {{"id", result->fact.id},
                            {"issuer", result->fact.issuer},
                            {"actor", result->fact.actor},
                            {"reason", result->fact.reason},
                            {"revision", result->fact.revision},
                            {"existed", result->existed ? "yes" : "no"},
                            {"left_out", left_out}});
    }
    v1::RevokeResponse response;
    FillRevocation(result->fact, *response.mutable_revocation());
    response.set_revision(result->revision);
    response.set_store_id(store_.store_id());
    call.Finish(Serialize(response));
  });
}

void AuthorizationService::ListRevocations(UnaryCall& call) {
  v1::ListRevocationsRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  const absl::StatusOr<revocation::ListQuery> query = ToQuery(request);
  if (!query.ok()) return call.Fail(ToGrpc(query.status()));

  call.Defer();
  store_.List(*query, [this, &call](absl::StatusOr<revocation::ListResult> result) {
    if (!result.ok()) return call.Fail(ToGrpc(result.status()));
    v1::ListRevocationsResponse response;
    for (const revocation::Fact& fact : result->facts) {
      FillRevocation(fact, *response.add_revocations());
    }
    if (result->more) {
      response.set_next_page_token(PageToken(result->facts.back().revision));
    }
    response.set_revision(result->revision);
    response.set_store_id(store_.store_id());
    call.Finish(Serialize(response));
  });
}

}  // namespace gatehouse::frontend
