#include "server/base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "absl/strings/str_format.h"
#include "server/base/text.h"

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
    } else if (length == 0 || DrivesDisplay(text.substr(0, length))) {
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
