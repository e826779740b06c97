#include "server/frontend/authorization_service.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "server/base/log.h"
#include "server/config/callers.h"
#include "server/frontend/decision_notes.h"
#include "server/frontend/question.h"
#include "server/frontend/reply.h"
#include "server/frontend/wire.h"
#include "server/jose/base64url.h"
#include "server/jose/jws.h"

namespace gatehouse::frontend {
namespace {

using config::Right;
using engine::Effort;
using engine::Examination;
using policy::Code;

constexpr int kMaxAppendsOfACaller = 2048;
constexpr int kMaxListsOfACaller = 64;
constexpr int kMaxWaitsOfACaller = 256;
// Each is long work for the store.
constexpr int kMaxImportsOfACaller = 4;
constexpr int kMaxBackupsOfACaller = 1;
constexpr size_t kMaxLoggedId = 256;

// One text for everything that can be wrong: whoever guesses learns nothing.
grpc::Status UnknownCaller() {
  return {grpc::StatusCode::UNAUTHENTICATED,
          "the calling service is unknown: it must send its own token, once, in the metadata "
          "\"authorization: Bearer <token>\", or show a certificate that is known here"};
}

// The claims set of a token that was verified, as it stands in it.
std::string ClaimsOf(absl::string_view token) {
  const auto jws = jose::SplitCompactJws(token);
  return jws.ok() ? jose::DecodeBase64Url(jws->payload).value_or("") : "";
}

}  // namespace

AuthorizationService::AuthorizationService(const Rulesets& rulesets,
                                           revocation::RevocationStore& store,
                                           revocation::ChangeFeed& feed, Metrics& metrics,
                                           const Clock& clock, std::string backups, PeerTrust trust)
    : rulesets_(rulesets),
      store_(store),
      feed_(feed),
      metrics_(metrics),
      clock_(clock),
      backups_(std::move(backups)),
      trust_(std::move(trust)),
      denials_(clock),
      appends_(CallerNumbers::kCapacity, kMaxAppendsOfACaller),
      lists_(CallerNumbers::kCapacity, kMaxListsOfACaller),
      waits_(CallerNumbers::kCapacity, kMaxWaitsOfACaller),
      imports_(CallerNumbers::kCapacity, kMaxImportsOfACaller),
      copies_(CallerNumbers::kCapacity, kMaxBackupsOfACaller) {}

KnownPeer AuthorizationService::Who(grpc::ServerContext& context, const CallerTable& callers,
                                    CallerMemory& memory) const {
  const auto& metadata = context.client_metadata();
  // Which decides alone.
  if (callers.open() || metadata.find("authorization") != metadata.end()) {
    return {.caller = callers.Identify(metadata, memory.tokens),
            .why = "the authorization header is no known caller's token"};
  }
  if (!trust_.certificates()) return IdentifyPeer(callers, trust_, metadata, PeerNames());
  return IdentifyConnection(context.c_call(), callers, trust_, metadata, memory.peers);
}

grpc::Status AuthorizationService::Identify(grpc::ServerContext& context, const Ruleset& rules,
                                            CallerMemory& memory, std::optional<Right> right,
                                            const Caller*& caller) {
  const KnownPeer peer = Who(context, rules.callers, memory);
  caller = peer.caller;
  if (caller == nullptr) {
    int64_t left_out = 0;
    if (denials_.Admit("unknown caller", left_out)) {
      log::Info("refused", {{"reason", "unknown caller"},
                            {"peer", context.peer()},
                            {"why", peer.why},
                            {"spiffe_id", peer.id.substr(0, kMaxLoggedId)},
                            {"dns_name", peer.dns.substr(0, kMaxLoggedId)},
                            {"left_out", left_out}});
    }
    return UnknownCaller();
  }
  if (!right.has_value() || caller->May(*right)) return grpc::Status::OK;
  return RightDenied(*caller, *right);
}

bool AuthorizationService::Admit(UnaryCall& call, std::optional<Right> right) {
  const Caller* caller = nullptr;
  const grpc::Status status =
      Identify(call.context(), call.rules(), call.worker().known_callers, std::nullopt, caller);
  if (!status.ok()) {
    call.Fail(status);
    return false;
  }
  call.set_caller(*caller);
  if (call.IsPastDeadline()) {
    call.Refuse(Refusal::kDeadline);
    return false;
  }
  if (!right.has_value() || caller->May(*right)) return true;
  DenyRight(call, *right);
  return false;
}

void AuthorizationService::DenyRight(UnaryCall& call, Right right) {
  call.Fail(RightDenied(*call.caller(), right));
}

grpc::Status AuthorizationService::RightDenied(const Caller& caller, Right right) {
  const absl::string_view name = config::NameOf(right);
  int64_t left_out = 0;
  if (denials_.Admit(absl::StrCat("no right ", name), left_out)) {
    log::Info("refused", {{"reason", absl::StrCat("no right \"", name, "\"")},
                          {"caller", caller.name},
                          {"left_out", left_out}});
  }
  return {grpc::StatusCode::PERMISSION_DENIED,
          absl::StrCat("caller ", caller.name, " has no right \"", name,
                       "\"; the server's configuration lists its rights under `may`")};
}

bool AuthorizationService::HasRevision(UnaryCall& call, int64_t min_revision,
                                       const std::string& store_id) {
  if (min_revision == 0 && store_id.empty()) return true;
  const auto fail = [&call](const absl::Status& status) {
    call.Fail(ToGrpc(status));
    return false;
  };
  if (min_revision < 0) {
    return fail(absl::InvalidArgumentError("min_revision: must not be negative"));
  }
  if (store_id.empty()) {
    return fail(absl::InvalidArgumentError("store_id: is required with min_revision"));
  }
  if (store_id != store_.store_id()) {
    return fail(absl::FailedPreconditionError(
        "store_id: is that of another store: the revision does not count here"));
  }
  if (min_revision <= feed_.revision()) return true;
  if (call.waited_for_revision()) {
    return fail(absl::UnavailableError(absl::StrCat(
        "min_revision: ", min_revision, " has not come, the store's is ", feed_.revision())));
  }
  call.WaitForRevision(feed_, min_revision, waits_);
  return false;
}

Stamp AuthorizationService::StampOf(const Ruleset& rules, const Examination& examined,
                                    bool with_tags) const {
  Stamp stamp{.revision = examined.revision, .store_id = store_.store_id(), .rules = rules.rules};
  // What is said of other tokens may change with the clock, or with keys to come.
  if (examined.token == nullptr ||
      (examined.code != Code::kOk && examined.code != Code::kInsufficientPermissions &&
       examined.code != Code::kTokenRevoked)) {
    return stamp;
  }
  const absl::Time until = std::min(examined.token->principal.expire_time, examined.until);
  stamp.remember_for = std::min(rules.remember_for, until - examined.now);
  if (with_tags) stamp.tags = examined.token->tags.tags;
  return stamp;
}

bool AuthorizationService::MayExplain(UnaryCall& call) {
  if (!call.caller()->May(Right::kExplain)) {
    DenyRight(call, Right::kExplain);
    return false;
  }
  if (call.effort() == Effort::kFull) return true;
  call.GoCold(ColdWork::Lane::kQuestions);
  return false;
}

bool AuthorizationService::PutOff(UnaryCall& call, const Examination& examined,
                                  ColdWork::Lane lane) {
  switch (examined.kind) {
    case Examination::Kind::kDecided:
      return false;
    case Examination::Kind::kUnknown:
      if (call.effort() == Effort::kFull) {
        call.Fail({grpc::StatusCode::INTERNAL, "the token was not looked at"});
      } else {
        call.GoCold(lane);
      }
      return true;
    case Examination::Kind::kNeedsKeys:
      call.WaitForKeys(*examined.wait_for, lane);
      return true;
    case Examination::Kind::kUnavailable:
      call.Fail(ToGrpc(absl::UnavailableError(examined.reason)));
      return true;
  }
  return true;
}

void AuthorizationService::Answer(UnaryCall& call, const Examination& examined, const Form& form) {
  if (PutOff(call, examined, ColdWork::Lane::kQuestions)) return;
  Worker& worker = call.worker();
  const absl::string_view id = worker.ids.Next();
  std::string with_claims;
  absl::string_view rendered;
  if (form.show_principal && examined.token != nullptr) {
    rendered = examined.token->rendered;
    if (!form.claims_of.empty()) {
      v1::Principal claims;  // appended fields are merged
      claims.set_claims(ClaimsOf(form.claims_of));
      with_claims = absl::StrCat(examined.token->rendered, claims.SerializeAsString());
      rendered = with_claims;
    }
  }
  const absl::string_view method = form.method == Method::kVerify ? "Verify" : "Authorize";
  if (examined.code == Code::kInsufficientPermissions && form.question != nullptr) {
    const DenialLog::ByPolicy denial{.policy = *call.rules().policy, .question = *form.question};
    denials_.Write(method, call.caller()->name, id, examined, &denial);
  } else if (examined.code != Code::kOk) {
    denials_.Write(method, call.caller()->name, id, examined);
  }
  if (AreDecisionsNoted(call.rules())) {
    NoteDecision(call, method, examined,
                 {.code = examined.code,
                  .id = id,
                  .question = form.question,
                  .outcome = "the token is good"},
                 clock_);
  }
  const Stamp stamp = StampOf(call.rules(), examined, form.with_tags);
  const grpc::ByteBuffer reply =
      form.trace == nullptr ? EncodeReply(examined.code, id, rendered, stamp)
                            : EncodeExplained(examined.code, id, rendered, stamp, *form.trace);
  worker.metrics->CountDecision(form.method, examined.code, examined.cache_hit,
                                clock_.SteadyNanos() - call.started_nanos());
  call.Finish(reply);
}

void AuthorizationService::Verify(UnaryCall& call) {
  thread_local v1::VerifyRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  if (!HasRevision(call, request.min_revision(), request.store_id())) return;
  if (request.explain() && !MayExplain(call)) return;
  engine::Trace trace;
  engine::Trace* const wanted = request.explain() ? &trace : nullptr;
  const Examination examined =
      call.rules().authorizer->Examine(request.token(), {.news = call.news(),
                                                         .effort = call.effort(),
                                                         .audiences = call.caller()->audiences,
                                                         .trace = wanted});
  Answer(call, examined,
         {.method = Method::kVerify,
          .show_principal = examined.code == Code::kOk,
          .claims_of =
              request.with_claims() ? absl::string_view(request.token()) : absl::string_view(),
          .trace = wanted,
          .with_tags = request.with_tags()});
}

void AuthorizationService::Authorize(UnaryCall& call) {
  thread_local v1::AuthorizeRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  thread_local QuestionReader reader;
  const absl::StatusOr<policy::Question> question = reader.Read(request);
  if (!question.ok()) return call.Fail(ToGrpc(question.status()));
  if (!HasRevision(call, request.min_revision(), request.store_id())) return;
  if (request.explain() && !MayExplain(call)) return;
  engine::Trace trace;
  engine::Trace* const wanted = request.explain() ? &trace : nullptr;
  const Ruleset& rules = call.rules();
  const Examination examined =
      rules.authorizer->Authorize(request.token(), *rules.policy, *question,
                                  {.news = call.news(),
                                   .effort = call.effort(),
                                   .audiences = call.caller()->audiences,
                                   .trace = wanted});
  const bool token_is_good =
      examined.code == Code::kOk || examined.code == Code::kInsufficientPermissions;
  Answer(call, examined,
         {.method = Method::kAuthorize,
          .show_principal = token_is_good,
          .claims_of = {},
          .trace = wanted,
          .question = &*question,
          .with_tags = request.with_tags()});
}

}  // namespace gatehouse::frontend
