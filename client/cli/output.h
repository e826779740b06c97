#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// What is written. Everything that came from a token or from a server passes
// through Printable() or ToJson(), so that no claim can drive a terminal.
namespace gatehouse::cli {

// `text` with control characters and bytes that are no UTF-8 written as \xNN.
std::string Printable(absl::string_view text);

// The same with the line ends left: for messages whose lines were put together here.
std::string PrintableLines(absl::string_view text);

// "2026-11-21T09:00:00Z".
std::string TimeText(const google::protobuf::Timestamp& time);

enum class Colour { kGreen, kRed };
// `text` coloured if standard output is a terminal that wants it (NO_COLOR unset).
std::string Coloured(Colour colour, absl::string_view text);

// Label and value; a row with an empty value is left out. Values are made printable.
using Rows = std::vector<std::pair<std::string, std::string>>;
// Writes the rows to standard output, indented and aligned.
void PrintRows(const Rows& rows);

// A table on standard output that comes in parts.
class Table {
 public:
  explicit Table(std::vector<std::string> headings);

  // Writes lines, with the headings above the first of all. Columns are aligned within
  // a part and never become narrower in the next. Cells are made printable.
  void Print(const std::vector<std::vector<std::string>>& lines);

 private:
  void PrintLine(const std::vector<std::string>& cells) const;

  const std::vector<std::string> headings_;
  std::vector<size_t> widths_;
  bool begun_ = false;
};

// `message` on one line, in protobuf's JSON with the field names of the .proto files.
// INVALID_ARGUMENT, with a message for people, if it holds what JSON has no form for,
// such as a time beyond the year 9999.
absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message);

// Writes `message` as a line of JSON to standard output. Not OK: nothing was written.
absl::Status PrintJson(const google::protobuf::Message& message);

// Writes "gatehouse: `message`" to standard error. Returns kUnknown.
int Fail(absl::string_view message);

// Writes a line to standard error that changes no result.
void Note(absl::string_view text);

}  // namespace gatehouse::cli
