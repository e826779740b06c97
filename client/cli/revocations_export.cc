#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/arguments.h"
#include "client/cli/connection.h"
#include "client/cli/new_file.h"
#include "client/cli/progress.h"
#include "client/cli/revocations.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string file;  // empty or "-": standard output
};

// Texts that come in one order and are wanted in the other, in a file without a name: the
// list may be longer than memory.
class Spool {
 public:
  absl::Status Add(absl::string_view text) {
    if (file_ == nullptr || std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) {
      return absl::UnavailableError("cannot write a temporary file: is the disk full?");
    }
    sizes_.push_back(text.size());
    total_ += static_cast<int64_t>(text.size());
    return absl::OkStatus();
  }

  // Gives the texts to `take`, the last one first.
  template <class Take>
  absl::Status Drain(Take take) {
    std::string text;
    for (; !sizes_.empty(); sizes_.pop_back()) {
      text.resize(sizes_.back());
      total_ -= static_cast<int64_t>(text.size());
      if (fseeko(file_.get(), total_, SEEK_SET) != 0 ||
          std::fread(text.data(), 1, text.size(), file_.get()) != text.size()) {
        return absl::UnavailableError("cannot read the temporary file back");
      }
      GH_RETURN_IF_ERROR(take(text));
    }
    return absl::OkStatus();
  }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Closer> file_{std::tmpfile()};
  std::vector<size_t> sizes_;
  int64_t total_ = 0;
};

struct List {
  Spool pages;  // newest first
  int64_t count = 0;
  int64_t revision = 0;
  std::string store_id;
};

absl::Status Fetch(Connection& connection, List& list) {
  Progress progress("revocations");
  v1::ListRevocationsRequest request;
  request.set_page_size(kPage);
  request.set_with_past(true);
  while (true) {
    v1::ListRevocationsResponse page;
    GH_RETURN_IF_ERROR(
        connection.Ask(&v1::AuthorizationService::Stub::ListRevocations, request, page));
    if (request.page_token().empty()) {
      list.revision = page.revision();
      list.store_id = page.store_id();
    }
    if (page.store_id() != list.store_id) {
      return absl::UnavailableError("the server has another store now: export again");
    }
    std::string lines;
    for (int i = page.revocations_size(); i-- > 0;) {
      GH_ASSIGN_OR_RETURN(const std::string json, ToJson(page.revocations(i)));
      absl::StrAppend(&lines, json, "\n");
    }
    GH_RETURN_IF_ERROR(list.pages.Add(lines));
    list.count += page.revocations_size();
    progress.Show(list.count);
    if (page.next_page_token().empty()) return absl::OkStatus();
    if (page.next_page_token() == request.page_token()) {
      return absl::UnavailableError(
          "the server gave the same page twice: the list is not complete");
    }
    request.set_page_token(page.next_page_token());
  }
}

// The oldest first, so that whoever imports them writes all of them: of two on one tag the
// weaker one mostly came before.
template <class Write>
absl::Status WriteList(List& list, Write write) {
  GH_RETURN_IF_ERROR(list.pages.Drain(write));
  v1::ListRevocationsResponse store;  // for its JSON
  store.set_store_id(list.store_id);
  GH_ASSIGN_OR_RETURN(const std::string json, ToJson(store));
  const size_t at = json.find("\"store_id\"");
  return write(absl::StrCat("{\"", kEndOfList, "\":{\"", kRevocations, "\":", list.count,
                            ",\"revision\":", list.revision, ",", json.substr(at), "}\n"));
}

absl::Status Export(const Arguments& arguments, const Options& options) {
  Connection connection(options);
  List list;
  if (arguments.file.empty() || arguments.file == "-") {
    GH_RETURN_IF_ERROR(Fetch(connection, list));
    return WriteList(list, [](const std::string& text) {
      std::cout << text;
      return std::cout.good() ? absl::OkStatus()
                              : absl::UnavailableError("the output could not be written");
    });
  }
  GH_ASSIGN_OR_RETURN(NewFile file, NewFile::Make(arguments.file));
  GH_RETURN_IF_ERROR(Fetch(connection, list));
  GH_RETURN_IF_ERROR(
      WriteList(list, [&file](const std::string& text) { return file.Write(text); }));
  GH_RETURN_IF_ERROR(file.Finish());
  if (options.output == Output::kText) {
    std::cout << "exported " << list.count << " revocations to " << Printable(arguments.file)
              << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddExport(CLI::App& revocations, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = revocations.add_subcommand(
      "export", "Write all that the server keeps, one JSON object a line, the oldest first");
  command
      ->add_option("file", arguments->file,
                   "Where to; replaced as a whole, or left as it is. Without it: standard "
                   "output")
      ->type_name("FILE");
  AddExamples(*command,
              "  gatehouse revocations export revocations.jsonl\n"
              "  gatehouse revocations export | gzip > revocations.jsonl.gz\n"
              "\nAlso those that have ended or were taken back, as long as they are kept. The last "
              "line,\n{\"end_of_list\":...}, says how many there are; a list without it was cut "
              "off.\n",
              kCodesOfADeed);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) {
      const absl::Status status = Export(*arguments, options);
      return status.ok() ? kYes : Fail(status.message());
    };
  });
}

}  // namespace gatehouse::cli
