#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace gatehouse::frontend {

// Looks at the head of an HTTP/1 request as it comes. Stricter than RFC 9112 lets servers
// be, and than parsers are, so that nobody before this one can have seen other requests in
// the same bytes. Lines end in CR LF alone. The first one is a token, one space, visible
// ASCII, one space, and HTTP/1.0 or HTTP/1.1; each other one a token directly before its
// colon, and no control bytes but tabs. No line continues another one; 256 fields at most.
// What fields say of the body is not looked at.
class HttpHeadScan {
 public:
  enum class State {
    kMore,   // it has not ended, and is right as far as it goes
    kWhole,  // it has ended, after size()
    kBad,    // two programs could read it in two ways
  };

  // `bytes`: all that has come, from the head's first byte. What was looked at before is
  // not looked at again.
  State Look(absl::string_view bytes);
  // The empty line included.
  size_t size() const { return line_; }

 private:
  bool IsRight(absl::string_view line) const;

  size_t line_ = 0;  // where the line that has not ended begins
  size_t seen_ = 0;
  int lines_ = 0;
};

}  // namespace gatehouse::frontend
