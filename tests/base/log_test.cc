#include "server/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_split.h"

namespace gatehouse::log {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

TEST(Escape, LeavesPrintableTextOfAnyLanguageAlone) {
  for (const std::string text : {"", "plain text 123", "Grüße", "日本語", "🙂", "~"}) {
    EXPECT_EQ(Escape(text), text);
  }
}

TEST(Escape, WritesQuotesBackslashesAndLineEndsByTheirNames) {
  EXPECT_EQ(Escape("a\"b\\c\nd\te"), R"(a\"b\\c\nd\te)");
}

TEST(Escape, WritesEveryOtherControlCharacterInHexadecimal) {
  for (int c = 0; c < 0x20; ++c) {
    if (c == '\n' || c == '\t') continue;
    EXPECT_THAT(Escape(std::string(1, static_cast<char>(c))), MatchesRegex(R"(\\x[01][0-9a-f])"));
  }
  EXPECT_EQ(Escape(std::string("\0\r\x1b[31m\x7f", 8)), R"(\x00\x0d\x1b[31m\x7f)");
  // U+0085 (next line), U+009B (a terminal's escape), U+2028 and U+2029.
  EXPECT_EQ(Escape("\u0085\u009b"), R"(\xc2\x85\xc2\x9b)");
  EXPECT_EQ(Escape("\u2028\u2029"), R"(\xe2\x80\xa8\xe2\x80\xa9)");
}

TEST(Escape, WritesWhatChangesTheDirectionOfWritingInHexadecimal) {
  for (const std::string control : {"\u061c", "\u200e", "\u200f", "\u202a", "\u202b", "\u202c",
                                    "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"}) {
    EXPECT_THAT(Escape("a" + control + "b"), MatchesRegex(R"(a(\\x[0-9a-f]{2})+b)"));
  }
  EXPECT_EQ(Escape("paid \u202eeno"), R"(paid \xe2\x80\xaeeno)");
  // Their neighbours, and the joiners that some languages are written with.
  for (const std::string text : {"\u00a0", "\u061b", "\u061d", "\u200c", "\u200d", "\u2010",
                                 "\u2027", "\u202f", "\u2065", "\u206a"}) {
    EXPECT_EQ(Escape(text), text);
  }
}

TEST(Escape, WritesBytesThatAreNoUtf8InHexadecimal) {
  EXPECT_EQ(Escape("\x80"), R"(\x80)");                          // a tail alone
  EXPECT_EQ(Escape("\xc0\xaf"), R"(\xc0\xaf)");                  // longer than need be
  EXPECT_EQ(Escape("\xe0\x80\x80"), R"(\xe0\x80\x80)");          // the same
  EXPECT_EQ(Escape("\xed\xa0\x80"), R"(\xed\xa0\x80)");          // a surrogate
  EXPECT_EQ(Escape("\xf4\x90\x80\x80"), R"(\xf4\x90\x80\x80)");  // beyond U+10FFFF
  EXPECT_EQ(Escape("\xe2\x82"), R"(\xe2\x82)");                  // cut short
  EXPECT_EQ(Escape("\xc3(x"), R"(\xc3(x)");
}

TEST(Escape, CutsAfterTheGivenBytes) {
  EXPECT_EQ(Escape("abcdef", 6), "abcdef");
  EXPECT_EQ(Escape("abcdef", 5), "abcde...");
  EXPECT_EQ(Escape("abcdef", 0), "...");
  // In the middle of a character: no half one comes out.
  EXPECT_EQ(Escape("aü", 2), R"(a\xc3...)");
  EXPECT_EQ(Escape(std::string(1000, 'x')).size(), 512 + 3);
}

class Write : public testing::Test {
 protected:
  void SetUp() override { testing::internal::CaptureStderr(); }
  void TearDown() override { SetLevel(Level::kInfo); }
  static std::string Written() { return testing::internal::GetCapturedStderr(); }
};

TEST_F(Write, IsOneLineWithTimeLevelEventAndQuotedFields) {
  Info("listening", {{"grpc", "127.0.0.1:7070"}, {"threads", 4}});
  EXPECT_THAT(Written(), MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z info    "
                                      "listening grpc=\"127\\.0\\.0\\.1:7070\" threads=\"4\"\n"));
}

TEST_F(Write, NothingThatAStrangerSendsForgesALine) {
  Warning("denied\n2026", {{"subject", "x\" admin=\"yes\n2026-01-01T00:00:00.000Z info forged"}});
  const std::string written = Written();
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 1);
  EXPECT_THAT(written, HasSubstr(R"(denied\n2026)"));
  EXPECT_THAT(written, HasSubstr(R"(subject="x\" admin=\"yes\n2026)"));
  EXPECT_THAT(written, EndsWith("\n"));
}

TEST_F(Write, BracesAreNoPlaceholders) {
  Info("{} {0} %s", {{"value", "{}"}});
  EXPECT_THAT(Written(), HasSubstr("{} {0} %s value=\"{}\""));
}

TEST_F(Write, WhatIsBelowTheLevelIsLeftOut) {
  Debug("first");
  SetLevel(Level::kError);
  Info("second");
  Warning("third");
  Error("fourth");
  SetLevel(Level::kDebug);
  Debug("fifth");
  const std::string written = Written();
  for (const char* out : {"first", "second", "third"}) EXPECT_THAT(written, Not(HasSubstr(out)));
  EXPECT_THAT(written, HasSubstr("error   fourth"));
  EXPECT_THAT(written, HasSubstr("debug   fifth"));
}

TEST_F(Write, LinesOfManyThreadsStayWhole) {
  constexpr int kThreads = 8;
  constexpr int kLines = 200;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < kLines; ++i) Info("event", {{"text", "0123456789"}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::vector<std::string> lines = absl::StrSplit(Written(), '\n', absl::SkipEmpty());
  EXPECT_EQ(lines.size(), kThreads * kLines);
  for (const std::string& line : lines) {
    EXPECT_THAT(line, EndsWith("Z info    event text=\"0123456789\""));
  }
}

}  // namespace
}  // namespace gatehouse::log
