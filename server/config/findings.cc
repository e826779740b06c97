#include "server/config/findings.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace gatehouse::config {
namespace {

// A file of garbage has as many mistakes as lines; nobody reads past these.
constexpr size_t kMaxShown = 50;

// Whether `inner` is `outer` or something in it.
bool Within(absl::string_view inner, absl::string_view outer) {
  if (outer.empty()) return true;
  if (!absl::StartsWith(inner, outer)) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[';
}

absl::string_view Parent(absl::string_view path) {
  const size_t end = path.find_last_of(".[");
  return end == absl::string_view::npos ? absl::string_view() : path.substr(0, end);
}

}  // namespace

std::vector<std::string> Findings::GivenUnder(absl::string_view prefix) const {
  std::vector<std::string> out;
  for (const auto& [path, line] : lines_) {
    if (absl::StartsWith(path, prefix)) out.push_back(path);
  }
  return out;
}

int Findings::LineOf(absl::string_view path) const {
  while (true) {
    const auto found = lines_.find(path);
    if (found != lines_.end()) return found->second;
    if (path.empty()) return 1;
    path = Parent(path);
  }
}

std::string Findings::PlaceOf(const std::string& path) const {
  return absl::StrCat(file_, ":", LineOf(path), ": ", path);
}

void Findings::Malformed(int line, const std::string& path, absl::string_view what) {
  malformed_.insert(path);
  mistakes_.emplace(line, absl::StrCat(path, path.empty() ? "" : ": ", what));
}

void Findings::Wrong(const std::string& path, absl::string_view what) {
  if (Blocked(path)) return;
  mistakes_.emplace(LineOf(path), absl::StrCat(path, path.empty() ? "" : ": ", what));
}

std::string Findings::Sentence(const std::string& path, absl::string_view what) const {
  return absl::StrCat(file_, ":", LineOf(path), ": ", path, ": ", what);
}

bool Findings::Blocked(const std::string& path) const {
  return std::any_of(malformed_.begin(), malformed_.end(), [&](const std::string& bad) {
    return Within(bad, path) || Within(path, bad);
  });
}

void Findings::Add(const Findings& further) {
  for (const auto& [line, mistake] : further.mistakes_) {
    further_.push_back(absl::StrCat(further.file_, ":", line, ": ", mistake));
  }
  further_.insert(further_.end(), further.further_.begin(), further.further_.end());
}

absl::Status Findings::ToStatus() const {
  std::vector<std::string> all;
  all.reserve(mistakes_.size() + further_.size());
  for (const auto& [line, mistake] : mistakes_) {
    all.push_back(absl::StrCat(file_, ":", line, ": ", mistake));
  }
  all.insert(all.end(), further_.begin(), further_.end());
  if (all.empty()) return absl::OkStatus();
  if (all.size() > kMaxShown) {
    const size_t more = all.size() - kMaxShown;
    all.resize(kMaxShown);
    all.push_back(absl::StrCat(file_, ": and ", more, " more"));
  }
  return absl::InvalidArgumentError(absl::StrJoin(all, "\n"));
}

}  // namespace gatehouse::config
