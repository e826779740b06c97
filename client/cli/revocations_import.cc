#include <google/protobuf/util/json_util.h>
#include <simdjson.h>

#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "client/cli/arguments.h"
#include "client/cli/connection.h"
#include "client/cli/line_reader.h"
#include "client/cli/progress.h"
#include "client/cli/revocations.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

constexpr int kBatch = 500;
// A server takes 128 KiB.
constexpr size_t kBatchBytes = size_t{96} * 1024;

struct Arguments {
  std::string file;
};

// How many revocations the end line of a list speaks of; -1 if this is none.
int64_t EndOfList(const std::string& line) {
  if (!absl::StartsWith(line, absl::StrCat("{\"", kEndOfList, "\""))) return -1;
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  int64_t count = -1;
  if (parser.parse(line).get(document) != simdjson::SUCCESS ||
      document[kEndOfList][kRevocations].get(count) != simdjson::SUCCESS) {
    return -1;
  }
  return count;
}

// Reads a list and sends it, a batch at a time.
class Importer {
 public:
  Importer(const std::string& name, const Options& options) : name_(name), connection_(options) {}

  absl::Status Run(LineReader& in) {
    while (true) {
      GH_ASSIGN_OR_RETURN(const LineReader::Next next, in.Read());
      if (next == LineReader::Next::kEnd) break;
      line_ = in.number();
      if (next == LineReader::Next::kTooLong) return Damaged(line_, "is too long");
      GH_RETURN_IF_ERROR(Take(std::string(in.line())));
    }
    GH_RETURN_IF_ERROR(Send());
    if (complete_) return absl::OkStatus();
    return absl::DataLossError(absl::StrCat(
        name_, " has no end line: it may have been cut off. All that is in it was imported (",
        Counts(), "); export it again, and import the rest"));
  }

  const v1::ImportRevocationsResponse& sum() const { return sum_; }

 private:
  absl::Status Take(std::string line) {
    absl::StripTrailingAsciiWhitespace(&line);
    if (line.empty()) return absl::OkStatus();
    if (const int64_t count = EndOfList(line); count >= 0) {
      if (count != of_list_) {
        return Damaged(line_, absl::StrCat("says that there are ", count,
                                           " revocations before it, but there are ", of_list_));
      }
      complete_ = true;
      of_list_ = 0;
      return absl::OkStatus();
    }
    v1::Revocation revocation;
    const auto parsed = google::protobuf::util::JsonStringToMessage(line, &revocation);
    if (!parsed.ok()) return Damaged(line_, "is no revocation in JSON");
    if (revocation.id().empty()) return Damaged(line_, "holds no id");
    const size_t bytes = revocation.ByteSizeLong() + 8;
    if (bytes_ + bytes > kBatchBytes) GH_RETURN_IF_ERROR(Send());
    bytes_ += bytes;
    lines_.push_back(line_);
    *batch_.add_revocations() = std::move(revocation);
    ++of_list_;
    complete_ = false;
    return batch_.revocations_size() == kBatch ? Send() : absl::OkStatus();
  }

  absl::Status Send() {
    if (lines_.empty()) return absl::OkStatus();
    v1::ImportRevocationsResponse reply;
    const absl::Status status =
        connection_.Ask(&v1::AuthorizationService::Stub::ImportRevocations, batch_, reply);
    if (!status.ok()) return Refused(status);
    sum_.set_added(sum_.added() + reply.added());
    sum_.set_known(sum_.known() + reply.known());
    sum_.set_revision(reply.revision());
    sum_.set_store_id(reply.store_id());
    progress_.Show(sum_.added() + sum_.known());
    batch_.Clear();
    lines_.clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

  // The server names an entry of the batch: "revocations[3].id: ...".
  absl::Status Refused(const absl::Status& status) const {
    const std::string message(status.message());
    const std::string at = absl::StrCat(kRevocations, "[");
    const size_t begin = message.find(at);
    if (absl::IsInvalidArgument(status) && begin != std::string::npos) {
      const absl::string_view rest = absl::string_view(message).substr(begin + at.size());
      size_t index = 0;
      if (absl::SimpleAtoi(rest.substr(0, rest.find(']')), &index) && index < lines_.size()) {
        const size_t what = rest.find("].");
        return Damaged(lines_[index],
                       what == absl::string_view::npos ? rest : rest.substr(what + 2));
      }
    }
    return {status.code(), absl::StrCat(message, "\n", Left())};
  }

  absl::Status Damaged(int64_t line, absl::string_view how) const {
    return absl::InvalidArgumentError(absl::StrCat(name_, ":", line, ": ", how, "\n", Left()));
  }

  std::string Counts() const {
    return absl::StrCat(sum_.added(), " added, ", sum_.known(), " known before");
  }

  std::string Left() const {
    return absl::StrCat("Nothing was imported from line ", lines_.empty() ? line_ : lines_.front(),
                        " on; before it: ", Counts(),
                        ". Import the same file again when this is mended: what is there "
                        "already is passed over.");
  }

  const std::string name_;
  Connection connection_;
  Progress progress_{"revocations"};
  int64_t line_ = 0;
  v1::ImportRevocationsRequest batch_;
  std::vector<int64_t> lines_;  // of the batch
  size_t bytes_ = 0;
  v1::ImportRevocationsResponse sum_;
  int64_t of_list_ = 0;  // revocations since the beginning or the last end line
  bool complete_ = false;
};

int Report(const v1::ImportRevocationsResponse& sum, const Options& options) {
  if (options.output == Output::kJson) {
    const absl::Status written = PrintJson(sum);
    return written.ok() ? kYes : Fail(written.message());
  }
  std::cout << Coloured(Colour::kGreen, "imported") << "\n";
  PrintRows({
      {"added", absl::StrCat(sum.added())},
      {"known before", absl::StrCat(sum.known())},
      {"revision", absl::StrCat(sum.revision())},
      {"store", sum.store_id()},
  });
  return kYes;
}

int Import(const Arguments& arguments, const Options& options) {
  absl::StatusOr<LineReader> in = LineReader::Open(arguments.file);
  if (!in.ok()) return Fail(Printable(in.status().message()));
  v1::ImportRevocationsResponse sum;
  absl::Status status;
  {
    const std::string name = arguments.file == "-" ? "standard input" : Printable(arguments.file);
    Importer importer(name, options);
    status = importer.Run(*in);
    sum = importer.sum();
  }
  return status.ok() ? Report(sum, options) : Fail(status.message());
}

}  // namespace

void AddImport(CLI::App& revocations, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = revocations.add_subcommand(
      "import", "Write revocations that another server exported; what is known is passed over");
  command
      ->add_option("file", arguments->file,
                   "What `gatehouse revocations export` wrote; - is standard input")
      ->type_name("FILE")
      ->required();
  AddExamples(*command,
              "  gatehouse revocations import revocations.jsonl\n"
              "\nIn batches of up to 500 lines, each written as a whole or not at all. When it "
              "fails\nhalfway, the same command goes on from there.\n",
              kCodesOfADeed);
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return Import(*arguments, options); };
  });
}

}  // namespace gatehouse::cli
