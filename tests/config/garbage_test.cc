#include <gtest/gtest.h>

#include <random>
#include <string>

#include "absl/strings/str_cat.h"
#include "server/config/config.h"
#include "tests/config/good.h"

namespace gatehouse::config {
namespace {

// Whatever the text is, it is a configuration or an INVALID_ARGUMENT.
void Try(const std::string& yaml) {
  const auto config = ParseConfig(yaml, "g.yaml");
  ASSERT_TRUE(config.ok() || absl::IsInvalidArgument(config.status())) << config.status();
}

constexpr uint32_t kSeed = 20261121;

TEST(Garbage, EveryTruncationOfAGoodFileIsAnAnswer) {
  const std::string good = kGood;
  for (size_t size = 0; size < good.size(); ++size) Try(good.substr(0, size));
}

TEST(Garbage, EveryLineLeftOutIsAnAnswer) {
  const std::string good = kGood;
  for (size_t start = 0; start < good.size(); start = good.find('\n', start) + 1) {
    Try(good.substr(0, start) + good.substr(good.find('\n', start) + 1));
  }
}

TEST(Garbage, RandomBytesAreAnAnswer) {
  std::mt19937 random(kSeed);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes(random() % 200, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    Try(bytes);
  }
}

TEST(Garbage, RandomYamlSignsAreAnAnswer) {
  static constexpr char kSigns[] = "{}[]:,-?&*!|>'\"%@`#~ \n\t  \nab:1<.";
  std::mt19937 random(kSeed);
  for (int i = 0; i < 5000; ++i) {
    std::string text(random() % 120, ' ');
    for (char& c : text) c = kSigns[random() % (sizeof(kSigns) - 1)];
    Try(text);
  }
}

TEST(Garbage, AGoodFileWithBytesChangedIsAnAnswer) {
  std::mt19937 random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    std::string text = kGood;
    for (int change = 0; change < 4; ++change) {
      text[random() % text.size()] = static_cast<char>(' ' + random() % 95);
    }
    Try(text);
  }
}

TEST(Garbage, LargeFilesOfOneSignAreAnAnswer) {
  for (const std::string piece :
       {"[", "{", "- ", "? ", "a: ", "\n", "&a ", "*a ", "!t ", "\"", "|\n ", "x: [", "{a: ", ",",
        "[],", "a: b\n", "'", "---\n", "%YAML 1.2\n"}) {
    std::string text;
    while (text.size() < 100'000) text += piece;
    Try(text);
  }
}

}  // namespace
}  // namespace gatehouse::config
