// The methods of AuthorizationService that answer about many things at once.

#include <string>

#include "absl/strings/str_cat.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "server/frontend/authorization_service.h"
#include "server/frontend/decision_notes.h"
#include "server/frontend/filter_reply.h"
#include "server/frontend/question.h"
#include "server/frontend/reply.h"
#include "server/frontend/wire.h"

namespace gatehouse::frontend {
namespace {

using engine::Examination;
using policy::Code;

constexpr int kMaxChecks = 1000;

}  // namespace

void AuthorizationService::BatchAuthorize(UnaryCall& call) {
  thread_local v1::BatchAuthorizeRequest request;
  thread_local QuestionReader reader;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  if (request.checks_size() > kMaxChecks) {
    return call.Fail(ToGrpc(absl::InvalidArgumentError(
        absl::StrCat("checks: ", request.checks_size(), " are more than ", kMaxChecks))));
  }
  if (!HasRevision(call, request.min_revision(), request.store_id())) return;
  const Ruleset& rules = call.rules();
  const Examination examined = rules.authorizer->Examine(
      request.token(),
      {.news = call.news(), .effort = call.effort(), .audiences = call.caller()->audiences});
  if (PutOff(call, examined, ColdWork::Lane::kQuestions)) return;
  const bool is_good = examined.code == Code::kOk;
  Worker& worker = call.worker();
  BatchReply reply(static_cast<size_t>(request.checks_size()));
  BatchDenials denials;
  // What is noted is noted when all checks were questions: only then were they answered.
  const auto answer_each = [&](const auto& also) -> absl::Status {
    for (int i = 0; i < request.checks_size(); ++i) {
      const absl::StatusOr<policy::Question> question = reader.Read(request.checks(i));
      if (!question.ok()) {
        return absl::InvalidArgumentError(
            absl::StrCat("checks[", i, "].", question.status().message()));
      }
      const Code code =
          is_good ? rules.policy->Decide(examined.token->principal, *question) : examined.code;
      const absl::string_view id = worker.ids.Next();
      reply.Add(code, id);
      if (code == Code::kInsufficientPermissions && ++denials.count == 1) {
        denials.first = i;
        denials.first_id = std::string(id);
      }
      also(code, id);
    }
    return absl::OkStatus();
  };
  thread_local BatchAnswers answers;
  const bool noted = AreDecisionsNoted(rules);
  answers.Clear();
  const absl::Status answered =
      noted ? answer_each([](Code code, absl::string_view id) { answers.Add(code, id); })
            : answer_each([](Code /*code*/, absl::string_view /*id*/) {});
  if (!answered.ok()) return call.Fail(ToGrpc(answered));
  if (noted) answers.Note(call, request, examined, clock_);
  const absl::string_view id = worker.ids.Next();
  WriteDenials(call, request, examined, id, denials);
  const auto denied = static_cast<uint64_t>(denials.count);
  worker.metrics->CountChecks(Code::kInsufficientPermissions, denied);
  worker.metrics->CountChecks(examined.code, static_cast<uint64_t>(request.checks_size()) - denied);
  worker.metrics->CountDecision(Method::kBatchAuthorize, examined.code, examined.cache_hit,
                                clock_.SteadyNanos() - call.started_nanos());
  call.Finish(reply.Encode(examined.code, id, is_good ? examined.token->rendered : "",
                           StampOf(rules, examined, request.with_tags())));
}

void AuthorizationService::WriteDenials(UnaryCall& call, const v1::BatchAuthorizeRequest& request,
                                        const Examination& examined, absl::string_view id,
                                        const BatchDenials& denials) {
  constexpr absl::string_view kMethod = "BatchAuthorize";
  const std::string& caller = call.caller()->name;
  if (examined.code != Code::kOk) return denials_.Write(kMethod, caller, id, examined);
  if (denials.count == 0) return;
  // Once more: the questions of a batch are not all kept.
  QuestionReader reader;
  const auto question = reader.Read(request.checks(denials.first));
  if (!question.ok()) return;
  const DenialLog::ByPolicy by_policy{
      .policy = *call.rules().policy, .question = *question, .denials = denials.count};
  denials_.Write(kMethod, caller, denials.first_id, examined, &by_policy);
}

void AuthorizationService::Filter(UnaryCall& call) {
  v1::FilterRequest request;
  if (const absl::Status status = Parse(call.request(), request); !status.ok()) {
    return call.Fail(ToGrpc(status));
  }
  // As of a resource of this type, so that both take the same.
  const std::string resource = absl::StrCat(request.resource_type(), "/1");
  if (const absl::Status status =
          policy::CheckQuestion({.resource = resource, .action = request.action()});
      !status.ok() || request.resource_type().find('/') != std::string::npos) {
    return call.Fail(ToGrpc(absl::InvalidArgumentError(
        "resource_type, action: resource_type must be the part of a resource before its first "
        "slash, and neither may hold control characters or over 4 KiB")));
  }
  if (!HasRevision(call, request.min_revision(), request.store_id())) return;
  const Ruleset& rules = call.rules();
  const Examination examined = rules.authorizer->Examine(
      request.token(),
      {.news = call.news(), .effort = call.effort(), .audiences = call.caller()->audiences});
  if (PutOff(call, examined, ColdWork::Lane::kQuestions)) return;
  v1::FilterResponse response;
  Examination answer = examined;
  absl::string_view outcome;
  if (examined.code == Code::kOk) {
    const policy::Policy& policy = *rules.policy;
    const policy::Expression filter =
        policy.Filter(examined.token->principal, request.resource_type(), request.action());
    if (filter.is(policy::Truth::kFalse)) {
      answer.code = Code::kInsufficientPermissions;
      answer.reason = "no row can be selected";
    }
    if (const absl::Status status =
            FillFilter(filter, policy.TableOf(request.resource_type()), *response.mutable_filter());
        !status.ok()) {
      return call.Fail(ToGrpc(status));
    }
    response.mutable_principal()->ParseFromString(std::string(examined.token->rendered));
    outcome = answer.code != Code::kOk          ? absl::string_view(answer.reason)
              : filter.is(policy::Truth::kTrue) ? "every row"
                                                : "some rows";
  }
  const absl::string_view id = call.worker().ids.Next();
  if (answer.code != Code::kOk) denials_.Write("Filter", call.caller()->name, id, answer);
  if (AreDecisionsNoted(rules)) {
    NoteDecision(call, "Filter", answer,
                 {.code = answer.code,
                  .id = id,
                  .resource_type = request.resource_type(),
                  .action = request.action(),
                  .outcome = outcome},
                 clock_);
  }
  FillDecision(answer.code, id, *response.mutable_decision());
  SetStamp(StampOf(rules, answer, request.with_tags()), response);
  call.worker().metrics->CountDecision(Method::kFilter, answer.code, answer.cache_hit,
                                       clock_.SteadyNanos() - call.started_nanos());
  call.Finish(Serialize(response));
}

}  // namespace gatehouse::frontend
