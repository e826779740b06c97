#pragma once

#include <initializer_list>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// The server's log: one line an event on standard error,
//   2026-11-21T09:00:00.123Z info  listening grpc="127.0.0.1:7070"
// Thread-safe. Values are quoted and control characters escaped here, so that
// nothing a stranger sends can forge a line. Never pass a token or a secret.
namespace gatehouse::log {

enum class Level { kDebug, kInfo, kWarning, kError };

struct Field {
  Field(absl::string_view k, const absl::AlphaNum& v) : key(k), value(v.Piece()) {}
  absl::string_view key;
  std::string value;
};

void Write(Level level, absl::string_view event, std::initializer_list<Field> fields = {});

inline void Debug(absl::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kDebug, event, fields);
}
inline void Info(absl::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kInfo, event, fields);
}
inline void Warning(absl::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kWarning, event, fields);
}
inline void Error(absl::string_view event, std::initializer_list<Field> fields = {}) {
  Write(Level::kError, event, fields);
}

// Nothing below this is written. kInfo unless set.
void SetLevel(Level level);

// `text` with control characters (those that change the direction of writing too),
// quotes, backslashes and bytes that are no UTF-8 written as \xNN (or \n, \t, \",
// \\), cut after `max_bytes` of `text`.
std::string Escape(absl::string_view text, size_t max_bytes = 512);

}  // namespace gatehouse::log
