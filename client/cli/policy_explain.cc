#include <algorithm>
#include <iostream>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/facts.h"
#include "client/cli/output.h"
#include "client/cli/policy.h"
#include "server/base/json_writer.h"
#include "server/base/status_macros.h"
#include "server/config/policy_tests.h"
#include "server/policy/deciding_rule.h"

namespace gatehouse::cli {
namespace {

using policy::RuleVerdict;
using policy::Truth;

struct Arguments {
  std::string config = "gatehouse.yaml";
  config::PolicyUser who;
  std::vector<std::string> claims;  // NAME=VALUE
  ResourceFacts facts;
};

struct Explanation {
  bool allowed = false;
  std::string rule;
  std::vector<RuleVerdict> rules;
};

absl::string_view Word(Truth truth) {
  switch (truth) {
    case Truth::kTrue:
      return "true";
    case Truth::kFalse:
      return "false";
    case Truth::kUnknown:
      return "unknown";
  }
  return "unknown";
}

absl::StatusOr<config::PolicyUser> ReadUser(const Arguments& arguments,
                                            const std::vector<std::string>& issuers) {
  config::PolicyUser who = arguments.who;
  if (who.issuer.empty() && issuers.size() == 1) who.issuer = issuers.front();
  if (std::find(issuers.begin(), issuers.end(), who.issuer) == issuers.end()) {
    return absl::InvalidArgumentError(absl::StrCat("--issuer must be one of the configuration's: ",
                                                   absl::StrJoin(issuers, ", ")));
  }
  for (const std::string& text : arguments.claims) {
    const auto [name, value] = SplitFact(text);
    if (name.empty()) {
      return absl::InvalidArgumentError("--claim must be NAME=VALUE, such as /profile/team=blue");
    }
    who.claims.emplace_back(name, value);
  }
  return who;
}

absl::StatusOr<config::PolicyTest> ReadQuestion(const Arguments& arguments,
                                                const std::vector<std::string>& issuers) {
  config::PolicyTest out;
  GH_ASSIGN_OR_RETURN(out.who, ReadUser(arguments, issuers));
  const ResourceFacts& facts = arguments.facts;
  out.resource = facts.resource;
  out.action = facts.action;
  out.owner = facts.owner;
  out.tenant = facts.tenant;
  for (const std::string& text : facts.relations) {
    auto [name, subject] = SplitFact(text);
    if (name.empty()) return absl::InvalidArgumentError(kBadRelation);
    const auto known =
        std::find_if(out.relations.begin(), out.relations.end(),
                     [&, &wanted = name](const auto& one) { return one.first == wanted; });
    if (known != out.relations.end()) {
      known->second.push_back(std::move(subject));
    } else {
      out.relations.emplace_back(std::move(name), std::vector<std::string>{std::move(subject)});
    }
  }
  GH_ASSIGN_OR_RETURN(const auto attributes, AttributesOf(facts));
  out.attributes.assign(attributes.begin(), attributes.end());
  GH_RETURN_IF_ERROR(
      out.With([](const policy::Question& question) { return policy::CheckQuestion(question); }));
  return out;
}

Explanation Ask(const policy::Policy& policy, const config::PolicyTest& asked) {
  const policy::Principal who = asked.who.ToPrincipal();
  return asked.With([&](const policy::Question& question) {
    const policy::Code code = policy.Decide(who, question);
    return Explanation{.allowed = code == policy::Code::kOk,
                       .rule = policy::DecidingRule(policy, who, question, code),
                       .rules = policy.Explain(who, question)};
  });
}

void PrintAsJson(const Explanation& told) {
  std::string line;
  JsonWriter json(line);
  json.BeginObject();
  json.Member("verdict", told.allowed ? "allow" : "deny");
  json.Member("rule", told.rule);
  json.Key("rules");
  json.BeginArray();
  for (const RuleVerdict& rule : told.rules) {
    json.BeginObject();
    json.Member("rule", rule.rule);
    json.Member("truth", Word(rule.truth));
    json.Member("lacking", rule.lacking);
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  std::cout << line << "\n";
}

void PrintAsText(const Explanation& told) {
  std::cout << VerdictWord(told.allowed) << ": " << Printable(told.rule) << "\n";
  for (const RuleVerdict& rule : told.rules) {
    constexpr size_t kWidth = 7;
    std::string truth(Word(rule.truth));
    truth.resize(std::max(truth.size(), kWidth), ' ');
    std::cout << "  " << Coloured(rule.is_good() ? Colour::kGreen : Colour::kRed, truth) << "  "
              << Printable(rule.rule);
    if (!rule.lacking.empty()) std::cout << ": " << Printable(rule.lacking);
    std::cout << "\n";
  }
}

int Explain(const Arguments& arguments, Output output) {
  const auto loaded = LoadPolicy(arguments.config);
  if (!loaded.ok()) return Fail(PrintableLines(loaded.status().message()));
  auto asked = ReadQuestion(arguments, loaded->issuers);
  if (!asked.ok()) return Fail(Printable(asked.status().message()));
  if (const absl::Status kept = loaded->KeepAsserted(asked->who); !kept.ok()) {
    return Fail(absl::StrCat("--token-tenant: ", kept.message(), ": such a token is refused"));
  }
  const Explanation told = Ask(loaded->policy, *asked);
  output == Output::kJson ? PrintAsJson(told) : PrintAsText(told);
  return told.allowed ? kYes : kNo;
}

}  // namespace

void AddPolicyExplain(CLI::App& policy, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      policy.add_subcommand("explain", "Ask the policy one question, and show every rule");
  AddConfig(*command, arguments->config);
  config::PolicyUser& who = arguments->who;
  AddText(*command, "--subject", who.subject, "Who asks: the token's subject")->required();
  AddText(*command, "--issuer", who.issuer, "The token's issuer; needed where there are several");
  AddText(*command, "--token-tenant", who.tenant, "The token's tenant");
  AddTexts(*command, "--role", who.roles, "A role of the token; may be repeated");
  AddTexts(*command, "--scope", who.scopes, "A scope of the token; may be repeated");
  AddTexts(*command, "--claim", arguments->claims,
           "NAME=VALUE: a claim of the token, by the name or path in the policy; may be repeated");
  AddResourceFacts(*command, arguments->facts, "--resource-tenant");
  AddExamples(*command,
              "  gatehouse policy explain --subject ada --resource task/7 --owner ada --action "
              "read\n"
              "  gatehouse policy explain --subject ada --token-tenant acme --role support \\\n"
              "      --resource task/7 --resource-tenant acme --action read\n",
              kCodesOfAQuestion);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Explain(*arguments, options.output); };
  });
}

}  // namespace gatehouse::cli
