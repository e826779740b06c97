#include "client/cli/revocations.h"

#include <algorithm>
#include <array>
#include <iostream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/revocation_text.h"
#include "client/cli/time_input.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr std::array<absl::string_view, 7> kKinds = {"token",  "token-id", "session", "subject",
                                                     "tenant", "client",   "key"};

struct Arguments {
  int64_t limit = 100;  // 0: all
  std::string kind;
  std::string issuer;
  std::string by;
  std::string from;
  std::string before;
  bool all = false;
};
using Shared = std::shared_ptr<Arguments>;

std::vector<std::string> Headings(bool with_past) {
  std::vector<std::string> headings = {"REVISION", "MADE", "KIND",   "TARGET",
                                       "ISSUER",   "BY",   "REASON", "ID"};
  if (with_past) headings.emplace_back("STATE");
  return headings;
}

std::vector<std::string> Line(const v1::Revocation& revocation, bool with_past) {
  std::vector<std::string> line = {
      absl::StrCat(revocation.revision()),
      revocation.has_create_time() ? TimeText(revocation.create_time()) : "",
      KindOf(revocation),
      TargetOf(revocation),
      revocation.issuer(),
      revocation.actor(),
      revocation.reason(),
      revocation.id(),
  };
  if (with_past) line.push_back(StateOf(revocation, absl::Now()));
  return line;
}

absl::Status PrintPage(const v1::ListRevocationsResponse& page, Output output, bool with_past,
                       Table& table) {
  std::vector<std::vector<std::string>> lines;
  for (const v1::Revocation& revocation : page.revocations()) {
    if (output == Output::kJson) {
      GH_RETURN_IF_ERROR(PrintJson(revocation));
    } else {
      lines.push_back(Line(revocation, with_past));
    }
  }
  if (!lines.empty()) table.Print(lines);
  return absl::OkStatus();
}

absl::Status CheckKind(const std::string& kind) {
  if (kind.empty() || std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "--kind must be token, token-id, session, subject, tenant, client or key");
}

absl::Status SetFilters(const Arguments& arguments, v1::ListRevocationsRequest& request) {
  const std::string kind = absl::StrReplaceAll(arguments.kind, {{"_", "-"}});
  GH_RETURN_IF_ERROR(CheckKind(kind));
  request.set_kind(absl::StrReplaceAll(kind, {{"-", "_"}}));
  request.set_issuer(arguments.issuer);
  request.set_actor(arguments.by);
  request.set_with_past(arguments.all);
  if (!arguments.from.empty()) {
    GH_ASSIGN_OR_RETURN(const absl::Time from, ParseMoment("--from", arguments.from));
    SetStamp(from, *request.mutable_created_from());
  }
  if (!arguments.before.empty()) {
    GH_ASSIGN_OR_RETURN(const absl::Time before, ParseMoment("--before", arguments.before));
    SetStamp(before, *request.mutable_created_before());
  }
  return absl::OkStatus();
}

int Revocations(const Arguments& arguments, const Options& options) {
  Connection connection(options);
  v1::ListRevocationsRequest request;
  if (const absl::Status status = SetFilters(arguments, request); !status.ok()) {
    return Fail(status.message());
  }
  Table table(Headings(arguments.all));
  int64_t shown = 0;
  while (true) {
    const int64_t wanted =
        arguments.limit == 0 ? kPage : std::min<int64_t>(kPage, arguments.limit - shown);
    request.set_page_size(static_cast<int32_t>(wanted));
    const auto page = connection.Call(&v1::AuthorizationService::Stub::ListRevocations, request);
    if (!page.has_value()) return kUnknown;
    const absl::Status printed = PrintPage(*page, options.output, arguments.all, table);
    if (!printed.ok()) return Fail(printed.message());
    if (page->revocations().empty() && shown == 0 && page->next_page_token().empty() &&
        options.output == Output::kText) {
      std::cout << "no revocations\n";
    }
    shown += page->revocations_size();
    if (page->next_page_token().empty()) return kYes;
    if (arguments.limit != 0 && shown >= arguments.limit) {
      std::cout.flush();
      std::cerr << "gatehouse: there are more; --limit 0 shows all\n";
      return kYes;
    }
    if (page->next_page_token() == request.page_token()) {
      return Fail("the server gave the same page twice: the list is not complete");
    }
    request.set_page_token(page->next_page_token());
  }
}

void AddListOptions(CLI::App& command, const Shared& arguments) {
  command.add_option("--limit", arguments->limit, "How many at most; 0 for all")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Validator(
          [](const std::string& number) {
            int64_t parsed = 0;
            const bool good = absl::SimpleAtoi(number, &parsed) && parsed >= 0;
            return std::string(good ? "" : "must be a number, 0 or more");
          },
          ""));
  AddText(command, "--kind", arguments->kind,
          "Only of this kind: token, token-id, session, subject, tenant, client or key");
  AddText(command, "--issuer", arguments->issuer, "Only of this issuer");
  AddText(command, "--by", arguments->by, "Only those that this caller made");
  AddText(command, "--from", arguments->from,
          "Only those made then or later: now, a time or seconds since 1970")
      ->type_name("TIME");
  AddText(command, "--before", arguments->before, "Only those made before then")->type_name("TIME");
  command.add_flag("--all", arguments->all, "Also those that have ended or were taken back");
}

void AddListExamples(CLI::App& command) {
  AddExamples(command,
              "  gatehouse revocations\n"
              "  gatehouse revocations list --kind subject --by support --from "
              "2026-11-01T00:00:00Z\n"
              "  gatehouse revocations list --all --limit 0 --output json | jq .id\n"
              "  gatehouse revocations export revocations.jsonl\n"
              "  gatehouse revocations import --help\n",
              kCodesOfADeed);
}

// The options of the list may stand before a subcommand's name, but only for `list`.
void RefuseListOptions(const CLI::App& command, const CLI::App& subcommand) {
  for (const CLI::Option* const option : command.get_options()) {
    if (option->count() == 0) continue;
    throw CLI::ValidationError(
        option->get_name(),
        absl::StrCat("is none of `gatehouse revocations ", subcommand.get_name(), "`"));
  }
}

}  // namespace

void AddRevocations(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = app.add_subcommand(
      "revocations", "List what has been revoked, newest first; export, import, back up");
  command->require_subcommand(0, 1);
  CLI::App* const list = command->add_subcommand("list", "The same as without a subcommand");
  for (CLI::App* const each : {command, list}) {
    AddListOptions(*each, arguments);
    AddListExamples(*each);
  }
  AddExport(*command, action);
  AddImport(*command, action);
  AddBackup(*command, action);
  // After that of a subcommand.
  command->callback([arguments, command, list, &action] {
    const std::vector<CLI::App*> chosen = command->get_subcommands();
    if (!chosen.empty() && chosen.front() != list) {
      return RefuseListOptions(*command, *chosen.front());
    }
    action = [arguments](const Options& options) { return Revocations(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
