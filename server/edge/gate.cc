#include "server/edge/gate.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/edge/csrf.h"
#include "server/edge/identity.h"
#include "server/edge/syntax.h"
#include "server/edge/token_source.h"

namespace gatehouse::edge {
namespace {

using engine::Examination;
using policy::Code;
using policy::Route;
using Outcome = policy::RouteTable::Outcome;

constexpr int kAllowed = 200;
constexpr absl::string_view kNotPermitted = "This request is not permitted.";

// Whether `peer` is one of the route's.
bool IsPeer(const Route& route, absl::string_view peer) {
  if (route.peers.empty()) return true;
  if (peer.empty()) return false;
  return std::any_of(route.peers.begin(), route.peers.end(), [peer](absl::string_view one) {
    if (!absl::EndsWith(one, "/*")) return one == peer;
    one.remove_suffix(1);
    return peer.size() > one.size() && absl::StartsWith(peer, one);
  });
}

// A refusal that has nothing to do with a token.
void Refuse(absl::string_view detail, absl::string_view reason, Answer& answer) {
  const policy::CodeRow& row = RowOf(Code::kInsufficientPermissions);
  answer.status = row.http_status;
  answer.code = row.name;
  answer.detail = detail;
  answer.reason = reason;
}

void RefusePeer(Answer& answer) {
  Refuse("This service may not make the request.", "the peer is not one of the route's", answer);
}

void SayUnavailable(absl::string_view reason, Answer& answer) {
  constexpr int kUnavailable = 503;
  answer.status = kUnavailable;
  answer.code = "UNAVAILABLE";
  answer.detail = "No decision could be made: try again.";
  answer.reason = reason;
}

}  // namespace

Gate::Gate(policy::RouteTable routes, std::vector<engine::AudienceMask> masks, Settings settings)
    : routes_(std::move(routes)),
      masks_(std::move(masks)),
      settings_(std::move(settings)),
      reader_(settings_.identity),
      challenge_(absl::StrCat("Bearer realm=\"", settings_.realm, "\"")) {}

absl::string_view Gate::WhyMalformed(const Request& request, const Headers& headers,
                                     Scratch& scratch) const {
  if (!IsMethod(request.method)) return "the method is none, or not in upper case";
  if (headers.host.count > 1 || headers.authority.count > 1) return "two Host headers";
  if (headers.host.count > 0 && headers.authority.count > 0 &&
      headers.host.value != headers.authority.value) {
    return "a Host header that differs from :authority";
  }
  if (!ReadHost(request.host, scratch.host)) return "the host is none";
  if (const absl::Status path = scratch.path.Read(request.target); !path.ok()) {
    scratch.text = std::string(path.message());
    return scratch.text;
  }
  if (!headers.malformed.empty()) return headers.malformed;
  if (headers.overrides_method) return "a header overrides the method";
  if (headers.other_protocol) return "an upgrade to something else than WebSocket";
  if (headers.overrides_path) return "a header overrides the path";
  if (HasTwoAuthorizations(headers)) return "two Authorization headers";
  if (HasJoinedCookie(headers, settings_.cookie)) return "the token's cookie behind a comma";
  if (!request.can_remove_headers && !headers.identity.empty()) {
    return "an identity header was sent, and this proxy cannot remove it";
  }
  return {};
}

void Gate::Reject(absl::string_view reason, Answer& answer) const {
  constexpr int kBadRequest = 400;
  answer.status = kBadRequest;
  answer.code = "INVALID_REQUEST";
  answer.detail = "The request is malformed, or can be read in two ways.";
  answer.challenge = absl::StrCat(challenge_, ", error=\"invalid_request\"");
  answer.reason = reason;
}

Answer Gate::Decide(const Request& request, engine::Authorizer& authorizer,
                    const policy::Policy& policy, const engine::Ask& ask, Scratch& scratch) const {
  const Headers headers = reader_.Read(request.headers);
  Answer answer;
  if (const absl::string_view why = WhyMalformed(request, headers, scratch); !why.empty()) {
    Reject(why, answer);
    return answer;
  }
  const Asking asking{request, headers, authorizer, policy, ask, scratch};
  if (const auto preflight = PreflightOf(request, headers, scratch); preflight.has_value()) {
    answer.route = static_cast<int>(*preflight);
    PassPreflight(asking, answer);
    return answer;
  }
  scratch.match = routes_.Find(request.method, scratch.host, scratch.path);
  if (scratch.match.outcome != Outcome::kFound) {
    Refuse(
        "This request is not permitted.",
        scratch.match.outcome == Outcome::kNoMethod ? "the route has no such method" : "no route",
        answer);
    return answer;
  }
  answer.route = static_cast<int>(scratch.match.route);
  const Route& route = routes_.routes()[scratch.match.route];
  if (!IsPeer(route, request.peer)) {
    RefusePeer(answer);
  } else if (route.needs == Route::Needs::kNothing) {
    Change(asking, nullptr, answer);
  } else {
    DecideByToken(asking, route, answer);
  }
  return answer;
}

std::optional<size_t> Gate::PreflightOf(const Request& request, const Headers& headers,
                                        Scratch& scratch) const {
  if (request.method != "OPTIONS" || headers.origin.count != 1 ||
      headers.requested_method.count != 1 || headers.upgrades) {
    return std::nullopt;
  }
  // Of several, what a proxy has joined.
  if (absl::StrContains(headers.origin.value, ',') || !IsMethod(headers.requested_method.value)) {
    return std::nullopt;
  }
  // No browser sends either with a preflight; who does cannot have them taken away here.
  if (!request.can_remove_headers && headers.authorization.count + headers.cookie.count > 0) {
    return std::nullopt;
  }
  scratch.match = routes_.Find(headers.requested_method.value, scratch.host, scratch.path);
  if (scratch.match.outcome != Outcome::kFound) return std::nullopt;
  if (!routes_.routes()[scratch.match.route].preflight) return std::nullopt;
  return scratch.match.route;
}

void Gate::PassPreflight(const Asking& asking, Answer& answer) const {
  const Route& route = routes_.routes()[asking.scratch.match.route];
  if (!IsPeer(route, asking.request.peer)) return RefusePeer(answer);
  answer.status = kAllowed;
  answer.code = RowOf(Code::kOk).name;
  answer.detail = RowOf(Code::kOk).detail;
  if (!asking.request.can_remove_headers) return;
  const Changes changes{answer.set, answer.remove};
  RemoveIdentity(settings_.identity, changes);
  RemoveOtherSpellings(settings_.identity, asking.headers, changes);
  RemoveOtherHosts(asking.request.host, asking.headers, changes);
  answer.remove.emplace_back("authorization");
  answer.remove.emplace_back("cookie");
}

void Gate::DecideByToken(const Asking& asking, const Route& route, Answer& answer) const {
  const TokenSource source = FindToken(asking.headers, settings_.cookie);
  switch (source.kind) {
    case TokenSource::Kind::kAmbiguous:
      return Reject(source.reason, answer);
    case TokenSource::Kind::kNone:
    case TokenSource::Kind::kUnusable:
      answer.looked_at_token = true;
      answer.examined.code =
          source.kind == TokenSource::Kind::kNone ? Code::kTokenMissing : Code::kTokenInvalid;
      answer.examined.reason = std::string(source.reason);
      return Deny(answer.examined.code, answer);
    case TokenSource::Kind::kToken:
      break;
  }
  if (source.from_cookie) {
    const absl::string_view why =
        WhyForged(asking.request.method, asking.headers, settings_.origins);
    if (!why.empty()) {
      return Refuse("The request may have been made by another site.", why, answer);
    }
  }
  Examine(asking, source.token, route, answer);
}

void Gate::Examine(const Asking& asking, absl::string_view token, const Route& route,
                   Answer& answer) const {
  engine::Ask ask = asking.ask;
  const auto place = static_cast<size_t>(answer.route);
  ask.route_audiences = place < masks_.size() ? masks_[place] : 0;
  if (ask.route_audiences == 0 && !route.audiences.empty()) {
    return SayUnavailable("the route's audiences are unknown to the server", answer);
  }
  if (route.needs == Route::Needs::kToken) {
    answer.examined = asking.authorizer.Examine(token, ask);
  } else {
    if (!MakeQuestion(asking, answer)) return;
    answer.question = &asking.scratch.question;
    answer.examined =
        asking.authorizer.Authorize(token, asking.policy, asking.scratch.question, ask);
  }
  answer.looked_at_token = true;
  const Examination& examined = answer.examined;
  if (examined.kind != Examination::Kind::kDecided) return SayUnavailable({}, answer);
  if (examined.code != Code::kOk) return Deny(examined.code, answer);
  Change(asking, &examined.token->principal, answer);
}

bool Gate::MakeQuestion(const Asking& asking, Answer& answer) const {
  Scratch& scratch = asking.scratch;
  scratch.question = routes_.Ask(scratch.match, scratch.text);
  if (!asking.request.context.empty()) {
    auto& attributes = scratch.attributes;
    attributes.assign(scratch.question.attributes.begin(), scratch.question.attributes.end());
    for (const auto& entry : asking.request.context) {
      const bool is_new = std::none_of(attributes.begin(), attributes.end(),
                                       [&](const auto& one) { return one.first == entry.first; });
      if (is_new) attributes.push_back(entry);
    }
    scratch.question.attributes = attributes;
  }
  if (policy::CheckQuestion(scratch.question).ok()) return true;
  answer.question = nullptr;
  scratch.question.attributes = {};
  if (policy::CheckQuestion(scratch.question).ok()) {
    Reject("an attribute of the proxy's is too long, or holds a control character", answer);
  } else {
    Refuse(kNotPermitted, "the path names no resource, or one too long", answer);
  }
  return false;
}

void Gate::Change(const Asking& asking, const policy::Principal* principal, Answer& answer) const {
  constexpr size_t kUsual = 6;
  answer.set.reserve(kUsual);
  answer.remove.reserve(kUsual);
  const Changes changes{answer.set, answer.remove};
  if (principal == nullptr) {
    RemoveIdentity(settings_.identity, changes);
  } else if (!SetIdentity(settings_.identity, *principal, changes)) {
    answer.set.clear();
    answer.remove.clear();
    Refuse("The token's claims cannot be passed on in headers.",
           "a claim cannot be said in an identity header", answer);
    return;
  }
  answer.status = kAllowed;
  answer.code = RowOf(Code::kOk).name;
  answer.detail = RowOf(Code::kOk).detail;
  if (!asking.request.can_remove_headers) {
    answer.remove.clear();  // none of them was sent
    return;
  }
  RemoveOtherSpellings(settings_.identity, asking.headers, changes);
  RemoveOtherHosts(asking.request.host, asking.headers, changes);
  if (settings_.strip_token) StripToken(asking, answer);
}

void Gate::StripToken(const Asking& asking, Answer& answer) const {
  answer.remove.emplace_back("authorization");
  bool had = false;
  std::string left = CookiesWithout(asking.headers, settings_.cookie, had);
  if (!had) return;
  if (left.empty()) {
    answer.remove.emplace_back("cookie");
  } else {
    answer.set.emplace_back("cookie", std::move(left));
  }
}

void Gate::Deny(Code code, Answer& answer) const {
  const policy::CodeRow& row = RowOf(code);
  answer.status = row.http_status;
  answer.code = row.name;
  answer.detail = row.detail;
  answer.challenge = challenge_;
  if (code == Code::kTokenMissing) return;
  absl::StrAppend(&answer.challenge, ", error=\"",
                  code == Code::kInsufficientPermissions ? "insufficient_scope" : "invalid_token",
                  "\"");
}

}  // namespace gatehouse::edge
