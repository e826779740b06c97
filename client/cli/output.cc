#include "client/cli/output.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "client/cli/commands.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace gatehouse::cli {
namespace {

// How many columns printable UTF-8 text takes, near enough: one a code point.
size_t Width(absl::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Padded(const std::string& text, size_t width) {
  const size_t have = Width(text);
  return have >= width ? text : text + std::string(width - have, ' ');
}

bool WantsColour() {
  const char* const no_color = std::getenv("NO_COLOR");  // NOLINT(concurrency-mt-unsafe)
  if (no_color != nullptr && *no_color != '\0') return false;
  const char* const term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  if (term == nullptr || absl::string_view(term) == "dumb") return false;
  return isatty(STDOUT_FILENO) != 0;
}

}  // namespace

std::string Printable(absl::string_view text) {
  // The log also escapes quotes and backslashes, which would make JSON unreadable here.
  std::string out;
  while (!text.empty()) {
    const size_t plain = std::min(text.find_first_of("\"\\"), text.size());
    out += log::Escape(text.substr(0, plain), std::numeric_limits<size_t>::max());
    if (plain < text.size()) out += text[plain];
    text.remove_prefix(std::min(plain + 1, text.size()));
  }
  return out;
}

std::string PrintableLines(absl::string_view text) {
  std::vector<std::string> lines;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    lines.push_back(Printable(line));
  }
  return absl::StrJoin(lines, "\n");
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(time.seconds()),
                          absl::UTCTimeZone());
}

std::string Coloured(Colour colour, absl::string_view text) {
  if (!WantsColour()) return std::string(text);
  return absl::StrCat(colour == Colour::kGreen ? "\x1b[32m" : "\x1b[31m", text, "\x1b[0m");
}

void PrintRows(const Rows& rows) {
  size_t width = 0;
  for (const auto& [label, value] : rows) {
    if (!value.empty()) width = std::max(width, label.size());
  }
  for (const auto& [label, value] : rows) {
    if (!value.empty())
      std::cout << "  " << Padded(label, width) << "  " << Printable(value) << "\n";
  }
}

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (const std::string& heading : headings_) widths_.push_back(Width(heading));
}

void Table::Print(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::vector<std::string>> printable;
  for (const auto& line : lines) {
    std::vector<std::string>& cells = printable.emplace_back();
    for (const std::string& cell : line) cells.push_back(cell.empty() ? "-" : Printable(cell));
    for (size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], Width(cells[i]));
  }
  if (!begun_) PrintLine(headings_);
  begun_ = true;
  for (const auto& cells : printable) PrintLine(cells);
}

void Table::PrintLine(const std::vector<std::string>& cells) const {
  for (size_t i = 0; i + 1 < cells.size(); ++i) std::cout << Padded(cells[i], widths_[i]) << "  ";
  std::cout << cells.back() << "\n";
}

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto made = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!made.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the server's answer cannot be written as JSON: ", Printable(made.ToString()),
                     "\nTry --output text."));
  }
  // Protobuf escapes every other control character, of direction too. They stand in
  // strings alone, where \u is at home.
  return absl::StrReplaceAll(json, {{"\u2066", "\\u2066"},
                                    {"\u2067", "\\u2067"},
                                    {"\u2068", "\\u2068"},
                                    {"\u2069", "\\u2069"},
                                    {"\u061C", "\\u061c"}});
}

absl::Status PrintJson(const google::protobuf::Message& message) {
  GH_ASSIGN_OR_RETURN(const std::string json, ToJson(message));
  std::cout << json << "\n";
  return absl::OkStatus();
}

int Fail(absl::string_view message) {
  std::cerr << "gatehouse: " << message << "\n";
  return kUnknown;
}

void Note(absl::string_view text) { std::cerr << "gatehouse: note: " << text << "\n"; }

}  // namespace gatehouse::cli
