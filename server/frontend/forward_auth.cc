#include "server/frontend/forward_auth.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "server/base/log.h"
#include "server/edge/outcome.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/shadow.h"

namespace gatehouse::frontend {
namespace {

using Dialect = config::ForwardAuth::Dialect;
using engine::Examination;
using policy::Code;

constexpr absl::string_view kMethod = "ForwardAuth";
constexpr absl::string_view kCaller = "x-gatehouse-caller";
// How long a proxy waits nobody says.
constexpr int64_t kWaitNanos = 100'000'000;

constexpr int kAllowed = 200;
constexpr int kBadRequest = 400;
constexpr int kUnavailable = 503;
constexpr absl::string_view kUndecided = "No decision could be made: try again.";

// Method, target and host.
using Names = std::array<absl::string_view, 3>;

constexpr Names NamesOf(Dialect dialect) {
  if (dialect == Dialect::kNginx) {
    return {"x-original-method", "x-original-uri", "x-original-host"};
  }
  return {"x-forwarded-method", "x-forwarded-uri", "x-forwarded-host"};
}

// Whether `sent` may be read as `name`, which is in lower case.
bool IsLike(absl::string_view sent, absl::string_view name) {
  return sent.size() == name.size() &&
         std::equal(sent.begin(), sent.end(), name.begin(), [](char a, char b) {
           return (a == '_' ? '-' : absl::ascii_tolower(static_cast<unsigned char>(a))) == b;
         });
}

bool HasAny(const HttpRequest& request, absl::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [name](const auto& one) { return IsLike(one.first, name); });
}

// The value of the one header that may be read as `name`.
std::optional<absl::string_view> OnlyOne(const HttpRequest& request, absl::string_view name) {
  std::optional<absl::string_view> found;
  for (const auto& [sent, value] : request.headers) {
    if (!IsLike(sent, name)) continue;
    if (found.has_value() || sent.find('_') != std::string::npos) return std::nullopt;
    found = value;
  }
  return found;
}

}  // namespace

// One request, until it is answered.
struct ForwardAuth::Ask {
  HttpRequest request;
  HttpCall call;
  std::shared_ptr<const Ruleset> rules;  // in force when it came
  const Caller* caller = nullptr;        // of `rules`
  int64_t started_nanos = 0;
  std::vector<edge::Header> headers;  // views into `request`
  edge::Request asked;
};

ForwardAuth::ForwardAuth(const config::ForwardAuth& options, const Rulesets& rulesets,
                         HttpWaits& waits, Metrics& metrics, const Clock& clock)
    : options_(options),
      metrics_(*metrics.AddThread()),
      clock_(clock),
      rules_(rulesets),
      denials_(clock),
      later_(waits, metrics_, clock) {}

void ForwardAuth::Send(const Ask& ask, const edge::Answer& answer) {
  HttpReply reply{.status = answer.status, .content_type = ""};
  if (answer.status == kAllowed) {
    for (const auto& [name, value] : answer.set) reply.headers.emplace_back(name, value);
  } else {
    reply.content_type = "application/json";
    reply.body = edge::BodyOf(answer);
    if (!answer.challenge.empty()) reply.headers.emplace_back("WWW-Authenticate", answer.challenge);
    if (answer.status == kUnavailable) reply.headers.emplace_back("Retry-After", "1");
  }
  ask.call.reply(std::move(reply));
}

void ForwardAuth::LogReason(const Ask& ask, absl::string_view code, absl::string_view reason,
                            absl::string_view id) {
  int64_t left_out = 0;
  if (!denials_.Admit(reason, left_out)) return;
  log::Info("denied", {{"method", kMethod},
                       {"caller", ask.caller == nullptr ? "" : ask.caller->name},
                       {"code", code},
                       {"reason", reason},
                       {"decision", id},
                       {"left_out", left_out}});
}

void ForwardAuth::Fail(const Ask& ask, int status, absl::string_view code, absl::string_view detail,
                       absl::string_view reason) {
  LogReason(ask, code, reason, "");
  metrics_.CountFailure(Method::kForwardAuth);
  metrics_.CountCall(
      ask.caller == nullptr ? ThreadMetrics::kUnknownCaller : ask.caller->number,
      status == kBadRequest ? grpc::StatusCode::INVALID_ARGUMENT : grpc::StatusCode::UNAVAILABLE);
  Send(ask, {.status = status, .code = code, .detail = detail});
}

void ForwardAuth::FailCaller(const Ask& ask, absl::string_view reason) {
  constexpr absl::string_view kCode = "UNAVAILABLE";
  LogReason(ask, kCode, reason, "");
  metrics_.CountFailure(Method::kForwardAuth);
  if (ask.caller == nullptr) {
    metrics_.CountCall(ThreadMetrics::kUnknownCaller, grpc::StatusCode::UNAUTHENTICATED);
  } else {
    metrics_.CountCall(ask.caller->number, grpc::StatusCode::PERMISSION_DENIED);
  }
  Send(ask, {.status = kUnavailable, .code = kCode, .detail = kUndecided});
}

bool ForwardAuth::Identify(Ask& ask) {
  const CallerTable& callers = ask.rules->callers;
  if (callers.open()) {
    ask.caller = callers.callers().data();
  } else if (!options_.caller.empty()) {
    ask.caller = callers.FindByName(options_.caller);
  } else {
    const auto token = OnlyOne(ask.request, kCaller);
    if (!token.has_value() && HasAny(ask.request, kCaller)) {
      Fail(ask, kBadRequest, "INVALID_REQUEST",
           "The proxy must send its token once, in X-Gatehouse-Caller.",
           "X-Gatehouse-Caller was sent twice, or with an underscore");
      return false;
    }
    if (token.has_value()) ask.caller = callers.FindByToken(*token, known_callers_);
  }
  if (ask.caller != nullptr && ask.caller->May(config::Right::kCheck)) return true;
  FailCaller(ask, ask.caller == nullptr ? "unknown caller" : "no right \"check\"");
  return false;
}

bool ForwardAuth::Read(Ask& ask) {
  const Names names = NamesOf(options_.dialect);
  std::array<std::optional<absl::string_view>, 3> values;
  for (size_t i = 0; i < names.size(); ++i) {
    values[i] = OnlyOne(ask.request, names[i]);
    if (values[i].has_value()) continue;
    Fail(ask, kBadRequest, "INVALID_REQUEST",
         "The proxy must say once of each what the request's method, path and host are.",
         "a header of the dialect's is missing, or sent twice");
    return false;
  }
  ask.headers.reserve(ask.request.headers.size());
  for (const auto& [name, value] : ask.request.headers) {
    const absl::string_view sent = name;
    const bool own = IsLike(sent, kCaller) ||
                     std::any_of(names.begin(), names.end(),
                                 [sent](absl::string_view one) { return IsLike(sent, one); });
    if (!own) ask.headers.push_back({.name = name, .value = value});
  }
  ask.asked = {.method = *values[0],
               .host = *values[2],
               .target = *values[1],
               .headers = ask.headers,
               .can_remove_headers = false};
  return true;
}

void ForwardAuth::Answer(HttpRequest request, HttpCall call) {
  auto ask = std::make_shared<Ask>();
  ask->request = std::move(request);
  ask->call = std::move(call);
  ask->rules = rules_.Current();
  ask->started_nanos = clock_.SteadyNanos();
  if (Identify(*ask) && Read(*ask)) Run(ask, {});
}

void ForwardAuth::Run(const std::shared_ptr<Ask>& ask, const HttpLater::Turn& turn) {
  const Ruleset& rules = *ask->rules;
  if (turn.hopeless) {
    return Fail(*ask, kUnavailable, "UNAVAILABLE", kUndecided,
                "too many requests at once, or the issuer's keys are not at hand");
  }
  const edge::Answer answer = rules.gate->Decide(
      ask->asked, *rules.authorizer, *rules.policy,
      {.news = turn.news, .effort = turn.effort, .audiences = ask->caller->audiences}, scratch_);
  const Examination& examined = answer.examined;
  if (answer.looked_at_token && examined.kind != Examination::Kind::kDecided) {
    return later_.PutOff(examined, turn,
                         {.lane = ColdWork::Lane::kQuestions,
                          .caller = ask->caller->number,
                          .until_nanos = ask->started_nanos + kWaitNanos},
                         ask->call.loop,
                         [this, ask](const HttpLater::Turn& next) { Run(ask, next); });
  }
  Decided(*ask, answer);
}

void ForwardAuth::Decided(const Ask& ask, const edge::Answer& answer) {
  const absl::string_view id = ids_.Next();
  const std::optional<Code> code = edge::OutcomeOf(answer);
  if (answer.status != kAllowed) Log(ask, answer, id);
  if (code.has_value()) {
    Note(ask, answer, *code, id);
    metrics_.CountDecision(
        Method::kForwardAuth, *code,
        answer.looked_at_token ? std::optional<bool>(answer.examined.cache_hit) : std::nullopt,
        clock_.SteadyNanos() - ask.started_nanos);
  } else {
    metrics_.CountFailure(Method::kForwardAuth);
  }
  metrics_.CountCall(ask.caller->number, code.has_value() ? grpc::StatusCode::OK
                                         : answer.status == kBadRequest
                                             ? grpc::StatusCode::INVALID_ARGUMENT
                                             : grpc::StatusCode::UNAVAILABLE);
  Send(ask, answer);
}

void ForwardAuth::Log(const Ask& ask, const edge::Answer& answer, absl::string_view id) {
  const std::string& caller = ask.caller->name;
  const Examination& examined = answer.examined;
  if (!answer.reason.empty() || !answer.looked_at_token) {
    return LogReason(ask, answer.code, answer.reason, id);
  }
  if (examined.code != Code::kInsufficientPermissions || answer.question == nullptr) {
    return denials_.Write(kMethod, caller, id, examined);
  }
  const DenialLog::ByPolicy by_policy{.policy = *ask.rules->policy, .question = *answer.question};
  denials_.Write(kMethod, caller, id, examined, &by_policy);
}

void ForwardAuth::Note(const Ask& ask, const edge::Answer& answer, Code code,
                       absl::string_view id) {
  // Of who asked without a token, and of what no token could have changed, there is nothing
  // to try anew: the log of denials tells of it.
  if (!answer.looked_at_token) return;
  const Ruleset& rules = *ask.rules;
  const bool by_token = answer.reason.empty();
  const policy::Question* const question = by_token ? answer.question : nullptr;
  if (DecisionLog* const log = rules.decision_log.get(); log != nullptr) {
    log->Record({.method = kMethod,
                 .caller = ask.caller->name,
                 .examined = answer.examined,
                 .policy = *rules.policy,
                 .started_nanos = ask.started_nanos,
                 .now_nanos = clock_.SteadyNanos()},
                {.code = code,
                 .id = id,
                 .question = question,
                 .outcome = by_token ? absl::string_view("the token is good") : answer.reason});
  }
  const bool is_good = code == Code::kOk || code == Code::kInsufficientPermissions;
  Shadow* const shadow = rules.shadow.get();
  if (question == nullptr || !is_good || shadow == nullptr || !shadow->PicksCall()) return;
  metrics_.CountShadow(
      shadow->Try(*rules.policy, answer.examined.token->principal, *question, code, id));
}

}  // namespace gatehouse::frontend
