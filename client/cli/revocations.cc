#include <algorithm>
#include <iostream>
#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/commands.h"
#include "client/cli/connection.h"
#include "client/cli/revocation_text.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr int64_t kPage = 1000;

struct Arguments {
  int64_t limit = 100;  // 0: all
};

std::vector<std::string> Line(const v1::Revocation& revocation) {
  return {
      absl::StrCat(revocation.revision()),
      revocation.has_create_time() ? TimeText(revocation.create_time()) : "",
      KindOf(revocation),
      TargetOf(revocation),
      revocation.issuer(),
      revocation.actor(),
      revocation.reason(),
      revocation.id(),
  };
}

absl::Status PrintPage(const v1::ListRevocationsResponse& page, Output output, Table& table) {
  std::vector<std::vector<std::string>> lines;
  for (const v1::Revocation& revocation : page.revocations()) {
    if (output == Output::kJson) {
      GH_RETURN_IF_ERROR(PrintJson(revocation));
    } else {
      lines.push_back(Line(revocation));
    }
  }
  if (!lines.empty()) table.Print(lines);
  return absl::OkStatus();
}

int Revocations(const Arguments& arguments, const Options& options) {
  Connection connection(options);
  v1::ListRevocationsRequest request;
  Table table({"REVISION", "MADE", "KIND", "TARGET", "ISSUER", "BY", "REASON", "ID"});
  int64_t shown = 0;
  while (true) {
    const int64_t wanted = arguments.limit == 0 ? kPage : std::min(kPage, arguments.limit - shown);
    request.set_page_size(static_cast<int32_t>(wanted));
    const auto page = connection.Call(&v1::AuthorizationService::Stub::ListRevocations, request);
    if (!page.has_value()) return kUnknown;
    const absl::Status printed = PrintPage(*page, options.output, table);
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

}  // namespace

void AddRevocations(CLI::App& app, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command =
      app.add_subcommand("revocations", "List what has been revoked, newest first");
  command->add_option("--limit", arguments->limit, "How many at most; 0 for all")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Validator(
          [](const std::string& number) {
            int64_t parsed = 0;
            const bool good = absl::SimpleAtoi(number, &parsed) && parsed >= 0;
            return std::string(good ? "" : "must be a number, 0 or more");
          },
          ""));
  AddExamples(*command,
              "  gatehouse revocations\n"
              "  gatehouse revocations --limit 0 --output json > revocations.jsonl\n",
              kCodesOfADeed);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Revocations(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
