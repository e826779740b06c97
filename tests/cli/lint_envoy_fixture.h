#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "tests/cli/child.h"

namespace gatehouse::cli {

inline std::string Testdata(const std::string& name) {
  std::ifstream file(absl::StrCat(GATEHOUSE_LINT_TESTDATA, "/", name));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// `text` with the first `from` replaced, which must be there.
inline std::string Replaced(std::string text, absl::string_view from, absl::string_view to) {
  const size_t at = text.find(std::string(from));
  if (at == std::string::npos) ADD_FAILURE() << "not in the file: " << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), std::string(to));
}

// The number of the line in which `marker` begins.
inline int64_t LineOf(const std::string& text, absl::string_view marker) {
  const size_t at = text.find(std::string(marker));
  if (at == std::string::npos) ADD_FAILURE() << "not in the file: " << marker;
  return 1 + std::count(text.begin(), text.begin() + static_cast<int64_t>(at), '\n');
}

// `text` with the names of fields in camelCase.
inline std::string CamelCased(const std::string& text) {
  const auto in_word = [](char c) {
    return c == '_' || c == '.' || c == '/' || absl::ascii_isalnum(static_cast<unsigned char>(c));
  };
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && in_word(text[end])) ++end;
    std::string word = text.substr(i, end - i);
    if (end < text.size() && text[end] == ':' && word.find('.') == std::string::npos) {
      for (size_t u = word.find('_'); u != std::string::npos; u = word.find('_', u)) {
        word.erase(u, 1);
        word[u] = absl::ascii_toupper(static_cast<unsigned char>(word[u]));
      }
    }
    out += word;
    if (end < text.size()) out += text[end];
    i = end + 1;
  }
  return out;
}

class LintEnvoyTest : public ::testing::Test {
 protected:
  LintEnvoyTest() { std::filesystem::create_directories(folder_); }
  ~LintEnvoyTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  static Result LintFiles(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "lint-envoy");
    return RunChild({.arguments = arguments});
  }
  Result Lint(const std::string& text, const std::string& name = "envoy.yaml") {
    return LintFiles({Write(name, text)});
  }
  // How a finding in the file begins.
  std::string Finding(int64_t line, const std::string& what,
                      const std::string& name = "envoy.yaml") {
    // A rule's name alone is given in full.
    const bool whole = what.find(": ") == what.rfind(": ");
    return absl::StrCat((folder_ / name).string(), ":", line, ": ", what, whole ? ": " : "");
  }

  const std::string good_ = Testdata("good.yaml");
  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) /
      absl::StrReplaceAll(::testing::UnitTest::GetInstance()->current_test_info()->name(),
                          {{"/", "_"}});
};

}  // namespace gatehouse::cli
