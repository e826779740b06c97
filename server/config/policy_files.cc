#include "server/config/policy_files.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/read_file.h"
#include "server/base/text.h"
#include "server/config/issuer.h"
#include "server/config/yaml_to_message.h"
#include "server/config/yaml_tree.h"

namespace gatehouse::config {
namespace {

namespace fs = std::filesystem;

// Together they are held in memory while they are read.
constexpr size_t kMaxFiles = 256;

bool IsPolicyFile(const std::string& name) {
  return !absl::StartsWith(name, ".") &&
         (absl::EndsWith(name, ".yaml") || absl::EndsWith(name, ".yml"));
}

// Their paths, in the order of their names. What is no folder counts as a file, so that a
// broken link is found out and not passed over.
std::vector<std::string> FilesIn(const std::string& folder, const std::string& path,
                                 Findings& findings) {
  std::vector<std::string> out;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code unreadable;
    if (!IsPolicyFile(name) || fs::is_directory(entry->path(), unreadable)) continue;
    if (HasControlCharacter(name)) {
      findings.Wrong(path, absl::StrCat("the file ", log::Escape(name, 256), " in ", folder,
                                        " has a control character in its name"));
      continue;
    }
    out.push_back(entry->path().string());
  }
  std::sort(out.begin(), out.end());
  if (error) {
    findings.Wrong(path, absl::StrCat("cannot read the folder ", folder, ": ", error.message()));
  } else if (out.empty()) {
    findings.Wrong(path, absl::StrCat("the folder ", folder, " holds no *.yaml or *.yml"));
  } else if (out.size() > kMaxFiles) {
    findings.Wrong(path,
                   absl::StrCat("the folder ", folder, " holds more than ", kMaxFiles, " files"));
    out.clear();
  }
  return out;
}

PolicyFile Read(const std::string& file, const absl::string_view text) {
  PolicyFile out{.findings = Findings(file)};
  const auto root = ParseYaml(text, out.findings);
  if (!root.has_value()) return out;
  YamlToMessage(*root, out.message, out.findings);
  if (out.findings.Given("path")) {
    out.findings.Malformed(out.findings.LineOf("path"), "path",
                           "stands in the configuration alone; a policy file names no others");
  }
  return out;
}

}  // namespace

std::vector<PolicyFile> LoadPolicyFiles(const v1::Policy& in, const std::string& path,
                                        const std::string& folder, Findings& findings,
                                        std::vector<std::string>& paths) {
  const std::string field = path + ".path";
  std::vector<PolicyFile> out;
  if (!RequireText(in.path(), field, findings)) return out;
  for (const char* other : {".roles", ".resources"}) {
    if (findings.Given(path + other)) {
      findings.Wrong(field, "cannot stand beside roles or resources; give it, or give them");
      return out;
    }
  }
  const std::string named = Resolve(folder, in.path());
  paths.push_back(named);
  std::vector<std::string> files = {named};
  std::error_code error;
  if (fs::is_directory(named, error)) {
    files = FilesIn(named, field, findings);
    paths.insert(paths.end(), files.begin(), files.end());
  }
  out.reserve(files.size());
  bool all_read = true;
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> text = ReadSmallFile(file, kMaxYamlBytes);
    if (text.ok()) {
      out.push_back(Read(file, *text));
    } else {
      findings.Wrong(field, text.status().message());
      all_read = false;
    }
  }
  if (!all_read) out.clear();
  return out;
}

}  // namespace gatehouse::config
