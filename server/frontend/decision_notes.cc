#include "server/frontend/decision_notes.h"

#include <algorithm>

#include "server/frontend/question.h"
#include "server/frontend/shadow.h"

namespace gatehouse::frontend {
namespace {

using policy::Code;

DecidedCall ToDecidedCall(const UnaryCall& call, absl::string_view method,
                          const engine::Examination& examined, const Clock& clock) {
  return {.method = method,
          .caller = call.caller()->name,
          .examined = examined,
          .policy = *call.rules().policy,
          .started_nanos = call.started_nanos(),
          .now_nanos = clock.SteadyNanos()};
}

// The shadow policy, if this call is to be tried by it: it says nothing of tokens.
Shadow* ShadowFor(const UnaryCall& call, const engine::Examination& examined) {
  Shadow* const shadow = call.rules().shadow.get();
  const bool good = examined.code == Code::kOk || examined.code == Code::kInsufficientPermissions;
  return shadow != nullptr && good && shadow->PicksCall() ? shadow : nullptr;
}

void Try(Shadow& shadow, UnaryCall& call, const engine::Examination& examined,
         const Decided& decided) {
  call.worker().metrics->CountShadow(shadow.Try(*call.rules().policy, examined.token->principal,
                                                *decided.question, decided.code, decided.id));
}

}  // namespace

void NoteDecision(UnaryCall& call, absl::string_view method, const engine::Examination& examined,
                  const Decided& decided, const Clock& clock) {
  if (DecisionLog* const log = call.rules().decision_log.get(); log != nullptr) {
    log->Record(ToDecidedCall(call, method, examined, clock), decided);
  }
  if (decided.question == nullptr) return;
  if (Shadow* const shadow = ShadowFor(call, examined); shadow != nullptr) {
    Try(*shadow, call, examined, decided);
  }
}

void BatchAnswers::Add(Code code, absl::string_view id) {
  Answer& answer = answers_.emplace_back();
  answer.code = code;
  std::copy_n(id.begin(), std::min(id.size(), answer.id.size()), answer.id.begin());
}

void BatchAnswers::Note(UnaryCall& call, const v1::BatchAuthorizeRequest& request,
                        const engine::Examination& examined, const Clock& clock) const {
  DecisionLog* const log = call.rules().decision_log.get();
  Shadow* const shadow = ShadowFor(call, examined);
  if (log == nullptr && shadow == nullptr) return;
  const DecidedCall decided_call = ToDecidedCall(call, "BatchAuthorize", examined, clock);
  QuestionReader reader;
  for (size_t i = 0; i < answers_.size(); ++i) {
    const Answer& answer = answers_[i];
    const bool write = log != nullptr && log->Wants(answer.code, decided_call.now_nanos);
    if (!write && shadow == nullptr) continue;
    // Once more: the questions of a batch are not all kept.
    const auto question = reader.Read(request.checks(static_cast<int>(i)));
    if (!question.ok()) continue;
    const Decided decided{
        .code = answer.code, .id = {answer.id.data(), answer.id.size()}, .question = &*question};
    if (write) log->Write(decided_call, decided);
    if (shadow != nullptr) Try(*shadow, call, examined, decided);
  }
}

}  // namespace gatehouse::frontend
