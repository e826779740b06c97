#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/edge/headers.h"
#include "server/edge/request.h"
#include "server/edge/settings.h"
#include "server/engine/authorizer.h"
#include "server/policy/path.h"
#include "server/policy/policy.h"
#include "server/policy/question.h"
#include "server/policy/route_table.h"

// The way of a request that a proxy asks about: bytes -> route -> token -> decision -> what
// the proxy is to do. Knows neither gRPC nor HTTP's wire.
namespace gatehouse::edge {

// What the proxy is to do with a request.
struct Answer {
  // 200: let it through. Nothing else does.
  int status = 503;
  // For the body of a denial: "TOKEN_EXPIRED", "INVALID_REQUEST", "UNAVAILABLE".
  absl::string_view code = "UNAVAILABLE";
  absl::string_view detail = {};  // one public sentence, of nothing that was sent
  std::string challenge = {};     // the value of WWW-Authenticate; empty: none
  // With 200: what the request is given, and loses, on its way upstream. No name is in both.
  std::vector<std::pair<absl::string_view, std::string>> set = {};
  std::vector<absl::string_view> remove = {};

  // What was found out about the token, where one was asked for: also that there is none. If
  // it is not decided, the rest is of no use: put it off, and decide again.
  bool looked_at_token = false;
  engine::Examination examined = {};
  // What the policy was asked, with the token; null if it was not.
  const policy::Question* question = nullptr;
  // The route by its place in the table; -1 if none was found.
  int route = -1;
  // For the log, where no token was the reason: holds nothing that was sent.
  absl::string_view reason = {};
};

// Immutable; thread-safe.
class Gate {
 public:
  // The memory that answers have views into, used again for the next request. One a thread.
  struct Scratch {
    policy::Path path;
    std::string host;
    policy::RouteTable::Match match;
    std::string text;
    policy::Question question;
    std::vector<std::pair<absl::string_view, absl::string_view>> attributes;
  };

  // `masks`: for each of the table's routes what its audiences are to the authorizer that
  // Decide is given; 0: none.
  Gate(policy::RouteTable routes, std::vector<engine::AudienceMask> masks, Settings settings);

  // Total: whatever `request` is, there is an answer. `ask` is taken as it is, but for the
  // route's audiences. Answers hold views into `request`, `scratch` and this.
  Answer Decide(const Request& request, engine::Authorizer& authorizer,
                const policy::Policy& policy, const engine::Ask& ask, Scratch& scratch) const;

  const policy::RouteTable& routes() const { return routes_; }
  const Settings& settings() const { return settings_; }

 private:
  // A request that could be read, and what it is decided with.
  struct Asking {
    const Request& request;
    const Headers& headers;
    engine::Authorizer& authorizer;
    const policy::Policy& policy;
    const engine::Ask& ask;
    Scratch& scratch;
  };

  // Why the request can be read in two ways, or is none; empty if it is one.
  absl::string_view WhyMalformed(const Request& request, const Headers& headers,
                                 Scratch& scratch) const;
  void Reject(absl::string_view reason, Answer& answer) const;
  // The route of a CORS preflight that may pass.
  std::optional<size_t> PreflightOf(const Request& request, const Headers& headers,
                                    Scratch& scratch) const;
  void PassPreflight(const Asking& asking, Answer& answer) const;
  void DecideByToken(const Asking& asking, const policy::Route& route, Answer& answer) const;
  void Examine(const Asking& asking, absl::string_view token, const policy::Route& route,
               Answer& answer) const;
  // False: it is no question, and `answer` says so.
  bool MakeQuestion(const Asking& asking, Answer& answer) const;
  // What is set and removed of a request that passes; `principal` null: nobody is known.
  void Change(const Asking& asking, const policy::Principal* principal, Answer& answer) const;
  void StripToken(const Asking& asking, Answer& answer) const;
  void Deny(policy::Code code, Answer& answer) const;

  const policy::RouteTable routes_;
  const std::vector<engine::AudienceMask> masks_;
  const Settings settings_;
  const HeaderReader reader_;
  const std::string challenge_;  // Bearer realm="..."
};

// {"detail": "...", "code": "TOKEN_EXPIRED", "status": 401}
std::string BodyOf(const Answer& answer);

}  // namespace gatehouse::edge
