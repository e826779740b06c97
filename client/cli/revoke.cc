#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/revocation_text.h"
#include "client/cli/time_input.h"
#include "client/cli/token_input.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string token_file;
  std::string issuer;
  std::string id;  // a token id, a session, a subject, a tenant, a client or a key
  std::string issued_until;
  std::string until;
  std::string reason;
};
using Shared = std::shared_ptr<Arguments>;

// Fills the request's target. Not OK: wrong arguments, with a message for people.
using Target = absl::Status (*)(const Arguments& arguments, v1::RevokeRequest& request);

int Revoke(const Arguments& arguments, Target target, const Options& options) {
  v1::RevokeRequest request;
  request.set_reason(arguments.reason);
  if (const absl::Status status = target(arguments, request); !status.ok()) {
    return Fail(status.message());
  }
  if (!arguments.until.empty()) {
    const absl::StatusOr<absl::Time> end = ParseEnd("--until", arguments.until);
    if (!end.ok()) return Fail(end.status().message());
    SetStamp(*end, *request.mutable_expire_time());
  }
  const auto reply = Connection(options).Call(&v1::AuthorizationService::Stub::Revoke, request);
  if (!reply.has_value()) return kUnknown;
  if (options.output == Output::kJson) {
    if (const absl::Status written = PrintJson(*reply); !written.ok()) {
      return Fail(written.message());
    }
  }
  if (reply->revocation().id().empty()) {
    return Fail("the answer holds no revocation: take it as not done, and ask again");
  }
  if (options.output == Output::kText) {
    std::cout << Coloured(Colour::kGreen, reply->existed() ? "already revoked" : "revoked") << "\n";
    PrintRevocation(reply->revocation());
  }
  if (reply->key_not_in_set()) {
    Note("the issuer has no key of this name now; `gatehouse reinstate` takes a mistake back");
  }
  if (request.has_expire_time() && !reply->revocation().has_expire_time()) {
    Note(
        "not suspended: this revocation refuses the same tokens already, and goes on after "
        "--until");
  }
  return kYes;
}

absl::Status TargetToken(const Arguments& arguments, v1::RevokeRequest& request) {
  absl::StatusOr<std::string> token = ReadToken(arguments.token_file);
  if (!token.ok()) return token.status();
  request.set_token(*std::move(token));
  return absl::OkStatus();
}

absl::Status TargetTokenId(const Arguments& arguments, v1::RevokeRequest& request) {
  request.mutable_token_id()->set_issuer(arguments.issuer);
  request.mutable_token_id()->set_token_id(arguments.id);
  return absl::OkStatus();
}

absl::Status TargetSession(const Arguments& arguments, v1::RevokeRequest& request) {
  request.mutable_session()->set_issuer(arguments.issuer);
  request.mutable_session()->set_session_id(arguments.id);
  return absl::OkStatus();
}

template <class ByTime>
absl::Status SetIssuedUntil(const Arguments& arguments, ByTime& target) {
  target.set_issuer(arguments.issuer);
  if (arguments.issued_until.empty()) return absl::OkStatus();
  GH_ASSIGN_OR_RETURN(const absl::Time until,
                      ParseMoment("--issued-until", arguments.issued_until));
  target.mutable_issued_until()->set_seconds(absl::ToUnixSeconds(until));
  return absl::OkStatus();
}

absl::Status TargetSubject(const Arguments& arguments, v1::RevokeRequest& request) {
  request.mutable_subject()->set_subject(arguments.id);
  return SetIssuedUntil(arguments, *request.mutable_subject());
}

absl::Status TargetTenant(const Arguments& arguments, v1::RevokeRequest& request) {
  request.mutable_tenant()->set_tenant(arguments.id);
  return SetIssuedUntil(arguments, *request.mutable_tenant());
}

absl::Status TargetClient(const Arguments& arguments, v1::RevokeRequest& request) {
  request.mutable_client()->set_client_id(arguments.id);
  return SetIssuedUntil(arguments, *request.mutable_client());
}

absl::Status TargetKey(const Arguments& arguments, v1::RevokeRequest& request) {
  request.mutable_key()->set_issuer(arguments.issuer);
  request.mutable_key()->set_key_id(arguments.id);
  return absl::OkStatus();
}

CLI::App* AddTarget(CLI::App& revoke, Action& action, const Shared& arguments,
                    const std::string& name, const std::string& help, Target target) {
  CLI::App* const command = revoke.add_subcommand(name, help);
  AddText(*command, "--reason", arguments->reason, "Why, for people; 256 bytes at most");
  command->callback([arguments, target, &action] {
    action = [arguments, target](const Options& options) {
      return Revoke(*arguments, target, options);
    };
  });
  return command;
}

void AddId(CLI::App& command, const Shared& arguments, const std::string& name,
           const std::string& help) {
  AddText(command, "--issuer", arguments->issuer, "The issuer, as in the iss claim")->required();
  AddText(command, name, arguments->id, help)->required();
}

void AddUntil(CLI::App& command, const Shared& arguments) {
  AddText(command, "--until", arguments->until,
          "Only suspend: refuse every token until then, and none afterwards. A time, seconds since "
          "1970, or how long from now")
      ->type_name("TIME");
}

void AddIssuedUntil(CLI::App& command, const Shared& arguments) {
  AddText(command, "--issued-until", arguments->issued_until,
          "Refuse tokens issued up to then: now, a time or seconds since 1970. Without it, every "
          "token that can exist at this moment")
      ->type_name("TIME");
}

void AddOneToken(CLI::App& revoke, Action& action, const Shared& arguments) {
  CLI::App* const token =
      AddTarget(revoke, action, arguments, "token", "Revoke one token", TargetToken);
  AddTokenFile(*token, arguments->token_file);
  AddExamples(*token,
              "  gatehouse revoke token --token-file ada.token --reason \"laptop stolen\"\n"
              "  gatehouse revoke token < ada.token\n",
              kCodesOfADeed);

  CLI::App* const token_id =
      AddTarget(revoke, action, arguments, "token-id",
                "Revoke the token with an id (its jti claim)", TargetTokenId);
  AddId(*token_id, arguments, "id", "The jti claim");
  AddUntil(*token_id, arguments);
  AddExamples(*token_id, "  gatehouse revoke token-id --issuer https://login.example.com 4711\n",
              kCodesOfADeed);
}

void AddSession(CLI::App& revoke, Action& action, const Shared& arguments) {
  CLI::App* const session =
      AddTarget(revoke, action, arguments, "session",
                "Revoke every token of a session, also those still to come", TargetSession);
  AddId(*session, arguments, "session", "The session's id (the sid claim)");
  AddUntil(*session, arguments);
  AddExamples(*session, "  gatehouse revoke session --issuer https://login.example.com 9f2c\n",
              kCodesOfADeed);
}

void AddSubject(CLI::App& revoke, Action& action, const Shared& arguments) {
  CLI::App* const subject = AddTarget(revoke, action, arguments, "subject",
                                      "Revoke every token of a subject up to now", TargetSubject);
  AddId(*subject, arguments, "subject", "The sub claim");
  AddIssuedUntil(*subject, arguments);
  AddUntil(*subject, arguments);
  AddExamples(*subject,
              "  gatehouse revoke subject --issuer https://login.example.com ada\n"
              "  gatehouse revoke subject --issuer https://login.example.com ada --until 15m\n"
              "  gatehouse revoke subject --issuer https://login.example.com ada \\\n"
              "      --issued-until 2026-11-21T09:00:00Z --reason \"password changed\"\n",
              kCodesOfADeed);
}

void AddMany(CLI::App& revoke, Action& action, const Shared& arguments) {
  CLI::App* const tenant = AddTarget(revoke, action, arguments, "tenant",
                                     "Revoke every token of a tenant up to now", TargetTenant);
  AddId(*tenant, arguments, "tenant", "The tenant, as the issuer's `claims.tenant` names it");
  AddIssuedUntil(*tenant, arguments);
  AddUntil(*tenant, arguments);
  AddExamples(*tenant,
              "  gatehouse revoke tenant --issuer https://login.example.com acme --until "
              "2026-12-01T00:00:00Z\n",
              kCodesOfADeed);

  CLI::App* const client = AddTarget(revoke, action, arguments, "client",
                                     "Revoke every token of a client up to now", TargetClient);
  AddId(*client, arguments, "client", "The client_id claim");
  AddIssuedUntil(*client, arguments);
  AddUntil(*client, arguments);
  AddExamples(*client, "  gatehouse revoke client --issuer https://login.example.com mobile-app\n",
              kCodesOfADeed);

  CLI::App* const key = AddTarget(revoke, action, arguments, "key",
                                  "Revoke every token that a key verifies, for ever", TargetKey);
  AddId(*key, arguments, "key", "The key's kid; of one without it its thumbprint (RFC 7638)");
  AddExamples(*key,
              "  gatehouse revoke key --issuer https://login.example.com 2026-11 --reason leaked\n",
              kCodesOfADeed);
}

}  // namespace

void AddRevoke(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const revoke = app.add_subcommand(
      "revoke",
      "Make the server refuse a token, a session, a subject, a tenant, a client or a key");
  revoke->require_subcommand(1);
  AddExamples(*revoke,
              "  gatehouse revoke token --reason stolen < ada.token\n"
              "  gatehouse revoke session --issuer https://login.example.com 9f2c\n"
              "  gatehouse revoke subject --issuer https://login.example.com ada\n"
              "  gatehouse revoke tenant --issuer https://login.example.com acme --until 36h\n"
              "  gatehouse revoke subject --help\n",
              kCodesOfADeed);
  AddOneToken(*revoke, action, arguments);
  AddSession(*revoke, action, arguments);
  AddSubject(*revoke, action, arguments);
  AddMany(*revoke, action, arguments);
}

}  // namespace gatehouse::cli
