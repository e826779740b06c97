#include "server/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/str_format.h"

namespace gatehouse::log {
namespace {

spdlog::logger& Logger() {
  // Leaked on purpose: threads may log until the program is gone.
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("gatehouse", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc));
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// The length of the well-formed UTF-8 sequence at the start of `text`, 0 if none.
size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF && tail(1)) return 2;
  if (c >= 0xE0 && c <= 0xEF && tail(1) && tail(2)) {
    if (c == 0xE0 && byte(1) < 0xA0) return 0;
    if (c == 0xED && byte(1) > 0x9F) return 0;
    return 3;
  }
  if (c >= 0xF0 && c <= 0xF4 && tail(1) && tail(2) && tail(3)) {
    if (c == 0xF0 && byte(1) < 0x90) return 0;
    if (c == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

// Whether the well-formed sequence `c` ends lines or drives what displays them.
bool IsControl(absl::string_view c) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(c[i]); };
  if (c.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7F;
  if (c.size() == 2) return (byte(0) == 0xC2 && byte(1) < 0xA0) || c == "\u061C";
  // U+2028/9 end lines for some readers. The others, Unicode's Bidi_Control, would let
  // a value reorder the rest of its line on the screen.
  return c.size() == 3 && (c == "\u200E" || c == "\u200F" || (c >= "\u2028" && c <= "\u202E") ||
                           (c >= "\u2066" && c <= "\u2069"));
}

}  // namespace

std::string Escape(absl::string_view text, size_t max_bytes) {
  std::string out;
  const bool cut = text.size() > max_bytes;
  if (cut) text = text.substr(0, max_bytes);
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text[0]);
    size_t length = Utf8Length(text);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (length == 0 || IsControl(text.substr(0, length))) {
      length = length == 0 ? 1 : length;
      for (size_t i = 0; i < length; ++i) {
        absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(text[i]));
      }
    } else {
      out.append(text.data(), length);
    }
    text.remove_prefix(length);
  }
  if (cut) out += "...";
  return out;
}

void SetLevel(Level level) { Logger().set_level(ToSpdlog(level)); }

void Write(Level level, absl::string_view event, std::initializer_list<Field> fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(ToSpdlog(level))) return;
  std::string line = Escape(event);
  for (const Field& field : fields) {
    absl::StrAppend(&line, " ", field.key, "=\"", Escape(field.value), "\"");
  }
  logger.log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace gatehouse::log
