#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/inspect_contents.h"
#include "client/cli/inspect_keys.h"
#include "client/cli/output.h"
#include "client/cli/token_input.h"
#include "server/base/clock.h"
#include "server/base/status_macros.h"
#include "server/config/config.h"
#include "server/engine/authorizer.h"

namespace gatehouse::cli {
namespace {

using engine::Examination;

constexpr absl::string_view kNotLookedAt =
    "revocations (the server alone knows them) and the audiences of the service that asks";

constexpr absl::string_view kCodesOfInspect =
    "0 accepted, 1 refused, 2 cannot say, failed or wrong usage";

struct Arguments {
  std::string token_file;
  std::string config;
  std::string jwks;
  std::string now;
};

// The wall clock of the moment that is asked about.
class FixedClock final : public Clock {
 public:
  explicit FixedClock(absl::Time now) : now_(now) {}
  absl::Time Now() const override { return now_; }
  int64_t SteadyNanos() const override { return 0; }
  void WaitUntil(Mutex& mu, CondVar& changed, int64_t until) const override GH_REQUIRES(mu) {
    SystemClock().WaitUntil(mu, changed, until);
  }

 private:
  const absl::Time now_;
};

// What came of it.
struct Finding {
  int verdict = kUnknown;
  std::string code;                 // public name; empty where there is no verdict
  std::string reason;               // of a refusal, and of no verdict
  std::string issuer;               // the trusted one that the token names
  std::vector<std::string> others;  // else those that are trusted
  std::string keys;                 // where its keys come from
  std::string key;                  // which one takes it, or why none does
  engine::Trace steps;
  Rows principal;  // of a token that is in order but for its time; else empty
};

absl::string_view NameOf(policy::Code code) {
  switch (code) {
    case policy::Code::kOk:
      return "OK";
    case policy::Code::kTokenMissing:
      return "TOKEN_MISSING";
    case policy::Code::kTokenInvalid:
      return "TOKEN_INVALID";
    case policy::Code::kTokenExpired:
      return "TOKEN_EXPIRED";
    case policy::Code::kTokenRevoked:
      return "TOKEN_REVOKED";
    case policy::Code::kInsufficientPermissions:
      return "INSUFFICIENT_PERMISSIONS";
  }
  return "UNKNOWN";
}

absl::StatusOr<absl::Time> ReadNow(const std::string& text) {
  if (text.empty()) return SystemClock().Now();
  int64_t seconds = 0;
  if (absl::SimpleAtoi(text, &seconds) && seconds >= 0) return absl::FromUnixSeconds(seconds);
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  return absl::InvalidArgumentError(
      "--now must be a time such as 2026-11-21T09:00:00Z, or seconds since 1970");
}

std::string NameText(absl::string_view kid) {
  return kid.empty() ? "one without kid" : absl::StrCat("\"", kid, "\"");
}

// Which key of the issuer's the header's kid means.
std::string KeyText(const TokenContents& contents, const OfflineKeys& offline) {
  if (offline.keys == nullptr) return "not looked at";
  if (offline.secret) return "the secret";
  google::protobuf::Struct header;
  if (!contents.header.json.has_value() ||
      !google::protobuf::util::JsonStringToMessage(*contents.header.json, &header).ok()) {
    return "";
  }
  const auto it = header.fields().find("kid");
  if (it == header.fields().end()) return "the token names none: those of its algorithm are tried";
  const std::string& kid = it->second.string_value();
  std::vector<std::string> known;
  for (const auto& key : offline.keys->keys()) {
    if (key->kid() == kid) return absl::StrCat(NameText(kid), " is there");
    known.push_back(NameText(key->kid().value_or("")));
  }
  for (const jose::RefusedKey& refused : offline.refused) {
    if (refused.kid == kid) {
      return absl::StrCat(NameText(kid), " is there and cannot be used: ", refused.reason);
    }
  }
  return absl::StrCat(NameText(kid), " is not there; there are: ",
                      known.empty() ? "none" : absl::StrJoin(known, ", "));
}

void Conclude(const Examination& examination, const OfflineKeys* offline, Finding& finding) {
  if (examination.kind == Examination::Kind::kDecided) {
    finding.code = std::string(NameOf(examination.code));
    finding.reason = examination.reason;
    finding.verdict = examination.code == policy::Code::kOk ? kYes : kNo;
    return;
  }
  finding.verdict = kUnknown;
  const bool without_keys = offline != nullptr && offline->keys == nullptr;
  finding.reason = without_keys ? offline->problem : examination.reason;
}

// Leaves out what nobody looked at: revocations, and the keys of an issuer that was
// not asked.
void DropUnasked(const Examination& examination, engine::Trace& steps) {
  const bool undecided = examination.kind != Examination::Kind::kDecided;
  steps.erase(std::remove_if(steps.begin(), steps.end(),
                             [&](const engine::Step& step) {
                               return step.name == "revocation" ||
                                      (undecided && step.name == "key");
                             }),
              steps.end());
}

std::string NoSuchClaim(const jose::ClaimPath& path) {
  return absl::StrCat("none; ", path.empty()
                                    ? "no claim is configured"
                                    : absl::StrCat(path.text(), " is not in the token, or empty"));
}

// Whom the server would take the token's bearer for.
Rows PrincipalRows(const policy::Principal& principal, const jose::ClaimNames& claims) {
  const auto or_none = [](absl::string_view text, const jose::ClaimPath& path) {
    return text.empty() ? NoSuchClaim(path) : std::string(text);
  };
  return {{"subject", std::string(principal.subject)},
          {"tenant", or_none(principal.tenant, claims.tenant)},
          {"roles", or_none(absl::StrJoin(principal.roles, ", "), claims.roles)},
          {"scopes", or_none(absl::StrJoin(principal.scopes, " "), claims.scopes)},
          {"session", or_none(principal.session_id, claims.session)},
          {"client", or_none(principal.client_id, claims.client)}};
}

// As a server with this configuration would, but for what is kNotLookedAt.
absl::StatusOr<Finding> Judge(const Arguments& arguments, const std::string& token,
                              const TokenContents& contents, absl::Time now) {
  GH_ASSIGN_OR_RETURN(const config::Config config, config::LoadConfig(arguments.config));
  std::vector<OfflineKeys> offline;
  std::vector<engine::TrustedIssuer> issuers;
  for (const config::Issuer& issuer : config.issuers) {
    offline.push_back(ReadOfflineKeys(issuer, arguments.jwks));
    issuers.push_back({issuer.rules, MakeOfflineSource(offline.back().keys)});
  }
  const FixedClock clock(now);
  const revocation::RevocationIndex none;
  engine::Authorizer authorizer(std::move(issuers), none, clock,
                                {.render = [](const policy::Principal&) { return std::string(); }});
  Finding finding;
  engine::Ask ask;
  ask.trace = &finding.steps;
  Examination examination = authorizer.Examine(token, ask);
  const OfflineKeys* own = nullptr;
  if (examination.issuer != nullptr) {
    own = &offline[static_cast<size_t>(examination.issuer - authorizer.issuers().data())];
    finding.issuer = examination.issuer->rules.issuer;
    finding.keys = own->place;
    finding.key = KeyText(contents, *own);
  } else {
    for (const auto& issuer : authorizer.issuers()) finding.others.push_back(issuer.rules.issuer);
  }
  if (examination.kind == Examination::Kind::kNeedsKeys) {
    const bool there = own != nullptr && own->keys != nullptr;
    ask.news = there ? engine::KeyNews::kFetched : engine::KeyNews::kFailed;
    finding.steps.clear();
    examination = authorizer.Examine(token, ask);
  }
  Conclude(examination, own, finding);
  DropUnasked(examination, finding.steps);
  if (examination.token != nullptr) {
    finding.principal =
        PrincipalRows(examination.token->principal, examination.issuer->rules.claims);
  }
  return finding;
}

void PrintPart(absl::string_view title, const TokenPart& part, absl::Time now) {
  std::cout << title << "\n";
  PrintRows(PartRows(part, now));
}

void PrintVerdict(const Finding& finding) {
  switch (finding.verdict) {
    case kYes:
      std::cout << Coloured(Colour::kGreen, "accepted") << ", unless it was revoked\n";
      return;
    case kNo:
      std::cout << Coloured(Colour::kRed, "refused") << " (" << finding.code
                << "): " << Printable(finding.reason) << "\n";
      return;
    default:
      std::cout << "cannot say: " << Printable(finding.reason) << "\n";
  }
}

void PrintText(const TokenContents& contents, const Finding& finding, bool judged, absl::Time now) {
  PrintPart("header", contents.header, now);
  PrintPart("claims", contents.claims, now);
  if (judged) {
    std::cout << "checked\n";
    Rows rows = {{"issuer", finding.issuer},
                 {"trusted are", absl::StrJoin(finding.others, ", ")},
                 {"keys from", finding.keys},
                 {"key", finding.key}};
    for (const engine::Step& step : finding.steps) {
      rows.emplace_back(absl::StrCat("step ", step.name),
                        absl::StrCat(step.passed ? "passed" : "failed",
                                     step.detail.empty() ? "" : ": ", step.detail));
    }
    PrintRows(rows);
    std::cout << "not looked at: " << kNotLookedAt << "\n";
    if (!finding.principal.empty()) std::cout << "principal\n";
    PrintRows(finding.principal);
  }
  PrintVerdict(finding);
}

void AddJson(const TokenPart& part, google::protobuf::Value& out) {
  if (!part.json.has_value() ||
      !google::protobuf::util::JsonStringToMessage(*part.json, out.mutable_struct_value()).ok()) {
    out.set_null_value(google::protobuf::NULL_VALUE);
  }
}

absl::Status PrintFinding(const TokenContents& contents, const Finding& finding) {
  google::protobuf::Struct out;
  auto& fields = *out.mutable_fields();
  AddJson(contents.header, fields["header"]);
  AddJson(contents.claims, fields["claims"]);
  fields["verdict"].set_string_value(finding.verdict == kYes  ? "accepted"
                                     : finding.verdict == kNo ? "refused"
                                                              : "unknown");
  fields["code"].set_string_value(finding.code);
  fields["reason"].set_string_value(finding.reason);
  fields["issuer"].set_string_value(finding.issuer);
  fields["keys"].set_string_value(finding.keys);
  fields["key"].set_string_value(finding.key);
  fields["not_looked_at"].set_string_value(std::string(kNotLookedAt));
  auto& steps = *fields["steps"].mutable_list_value();
  for (const engine::Step& step : finding.steps) {
    auto& members = *steps.add_values()->mutable_struct_value()->mutable_fields();
    members["name"].set_string_value(std::string(step.name));
    members["passed"].set_bool_value(step.passed);
    members["detail"].set_string_value(step.detail);
  }
  if (!finding.principal.empty()) {
    auto& members = *fields["principal"].mutable_struct_value()->mutable_fields();
    for (const auto& [name, value] : finding.principal) members[name].set_string_value(value);
  }
  return PrintJson(out);
}

int Inspect(const Arguments& arguments, const Options& options) {
  if (!arguments.jwks.empty() && arguments.config.empty()) {
    return Fail(
        "--jwks needs --config: a key alone does not say what is accepted\n"
        "See `gatehouse token inspect --help`.");
  }
  // A wrong --now is told before the token is waited for, but it is now when that came.
  if (const auto now = ReadNow(arguments.now); !now.ok()) return Fail(now.status().message());
  const absl::StatusOr<std::string> token = ReadToken(arguments.token_file);
  if (!token.ok()) return Fail(token.status().message());
  const absl::StatusOr<absl::Time> now = ReadNow(arguments.now);
  if (!now.ok()) return Fail(now.status().message());
  const TokenContents contents = ReadContents(*token);
  const bool judged = !arguments.config.empty();
  absl::StatusOr<Finding> finding = Finding();
  if (judged) {
    finding = Judge(arguments, *token, contents, *now);
    if (!finding.ok()) return Fail(Printable(finding.status().message()));
  } else {
    finding->reason = "nothing was verified; give the server's configuration with --config";
  }
  if (options.output == Output::kJson) {
    const absl::Status written = PrintFinding(contents, *finding);
    if (!written.ok()) return Fail(written.message());
  } else {
    PrintText(contents, *finding, judged, *now);
  }
  return finding->verdict;
}

}  // namespace

void AddToken(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const token = app.add_subcommand("token", "Look into a token, without a server");
  token->require_subcommand(1);
  AddExamples(*token, "  gatehouse token inspect --config gatehouse.yaml < ada.token\n",
              kCodesOfInspect);
  CLI::App* const inspect = token->add_subcommand(
      "inspect",
      "Show what is in a token, which configured issuer and key would take it, and why it would "
      "be refused. Asks neither a server nor the network");
  AddTokenFile(*inspect, arguments->token_file);
  AddText(*inspect, "--config", arguments->config,
          "The server's configuration file. Without it nothing is verified")
      ->type_name("FILE");
  AddText(*inspect, "--jwks", arguments->jwks,
          "A copy of the JWK Set, for issuers whose keys are behind a URL")
      ->type_name("FILE");
  AddText(*inspect, "--now", arguments->now,
          "The moment that is asked about, a time or seconds since 1970; else now")
      ->type_name("TIME");
  AddExamples(*inspect,
              "  gatehouse token inspect --config gatehouse.yaml --token-file ada.token\n"
              "  gatehouse token inspect --config gatehouse.yaml --jwks jwks.json \\\n"
              "      --now 2026-11-21T09:00:00Z < ada.token\n",
              kCodesOfInspect);
  inspect->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Inspect(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
