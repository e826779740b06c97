#include <iostream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/revocation_text.h"
#include "client/cli/token_input.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string token_file;
  std::string issuer;
  std::string id;  // a token id, a session or a subject
  std::string issued_until;
  std::string reason;
};
using Shared = std::shared_ptr<Arguments>;

// Fills the request's target. Not OK: wrong arguments, with a message for people.
using Target = absl::Status (*)(const Arguments& arguments, v1::RevokeRequest& request);

void Print(const v1::RevokeResponse& reply) {
  const v1::Revocation& revocation = reply.revocation();
  std::cout << Coloured(Colour::kGreen, "revoked") << "\n";
  PrintRows({
      {KindOf(revocation), TargetOf(revocation)},
      {"issuer", revocation.issuer()},
      {"reason", revocation.reason()},
      {"made", revocation.has_create_time() ? TimeText(revocation.create_time()) : ""},
      {"by", revocation.actor()},
      {"kept until", revocation.has_end_time() ? TimeText(revocation.end_time()) : ""},
      {"id", revocation.id()},
      {"revision", absl::StrCat(revocation.revision())},
  });
}

int Revoke(const Arguments& arguments, Target target, const Options& options) {
  v1::RevokeRequest request;
  request.set_reason(arguments.reason);
  if (const absl::Status status = target(arguments, request); !status.ok()) {
    return Fail(status.message());
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
  if (options.output == Output::kText) Print(*reply);
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

absl::Status TargetSubject(const Arguments& arguments, v1::RevokeRequest& request) {
  v1::SubjectTarget& subject = *request.mutable_subject();
  subject.set_issuer(arguments.issuer);
  subject.set_subject(arguments.id);
  const std::string& until = arguments.issued_until;
  if (until.empty()) return absl::OkStatus();
  int64_t seconds = 0;
  absl::Time time;
  std::string error;
  if (until == "now") {
    seconds = absl::ToUnixSeconds(absl::Now());
  } else if (absl::ParseTime(absl::RFC3339_full, until, &time, &error)) {
    seconds = absl::ToUnixSeconds(time);
  } else if (!absl::SimpleAtoi(until, &seconds)) {
    return absl::InvalidArgumentError(
        "--issued-until must be now, a time such as 2026-11-21T09:00:00Z, or seconds since 1970");
  }
  subject.mutable_issued_until()->set_seconds(seconds);
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

}  // namespace

void AddRevoke(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const revoke =
      app.add_subcommand("revoke", "Make the server refuse a token, a session or a subject");
  revoke->require_subcommand(1);
  AddExamples(*revoke,
              "  gatehouse revoke token --reason stolen < ada.token\n"
              "  gatehouse revoke session --issuer https://login.example.com 9f2c\n"
              "  gatehouse revoke subject --issuer https://login.example.com ada\n"
              "  gatehouse revoke subject --help\n",
              kCodesOfADeed);

  CLI::App* const token =
      AddTarget(*revoke, action, arguments, "token", "Revoke one token", TargetToken);
  AddTokenFile(*token, arguments->token_file);
  AddExamples(*token,
              "  gatehouse revoke token --token-file ada.token --reason \"laptop stolen\"\n"
              "  gatehouse revoke token < ada.token\n",
              kCodesOfADeed);

  CLI::App* const token_id =
      AddTarget(*revoke, action, arguments, "token-id",
                "Revoke the token with an id (its jti claim)", TargetTokenId);
  AddId(*token_id, arguments, "id", "The jti claim");
  AddExamples(*token_id, "  gatehouse revoke token-id --issuer https://login.example.com 4711\n",
              kCodesOfADeed);

  CLI::App* const session =
      AddTarget(*revoke, action, arguments, "session",
                "Revoke every token of a session, also those still to come", TargetSession);
  AddId(*session, arguments, "session", "The session's id (the sid claim)");
  AddExamples(*session, "  gatehouse revoke session --issuer https://login.example.com 9f2c\n",
              kCodesOfADeed);

  CLI::App* const subject = AddTarget(*revoke, action, arguments, "subject",
                                      "Revoke every token of a subject up to now", TargetSubject);
  AddId(*subject, arguments, "subject", "The sub claim");
  AddText(*subject, "--issued-until", arguments->issued_until,
          "Refuse tokens issued up to then: now, a time or seconds since 1970. Without it, every "
          "token that can exist at this moment")
      ->type_name("TIME");
  AddExamples(*subject,
              "  gatehouse revoke subject --issuer https://login.example.com ada\n"
              "  gatehouse revoke subject --issuer https://login.example.com ada \\\n"
              "      --issued-until 2026-11-21T09:00:00Z --reason \"password changed\"\n",
              kCodesOfADeed);
}

}  // namespace gatehouse::cli
