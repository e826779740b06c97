#include <algorithm>
#include <iostream>
#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/claim_set.h"
#include "client/cli/commands.h"
#include "client/cli/dev_key.h"
#include "client/cli/output.h"
#include "server/base/clock.h"
#include "server/base/status_macros.h"
#include "server/config/config.h"
#include "server/config/issuer.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string config = "gatehouse.yaml";
  std::string issuer;
  std::string subject;
  std::string audience;
  absl::Duration lifetime = absl::Minutes(15);
  std::string session;
  std::string token_id;
  std::string tenant;
  std::vector<std::string> roles;
  std::vector<std::string> claims;
  bool create_key = false;
};

// An issuer of the configuration that may have its tokens made here.
absl::StatusOr<config::Issuer> ChooseIssuer(const std::vector<config::Issuer>& issuers,
                                            const std::string& name) {
  std::vector<std::string> known;
  std::vector<config::Issuer> marked;
  for (const config::Issuer& issuer : issuers) {
    known.push_back(Printable(issuer.rules.issuer));
    if (issuer.rules.issuer == name) return issuer;
    if (issuer.development_key_file.has_value()) marked.push_back(issuer);
  }
  if (!name.empty()) {
    return absl::NotFoundError(absl::StrCat("the configuration has no issuer ", Printable(name),
                                            "; it has: ", absl::StrJoin(known, ", ")));
  }
  if (marked.size() == 1) return marked[0];
  if (marked.empty() && issuers.size() == 1) return issuers[0];
  return absl::InvalidArgumentError(absl::StrCat(
      marked.empty() ? "no issuer" : "more than one issuer",
      " is marked `development:`; name one with --issuer: ", absl::StrJoin(known, ", ")));
}

// A key may be made before the rest of the configuration is right.
absl::StatusOr<std::vector<config::Issuer>> IssuersFor(const Arguments& arguments) {
  if (arguments.create_key) return config::LoadIssuers(arguments.config);
  GH_ASSIGN_OR_RETURN(config::Config config, config::LoadConfig(arguments.config));
  return std::move(config.issuers);
}

// The issuer that was asked for, only if tokens may be made for it.
absl::StatusOr<config::Issuer> DevelopmentIssuer(const Arguments& arguments) {
  GH_ASSIGN_OR_RETURN(const std::vector<config::Issuer> issuers, IssuersFor(arguments));
  GH_ASSIGN_OR_RETURN(config::Issuer issuer, ChooseIssuer(issuers, arguments.issuer));
  if (!issuer.development_key_file.has_value()) {
    return absl::PermissionDeniedError(absl::StrCat(
        Printable(issuer.rules.issuer),
        " is not marked as an issuer for development, so no token is made for it.\n"
        "If it is one, add to its entry in ",
        Printable(arguments.config),
        ":\n    development: {private_key_file: dev-key.pem}\n"
        "Never do so for an issuer of production: who can read that key can be anyone."));
  }
  return issuer;
}

absl::Status CreateKeyOf(const config::Issuer& issuer) {
  // The configuration lets `development` stand beside no other keys.
  const std::string& jwks = std::get<config::KeysFile>(issuer.keys).path;
  GH_RETURN_IF_ERROR(CreateKey(*issuer.development_key_file, jwks));
  Note(absl::StrCat("made ", Printable(*issuer.development_key_file), " and ", Printable(jwks)));
  return absl::OkStatus();
}

// Tokens of one second must differ, or revoking one would revoke the others.
std::string RandomId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

absl::StatusOr<std::string> ClaimsOf(const Arguments& arguments, const jose::IssuerRules& rules) {
  const std::string& audience =
      arguments.audience.empty() ? rules.audiences.front() : arguments.audience;
  const absl::Time now = SystemClock().Now();
  ClaimSet claims;
  claims.Set("iss", JsonString(rules.issuer));
  claims.Set("sub", JsonString(arguments.subject));
  claims.Set("aud", JsonString(audience));
  claims.Set("iat", absl::StrCat(absl::ToUnixSeconds(now)));
  claims.Set("exp", absl::StrCat(absl::ToUnixSeconds(now + arguments.lifetime)));
  claims.Set("jti", JsonString(arguments.token_id.empty() ? RandomId() : arguments.token_id));
  if (!arguments.session.empty()) claims.SetAt(rules.claims.session, JsonString(arguments.session));
  if (!arguments.roles.empty()) claims.SetAt(rules.claims.roles, JsonStrings(arguments.roles));
  if (!arguments.tenant.empty()) {
    if (rules.claims.tenant.empty()) {
      return absl::FailedPreconditionError(absl::StrCat(
          Printable(rules.issuer), " names no tenant claim: set `claims: {tenant: ...}`"));
    }
    claims.SetAt(rules.claims.tenant, JsonString(arguments.tenant));
  }
  for (const std::string& claim : arguments.claims) {
    GH_RETURN_IF_ERROR(claims.SetFromArgument(claim));
  }
  return claims.ToJson();
}

void NoteWhatTheServerWillRefuse(const Arguments& arguments, const jose::IssuerRules& rules) {
  const auto& known = rules.audiences;
  if (!arguments.audience.empty() &&
      std::find(known.begin(), known.end(), arguments.audience) == known.end()) {
    Note("the audience is none of the issuer's `audiences`: the server will refuse this token");
  }
  if (arguments.lifetime > rules.max_token_lifetime) {
    Note(absl::StrCat("the lifetime is above the issuer's `max_token_lifetime` of ",
                      absl::FormatDuration(rules.max_token_lifetime),
                      ": the server will refuse this token"));
  }
}

absl::StatusOr<std::string> MakeToken(const Arguments& arguments, const config::Issuer& issuer) {
  GH_ASSIGN_OR_RETURN(const jose::SigningKey key, LoadKey(*issuer.development_key_file));
  GH_ASSIGN_OR_RETURN(const std::string claims, ClaimsOf(arguments, issuer.rules));
  NoteWhatTheServerWillRefuse(arguments, issuer.rules);
  return key.Sign(claims);
}

int DevToken(const Arguments& arguments, const Options& options) {
  if (arguments.subject.empty() && !arguments.create_key) {
    return Fail("--subject is needed: whose token is it?\nSee `gatehouse dev-token --help`.");
  }
  const absl::StatusOr<config::Issuer> issuer = DevelopmentIssuer(arguments);
  if (!issuer.ok()) return Fail(issuer.status().message());
  if (arguments.create_key) {
    if (const absl::Status made = CreateKeyOf(*issuer); !made.ok()) return Fail(made.message());
    if (arguments.subject.empty()) return kYes;
  }
  const absl::StatusOr<std::string> token = MakeToken(arguments, *issuer);
  if (!token.ok()) return Fail(token.status().message());
  if (options.output == Output::kJson) {
    std::cout << "{\"token\":" << JsonString(*token) << "}\n";
  } else {
    std::cout << *token << "\n";
  }
  return kYes;
}

void AddOptions(CLI::App& command, Arguments& arguments) {
  command.add_option("--config", arguments.config, "The server's configuration file")
      ->capture_default_str()
      ->type_name("FILE");
  AddText(command, "--issuer", arguments.issuer,
          "Whose token; may be left out if one issuer alone is marked `development:`");
  AddText(command, "--subject", arguments.subject, "The sub claim");
  AddText(command, "--audience", arguments.audience, "The aud claim, else the issuer's first");
  AddDuration(command, "--lifetime", arguments.lifetime, "How long it is good");
  AddText(command, "--session", arguments.session, "The session's id");
  AddText(command, "--token-id", arguments.token_id, "The jti claim, else a random one");
  AddText(command, "--tenant", arguments.tenant, "The tenant");
  AddTexts(command, "--role", arguments.roles, "A role; may be given more than once");
  AddTexts(
      command, "--claim", arguments.claims,
      "Another claim as name=JSON, also in place of one set above; may be given more than once");
  command.add_flag("--create-key", arguments.create_key,
                   "First make the issuer's private key and JWKS file, if neither is there; "
                   "without --subject that is all");
}

}  // namespace

void AddDevToken(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "dev-token", "Make a token of an issuer that the configuration marks as one for development");
  AddOptions(*command, *arguments);
  AddExamples(*command,
              "  gatehouse dev-token --config gatehouse.yaml --create-key\n"
              "  gatehouse dev-token --config gatehouse.yaml --subject ada > ada.token\n"
              "  gatehouse dev-token --subject ada --role admin --claim 'org=\"acme\"' | gatehouse "
              "verify\n",
              kCodesOfADeed);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return DevToken(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
