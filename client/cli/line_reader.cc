#include "client/cli/line_reader.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/jose/json.h"

namespace gatehouse::cli {
namespace {

constexpr size_t kChunk = size_t{256} * 1024;

std::string Reason(const std::string& path, int error) {
  return absl::StrCat(path, ": ", std::generic_category().message(error));
}

}  // namespace

void LineReader::Closer::operator()(std::FILE* file) const {
  if (file != stdin) std::fclose(file);
}

absl::StatusOr<LineReader> LineReader::Open(const std::string& path) {
  if (path == "-") return LineReader("standard input", stdin);
  std::FILE* const file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr) return absl::InvalidArgumentError(Reason(path, errno));
  return LineReader(path, file);
}

absl::StatusOr<bool> LineReader::Fill() {
  buffer_.resize(kChunk);
  begin_ = 0;
  const size_t n = std::fread(buffer_.data(), 1, kChunk, file_.get());
  const int error = errno;
  buffer_.resize(n);
  bytes_ += static_cast<int64_t>(n);
  if (n == 0 && std::ferror(file_.get()) != 0) {
    return absl::UnavailableError(Reason(path_, error));
  }
  return n > 0;
}

absl::StatusOr<LineReader::Next> LineReader::Read() {
  line_.clear();
  bool any = false;
  bool too_long = false;
  while (true) {
    if (begin_ == buffer_.size()) {
      GH_ASSIGN_OR_RETURN(const bool more, Fill());
      if (!more) break;
    }
    any = true;
    const size_t end = std::min(buffer_.find('\n', begin_), buffer_.size());
    too_long = too_long || line_.size() + (end - begin_) > kMaxLine;
    if (!too_long) line_.append(buffer_, begin_, end - begin_);
    const bool whole = end < buffer_.size();
    begin_ = whole ? end + 1 : end;
    if (whole) break;
  }
  if (!any) return Next::kEnd;
  ++number_;
  size_ = too_long ? 0 : line_.size();
  line_.resize(size_ + jose::kJsonPadding);
  return too_long ? Next::kTooLong : Next::kLine;
}

}  // namespace gatehouse::cli
