#include "server/frontend/ext_authz_service.h"

#include <optional>
#include <string>

#include "server/base/log.h"
#include "server/edge/outcome.h"
#include "server/frontend/check_reply.h"
#include "server/frontend/check_request.h"
#include "server/frontend/decision_notes.h"
#include "server/frontend/wire.h"

namespace gatehouse::frontend {
namespace {

using engine::Examination;
using policy::Code;

constexpr absl::string_view kMethod = "Check";
constexpr int kAllowed = 200;
constexpr int kBadRequest = 400;

// Who asks, by a token that is good.
const policy::Principal* PrincipalOf(const edge::Answer& answer) {
  const Examination& examined = answer.examined;
  const bool is_good =
      answer.looked_at_token && examined.token != nullptr &&
      (examined.code == Code::kOk || examined.code == Code::kInsufficientPermissions);
  return is_good ? &examined.token->principal : nullptr;
}

absl::string_view RouteOf(const edge::Gate& gate, const edge::Answer& answer) {
  if (answer.route < 0) return {};
  return gate.routes().routes()[static_cast<size_t>(answer.route)].path;
}

// What a thread uses again for the next call.
struct Memory {
  CheckReader reader;
  edge::Gate::Scratch scratch;
};

}  // namespace

grpc::ByteBuffer ExtAuthzService::ReplyTo(const UnaryCall& call, const grpc::Status& status) {
  edge::Answer answer;
  if (status.error_code() == grpc::StatusCode::INVALID_ARGUMENT) {
    answer.status = kBadRequest;
    answer.code = "INVALID_REQUEST";
    answer.detail = "The proxy's question is malformed.";
  } else {
    answer.detail = "No decision could be made: try again.";
  }
  switch (status.error_code()) {
    case grpc::StatusCode::CANCELLED:          // nobody hears the answer
    case grpc::StatusCode::UNAUTHENTICATED:    // whoever does not know the caller has logged it
    case grpc::StatusCode::PERMISSION_DENIED:  // the same
      break;
    default:
      LogReason(call, answer.code, status.error_message(), "");
  }
  return EncodeCheck(answer, call.rules().gate->settings(), {});
}

void ExtAuthzService::Check(UnaryCall& call) {
  thread_local Memory memory;
  const absl::StatusOr<edge::Request> request = memory.reader.Read(call.request());
  if (!request.ok()) return call.Fail(ToGrpc(request.status()));
  const Ruleset& rules = call.rules();
  const edge::Answer answer = rules.gate->Decide(
      *request, *rules.authorizer, *rules.policy,
      {.news = call.news(), .effort = call.effort(), .audiences = call.caller()->audiences},
      memory.scratch);
  Answer(call, *rules.gate, answer);
}

void ExtAuthzService::Answer(UnaryCall& call, const edge::Gate& gate, const edge::Answer& answer) {
  const Examination& examined = answer.examined;
  if (answer.looked_at_token) {
    switch (examined.kind) {
      case Examination::Kind::kUnknown:
        if (call.effort() == engine::Effort::kKnownOnly) {
          return call.GoCold(ColdWork::Lane::kChecks);
        }
        break;  // 503
      case Examination::Kind::kNeedsKeys:
        return call.WaitForKeys(*examined.wait_for, ColdWork::Lane::kChecks);
      case Examination::Kind::kDecided:
      case Examination::Kind::kUnavailable:
        break;
    }
  }
  Worker& worker = call.worker();
  const absl::string_view id = worker.ids.Next();
  const std::optional<Code> code = edge::OutcomeOf(answer);
  if (answer.status != kAllowed) Log(call, answer, id);
  if (code.has_value()) {
    if (AreDecisionsNoted(call.rules())) Note(call, answer, id);
    worker.metrics->CountDecision(
        Method::kCheck, *code,
        answer.looked_at_token ? std::optional<bool>(examined.cache_hit) : std::nullopt,
        clock_.SteadyNanos() - call.started_nanos());
  }
  const grpc::ByteBuffer reply = EncodeCheck(
      answer, gate.settings(),
      {.principal = PrincipalOf(answer), .route = RouteOf(gate, answer), .decision_id = id});
  call.Finish(reply, code.has_value()               ? grpc::StatusCode::OK
                     : answer.status == kBadRequest ? grpc::StatusCode::INVALID_ARGUMENT
                                                    : grpc::StatusCode::UNAVAILABLE);
}

void ExtAuthzService::Log(const UnaryCall& call, const edge::Answer& answer, absl::string_view id) {
  const std::string& caller = call.caller()->name;
  if (answer.reason.empty() && answer.examined.kind == Examination::Kind::kDecided) {
    if (answer.examined.code != Code::kInsufficientPermissions || answer.question == nullptr) {
      return denials_.Write(kMethod, caller, id, answer.examined);
    }
    const DenialLog::ByPolicy by_policy{.policy = *call.rules().policy,
                                        .question = *answer.question};
    return denials_.Write(kMethod, caller, id, answer.examined, &by_policy);
  }
  LogReason(call, answer.code,
            answer.reason.empty() ? absl::string_view(answer.examined.reason) : answer.reason, id);
}

void ExtAuthzService::LogReason(const UnaryCall& call, absl::string_view code,
                                absl::string_view reason, absl::string_view id) {
  int64_t left_out = 0;
  if (!denials_.Admit(reason, left_out)) return;
  log::Info("denied", {{"method", kMethod},
                       {"caller", call.caller() == nullptr ? "" : call.caller()->name},
                       {"code", code},
                       {"reason", reason},
                       {"decision", id},
                       {"left_out", left_out}});
}

void ExtAuthzService::Note(UnaryCall& call, const edge::Answer& answer,
                           absl::string_view id) const {
  // Of who asked without a token, and of what no token could have changed, there is nothing
  // to try anew: the log of denials tells of it.
  if (!answer.looked_at_token) return;
  const bool is_by_token = answer.reason.empty();
  NoteDecision(call, kMethod, answer.examined,
               {.code = *edge::OutcomeOf(answer),
                .id = id,
                .question = is_by_token ? answer.question : nullptr,
                .outcome = is_by_token ? absl::string_view("the token is good") : answer.reason},
               clock_);
}

}  // namespace gatehouse::frontend
