#include "server/tls/pem.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/base/log.h"

namespace gatehouse::tls {
namespace {

constexpr absl::string_view kBegin = "-----BEGIN ";
constexpr absl::string_view kEnd = "-----END ";
constexpr absl::string_view kDashes = "-----";
constexpr size_t kMaxLabel = 64;

bool IsBase64(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '+' || c == '/' || c == '=';
}

// "CERTIFICATE" of "-----BEGIN CERTIFICATE-----".
std::optional<std::string> LabelOf(absl::string_view line, absl::string_view prefix) {
  if (!absl::ConsumePrefix(&line, prefix) || !absl::ConsumeSuffix(&line, kDashes)) {
    return std::nullopt;
  }
  if (line.empty() || line.size() > kMaxLabel) return std::nullopt;
  return std::string(line);
}

class Splitter {
 public:
  explicit Splitter(absl::string_view text) : text_(text) {
    // As much as it may come to, so that no copy of a key stays behind.
    base64_.reserve(text.size());
  }
  ~Splitter() { const Secret wiped(std::move(base64_)); }
  Splitter(const Splitter&) = delete;
  Splitter& operator=(const Splitter&) = delete;

  absl::StatusOr<std::vector<PemBlock>> Split() {
    while (!text_.empty()) {
      const size_t end = text_.find('\n');
      absl::string_view line = text_.substr(0, end);
      text_.remove_prefix(end == absl::string_view::npos ? text_.size() : end + 1);
      ++number_;
      absl::Status status = Take(absl::StripTrailingAsciiWhitespace(line));
      if (!status.ok()) return status;
    }
    if (open_) return Wrong("the block that begins on line ", current_.line, " has no end");
    return std::move(blocks_);
  }

 private:
  template <typename... Parts>
  absl::Status Wrong(const Parts&... parts) const {
    return absl::InvalidArgumentError(absl::StrCat(number_, ": ", parts...));
  }

  absl::Status Take(absl::string_view line) {
    if (open_) return TakeInside(line);
    if (line.empty() || absl::StartsWith(line, "#")) return absl::OkStatus();
    auto label = LabelOf(line, kBegin);
    if (!label.has_value()) {
      return Wrong(
          "this is no PEM: beside its blocks there may be empty lines and lines that "
          "begin with #");
    }
    open_ = true;
    current_ = PemBlock{.label = *std::move(label), .der = Secret(), .line = number_};
    return absl::OkStatus();
  }

  absl::Status TakeInside(absl::string_view line) {
    if (absl::StartsWith(line, kDashes)) return Close(line);
    if (absl::StrContains(line, ':')) {  // a header, as old encrypted keys have them
      if (absl::StartsWith(line, "Proc-Type:") && absl::StrContains(line, "ENCRYPTED")) {
        current_.encrypted = true;
      }
      if (base64_.empty()) return absl::OkStatus();
    }
    if (line.empty() && current_.encrypted && base64_.empty()) return absl::OkStatus();
    if (line.empty() || !std::all_of(line.begin(), line.end(), IsBase64)) {
      return Wrong("this line of a block is no base64");
    }
    base64_.append(line.data(), line.size());
    return absl::OkStatus();
  }

  absl::Status Close(absl::string_view line) {
    const auto label = LabelOf(line, kEnd);
    if (!label.has_value() || *label != current_.label) {
      return Wrong("the block that begins on line ", current_.line, " has no end");
    }
    std::string der;
    const bool decoded = base64_.size() % 4 == 0 && absl::Base64Unescape(base64_, &der);
    Secret bytes(std::move(der));
    if (!decoded || bytes.empty()) return Wrong("this block is no base64");
    if (!current_.encrypted) current_.der = std::move(bytes);
    std::fill(base64_.begin(), base64_.end(), '\0');
    base64_.clear();
    blocks_.push_back(std::move(current_));
    open_ = false;
    return absl::OkStatus();
  }

  absl::string_view text_;
  int number_ = 0;
  bool open_ = false;
  PemBlock current_;
  std::string base64_;
  std::vector<PemBlock> blocks_;
};

}  // namespace

absl::StatusOr<std::vector<PemBlock>> SplitPem(absl::string_view text) {
  return Splitter(text).Split();
}

}  // namespace gatehouse::tls
