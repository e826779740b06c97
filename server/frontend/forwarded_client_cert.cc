#include "server/frontend/forwarded_client_cert.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "server/config/spiffe_id.h"

namespace gatehouse::frontend {
namespace {

constexpr size_t kMaxHeader = size_t{16} * 1024;

bool IsPrintable(char c) { return absl::ascii_isprint(static_cast<unsigned char>(c)); }

class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  // False: it is not of the form. Then what was found is of no use.
  bool Read() {
    uris_ = 0;
    while (true) {
      if (!ReadPair()) return false;
      if (at_ == text_.size()) return true;
      // What came before a comma, others than the nearest proxy have written.
      if (text_[at_++] == ',') uris_ = 0;
    }
  }

  // Of the last element.
  int uris() const { return uris_; }
  absl::string_view uri() const { return uri_; }

 private:
  // Up to a comma, a semicolon or the end.
  bool ReadPair() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;  // as lists of headers are joined
    const size_t begin = at_;
    while (at_ < text_.size() && absl::ascii_isalpha(static_cast<unsigned char>(text_[at_]))) {
      ++at_;
    }
    const absl::string_view key = text_.substr(begin, at_ - begin);
    if (key.empty() || at_ == text_.size() || text_[at_] != '=') return false;
    ++at_;
    absl::string_view value;
    const bool quoted = at_ < text_.size() && text_[at_] == '"';
    if (!(quoted ? ReadQuoted(value) : ReadPlain(value))) return false;
    if (absl::EqualsIgnoreCase(key, "uri")) {
      ++uris_;
      uri_ = value;
    }
    return at_ == text_.size() || text_[at_] == ',' || text_[at_] == ';';
  }

  bool ReadPlain(absl::string_view& value) {
    const size_t begin = at_;
    at_ = std::min(text_.find_first_of(",;\"", at_), text_.size());
    value = text_.substr(begin, at_ - begin);
    return true;
  }

  // One with a backslash in it keeps it, and is no SPIFFE id.
  bool ReadQuoted(absl::string_view& value) {
    const size_t begin = ++at_;
    while (at_ < text_.size() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) return false;
    value = text_.substr(begin, at_ - begin);
    ++at_;
    return true;
  }

  const absl::string_view text_;
  size_t at_ = 0;
  int uris_ = 0;
  absl::string_view uri_;
};

}  // namespace

absl::string_view ForwardedSpiffeId(absl::string_view header) {
  if (header.size() > kMaxHeader || !std::all_of(header.begin(), header.end(), IsPrintable)) {
    return {};
  }
  Reader reader(header);
  if (!reader.Read() || reader.uris() != 1 || !config::IsSpiffeId(reader.uri())) return {};
  return reader.uri();
}

}  // namespace gatehouse::frontend
