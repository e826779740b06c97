#include "server/frontend/oauth.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/json_writer.h"
#include "server/base/log.h"
#include "server/config/callers.h"
#include "server/frontend/client_auth.h"
#include "server/frontend/decision_log.h"
#include "server/frontend/form.h"
#include "server/frontend/introspection.h"

namespace gatehouse::frontend {
namespace {

using config::Right;
using engine::Examination;
using policy::Code;
using Form = std::vector<std::pair<std::string, std::string>>;

constexpr absl::string_view kIntrospect = "/oauth/introspect";
constexpr absl::string_view kRevoke = "/oauth/revoke";
// HTTP says no deadline. Less than most clients wait.
constexpr int64_t kWaitNanos = 2'000'000'000;

HttpReply Json(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

// As gatehouse_calls_total has it.
grpc::StatusCode StatusOf(int http_status) {
  switch (http_status) {
    case 200:
      return grpc::StatusCode::OK;
    case 401:
      return grpc::StatusCode::UNAUTHENTICATED;
    case 403:
      return grpc::StatusCode::PERMISSION_DENIED;
    case 503:
      return grpc::StatusCode::UNAVAILABLE;
    default:
      return grpc::StatusCode::INVALID_ARGUMENT;
  }
}

// Of "application/x-www-form-urlencoded; charset=utf-8".
bool IsForm(const HttpRequest& request) {
  int types = 0;
  bool is_form = false;
  for (const auto& [name, value] : request.headers) {
    if (!absl::EqualsIgnoreCase(name, "content-type")) continue;
    ++types;
    const absl::string_view type = absl::string_view(value).substr(0, value.find(';'));
    is_form = absl::EqualsIgnoreCase(absl::StripAsciiWhitespace(type),
                                     "application/x-www-form-urlencoded");
  }
  return types == 1 && is_form;
}

}  // namespace

// One request, until it is answered.
struct OAuth::Ask {
  Method method = Method::kIntrospect;
  HttpCall call;
  std::shared_ptr<const Ruleset> rules;  // in force when it came
  const Caller* caller = nullptr;        // of `rules`
  int64_t started_nanos = 0;
  std::string token;
};

OAuth::OAuth(const Rulesets& rulesets, AuthorizationService& service,
             revocation::RevocationStore& store, HttpWaits& waits, Metrics& metrics,
             const Clock& clock)
    : service_(service),
      store_(store),
      metrics_(*metrics.AddThread()),
      clock_(clock),
      rules_(rulesets),
      denials_(clock),
      later_(waits, metrics_, clock) {}

bool OAuth::Has(absl::string_view path) { return path == kIntrospect || path == kRevoke; }

void OAuth::Reply(const Ask& ask, HttpReply reply) {
  const grpc::StatusCode status = StatusOf(reply.status);
  if (status != grpc::StatusCode::OK) metrics_.CountFailure(ask.method);
  metrics_.CountCall(ask.caller != nullptr ? ask.caller->number : ThreadMetrics::kUnknownCaller,
                     status);
  ask.call.reply(std::move(reply));
}

// RFC 6749 section 5.2.
void OAuth::Fail(const Ask& ask, int status, absl::string_view error, absl::string_view why) {
  std::string body;
  JsonWriter json(body);
  json.BeginObject();
  json.Member("error", error);
  json.Member("error_description", why);
  json.EndObject();
  HttpReply reply = Json(status, std::move(body));
  if (status == 401) reply.headers.emplace_back("WWW-Authenticate", "Basic realm=\"gatehouse\"");
  if (status == 405) reply.headers.emplace_back("Allow", "POST");
  if (status == 503) reply.headers.emplace_back("Retry-After", "1");
  Reply(ask, std::move(reply));
}

void OAuth::LogRefusal(absl::string_view reason, absl::string_view caller) {
  int64_t left_out = 0;
  if (!denials_.Admit(reason, left_out)) return;
  log::Info("refused", {{"reason", reason}, {"caller", caller}, {"left_out", left_out}});
}

bool OAuth::Read(const HttpRequest& request, Ask& ask) {
  const auto fail = [&](int status, absl::string_view error, absl::string_view why) {
    Fail(ask, status, error, why);
    return false;
  };
  if (request.method != "POST") return fail(405, "invalid_request", "only POST is answered");
  if (!IsForm(request)) {
    return fail(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded");
  }
  const std::optional<Form> form = ParseForm(request.body);
  if (!form.has_value()) {
    return fail(400, "invalid_request",
                "the body must be a form, with each parameter once and well-formed escapes");
  }
  const ClientAuth client = Authenticate(request, *form, ask.rules->callers, known_callers_);
  if (client.outcome == ClientAuth::Outcome::kUnclear) {
    return fail(400, "invalid_request",
                "the client must authenticate in exactly one way: Basic, Bearer, or client_id and "
                "client_secret");
  }
  if (client.outcome == ClientAuth::Outcome::kOther) {
    return fail(400, "invalid_request",
                "client_id is not the client that Authorization names: leave it out, or mend it");
  }
  if (client.outcome == ClientAuth::Outcome::kUnknown) {
    LogRefusal("unknown caller", "");
    return fail(401, "invalid_client", "the client is unknown, or its secret is wrong");
  }
  ask.caller = client.caller;
  if (ask.method == Method::kIntrospect && !ask.caller->May(Right::kIntrospect)) {
    LogRefusal("no right \"introspect\"", ask.caller->name);
    return fail(403, "unauthorized_client", "the client has no right \"introspect\"");
  }
  for (const auto& [name, value] : *form) {
    if (name == "token") ask.token = value;
  }
  return !ask.token.empty() || fail(400, "invalid_request", "token is missing");
}

void OAuth::Answer(const HttpRequest& request, HttpCall call) {
  auto ask = std::make_shared<Ask>();
  ask->method = request.path() == kRevoke ? Method::kOAuthRevoke : Method::kIntrospect;
  ask->call = std::move(call);
  ask->rules = rules_.Current();
  ask->started_nanos = clock_.SteadyNanos();
  if (Read(request, *ask)) Run(ask, {});
}

void OAuth::Run(const std::shared_ptr<Ask>& ask, const HttpLater::Turn& turn) {
  if (turn.hopeless) {
    return Fail(*ask, 503, "temporarily_unavailable",
                "the token could not be looked at: too many requests, or its issuer's keys are "
                "away");
  }
  const bool revoke = ask->method == Method::kOAuthRevoke;
  // Whoever holds a token may revoke it, whatever audience it is for.
  const Examination examined = ask->rules->authorizer->Examine(
      ask->token, {.news = turn.news,
                   .effort = turn.effort,
                   .audiences = revoke ? engine::AudienceMask{0} : ask->caller->audiences});
  if (examined.kind != Examination::Kind::kDecided) {
    return later_.PutOff(
        examined, turn,
        {.lane = revoke ? ColdWork::Lane::kRevocations : ColdWork::Lane::kQuestions,
         .caller = ask->caller->number,
         .until_nanos = ask->started_nanos + kWaitNanos},
        ask->call.loop, [this, ask](const HttpLater::Turn& next) { Run(ask, next); });
  }
  if (revoke) return Revoke(ask, examined);
  Introspect(*ask, examined);
}

void OAuth::Introspect(const Ask& ask, const Examination& examined) {
  constexpr absl::string_view kMethod = "Introspect";
  const bool active = examined.code == Code::kOk;
  const absl::string_view id = ids_.Next();
  const std::string& caller = ask.caller->name;
  if (!active) denials_.Write(kMethod, caller, id, examined);
  const int64_t now = clock_.SteadyNanos();
  if (DecisionLog* const log = ask.rules->decision_log.get(); log != nullptr) {
    log->Record({.method = kMethod,
                 .caller = caller,
                 .examined = examined,
                 .policy = *ask.rules->policy,
                 .started_nanos = ask.started_nanos,
                 .now_nanos = now},
                {.code = examined.code, .id = id, .outcome = "the token is good"});
  }
  metrics_.CountDecision(Method::kIntrospect, examined.code, examined.cache_hit,
                         now - ask.started_nanos);
  Reply(ask, Json(200, IntrospectionOf(active ? examined.token.get() : nullptr)));
}

void OAuth::Revoke(const std::shared_ptr<Ask>& ask, const Examination& examined) {
  const HttpReply done = {.status = 200, .content_type = ""};
  absl::StatusOr<revocation::NewFact> fact =
      ask->rules->revoker.Token(examined, {.actor = ask->caller->name, .reason = ""});
  // One that is good for nothing needs no revocation (RFC 7009 section 2.2).
  if (!fact.ok()) return Reply(*ask, done);
  if (!service_.BeginAppend(*ask->caller)) {
    metrics_.CountRefusal(Refusal::kOverload);
    return Fail(*ask, 503, "temporarily_unavailable", "too many revocations at once");
  }
  store_.Append(*std::move(fact),
                [this, ask, done](const absl::StatusOr<revocation::AppendResult>& result) {
                  service_.EndAppend(*ask->caller, result);
                  ask->call.loop->Post([this, ask, done, written = result.ok()] {
                    if (written) return Reply(*ask, done);
                    Fail(*ask, 503, "temporarily_unavailable", "the revocation was not written");
                  });
                });
}

}  // namespace gatehouse::frontend
