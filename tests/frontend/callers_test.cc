#include "server/frontend/callers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/base/read_file.h"
#include "server/frontend/caller_tokens.h"

namespace gatehouse::frontend {
namespace {

using config::Right;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kToken[] = "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe";  // 32 characters
constexpr char kOther[] = "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL";
constexpr char kThird[] = "Aa1Zz9Bb2Yy8Cc3Xx7Dd4Ww6Ee5Vv0Ff";

class CallersTest : public ::testing::Test {
 protected:
  CallersTest() {
    std::string name = std::filesystem::temp_directory_path() / "gatehouse-callers-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~CallersTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::string ErrorOf(const std::string& text) const {
    const auto tokens = ReadCallerTokens(File("t", text));
    return tokens.ok() ? "was accepted" : std::string(tokens.status().message());
  }
  static const Caller* Ask(const CallerTable& table, std::vector<std::string> values,
                           CallerTable::Memory& memory) {
    CallerTable::Metadata metadata;
    metadata.emplace("user-agent", "test");
    for (const std::string& value : values) metadata.emplace("authorization", value);
    return table.Identify(metadata, memory);
  }
  static std::string NameOf(const Caller* caller) { return caller == nullptr ? "" : caller->name; }

  std::filesystem::path folder_;
};

TEST_F(CallersTest, TokensAreReadOneALine) {
  const auto tokens = ReadCallerTokens(File("t", absl::StrCat(kToken, "\r\n\n", kOther, " \n")));
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  ASSERT_EQ(tokens->size(), 2U);
  EXPECT_EQ((*tokens)[0].line, 1);
  EXPECT_EQ((*tokens)[1].line, 3);
}

TEST_F(CallersTest, APipeIsRefusedAndNotWaitedFor) {
  const std::string path = folder_ / "pipe";
  ASSERT_EQ(mkfifo(path.c_str(), S_IRUSR | S_IWUSR), 0);
  EXPECT_EQ(ReadCallerTokens(path).status().message(),
            path + ": is no regular file, but a pipe, a socket or a device");
}

TEST_F(CallersTest, ATokenHas32To512Characters) {
  std::string longest;
  for (int i = 0; i < 16; ++i) absl::StrAppend(&longest, std::string(kToken).substr(0, 30), 10 + i);
  ASSERT_EQ(longest.size(), 512U);
  EXPECT_EQ(ErrorOf(kToken), "was accepted");
  EXPECT_EQ(ErrorOf(longest), "was accepted");
  EXPECT_THAT(ErrorOf(std::string(kToken).substr(1)),
              HasSubstr("t:1: a token has 32 to 512 characters, and not 31"));
  EXPECT_THAT(ErrorOf(longest + "x"), HasSubstr("and not 513"));
}

TEST_F(CallersTest, ABadTokenIsNamedByFileAndLineAndNeverShown) {
  const std::string line1 = absl::StrCat(kToken, "\n");
  for (const std::string& bad :
       {std::string("q7Zp2vX9rT4mK1wB 8nY5cF3hJ6sD0gLe"), absl::StrCat(kOther, "\x01"),
        absl::StrCat(kOther, "\xC3\xA9"), absl::StrCat(" ", kOther), std::string(40, 'x'),
        std::string("abcdabcdabcdabcdabcdabcdabcdabcdabcd"),
        std::string("a-string-secret-at-least-256-bits-long"),
        std::string("please-changeme-before-you-go-live"), std::string(kToken)}) {
    const std::string error = ErrorOf(line1 + bad);
    EXPECT_THAT(error, StartsWith(absl::StrCat((folder_ / "t").string(), ":2: "))) << bad;
    EXPECT_THAT(error, Not(HasSubstr(bad.substr(bad.size() - 12)))) << error;
  }
}

TEST_F(CallersTest, AFileWithoutATokenIsRefused) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("t: holds no token"));
  EXPECT_THAT(ErrorOf("\n \n"), HasSubstr("t: holds no token"));
  EXPECT_EQ(ReadCallerTokens(folder_ / "missing").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CallersTest, ATokenInThePlaceOfAFileIsNotShown) {
  for (const std::string& token :
       {std::string(kToken), std::string(kThird) + "/x=", std::string(300, 'a')}) {
    const absl::Status status = ReadCallerTokens(folder_ / token).status();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()),
                AllOf(StartsWith("there is no such file"), Not(HasSubstr(token))));
  }
  EXPECT_THAT(
      std::string(ReadCallerTokens(folder_ / std::string(kToken).substr(1)).status().message()),
      HasSubstr(std::string(kToken).substr(1)));
  const std::string file = absl::StrCat(kToken, ".token");
  EXPECT_THAT(std::string(ReadCallerTokens(folder_ / file).status().message()), HasSubstr(file));
}

TEST_F(CallersTest, AFileThatOthersMayReadIsSeen) {
  const std::string file = File("t", kToken);
  for (const auto& [mode, open] :
       {std::pair{0600, false}, {0400, false}, {0640, false}, {0604, true}, {0620, true}}) {
    ASSERT_EQ(::chmod(file.c_str(), static_cast<mode_t>(mode)), 0);
    EXPECT_EQ(OthersMayRead(file), open) << mode;
  }
  EXPECT_FALSE(OthersMayRead(folder_ / "missing"));
}

TEST_F(CallersTest, EachTokenOfACallerIsKnown) {
  const auto table = CallerTable::Load(
      {{.name = "a",
        .token_file = File("a", absl::StrCat(kToken, "\n", kThird)),
        .may = {Right::kVerify},
        .audiences = {}},
       {.name = "b", .token_file = File("b", kOther), .may = {Right::kList}, .audiences = {}}});
  ASSERT_TRUE(table.ok()) << table.status();
  CallerTable::Memory memory;
  for (int again = 0; again < 3; ++again) {
    EXPECT_EQ(NameOf(Ask(*table, {absl::StrCat("Bearer ", kToken)}, memory)), "a");
    EXPECT_EQ(NameOf(Ask(*table, {absl::StrCat("bEaReR ", kThird)}, memory)), "a");
    EXPECT_EQ(NameOf(Ask(*table, {absl::StrCat("Bearer ", kOther)}, memory)), "b");
  }
  EXPECT_TRUE(table->callers()[0].May(Right::kVerify));
  EXPECT_FALSE(table->callers()[0].May(Right::kList));
  EXPECT_TRUE(table->callers()[1].May(Right::kList));
}

TEST_F(CallersTest, WhatIsNotOneGoodValueIsNobody) {
  const auto table = CallerTable::Load(
      {{.name = "a", .token_file = File("a", kToken), .may = {Right::kVerify}, .audiences = {}}});
  ASSERT_TRUE(table.ok()) << table.status();
  CallerTable::Memory memory;
  const std::string good = absl::StrCat("Bearer ", kToken);
  for (int again = 0; again < 2; ++again) {  // once before the good one is remembered
    EXPECT_EQ(Ask(*table, {}, memory), nullptr);
    EXPECT_EQ(Ask(*table, {good, good}, memory), nullptr) << "doubled";
    for (const std::string& value :
         {std::string(), std::string("Bearer"), std::string("Bearer "), std::string(kToken),
          absl::StrCat("Basic ", kToken), absl::StrCat("Bearer  ", kToken), good + " ", good + ",",
          good.substr(0, good.size() - 1), good + "x", absl::StrCat("Bearer ", kOther),
          absl::StrCat("Bearer ", std::string(100'000, 'a'))}) {
      EXPECT_EQ(Ask(*table, {value}, memory), nullptr) << value.substr(0, 60);
    }
    EXPECT_EQ(NameOf(Ask(*table, {good}, memory)), "a");
  }
}

TEST_F(CallersTest, EveryBadFileAndEverySharedTokenIsNamedWithItsPlace) {
  const auto caller = [&](const std::string& name, const std::string& text) {
    return config::Caller{.name = name,
                          .token_file = File(name, text),
                          .may = {Right::kVerify},
                          .audiences = {},
                          .place = absl::StrCat("g.yaml: ", name)};
  };
  const auto table =
      CallerTable::Load({caller("a", kToken), caller("b", "short"),
                         caller("c", absl::StrCat(kOther, "\n", kToken)), caller("d", "")});
  const std::string in = folder_.string();
  const std::vector<std::string> lines = absl::StrSplit(table.status().message(), '\n');
  EXPECT_THAT(
      lines,
      ElementsAre(
          StartsWith(absl::StrCat("g.yaml: b: the token of caller b: ", in, "/b:1: a token has")),
          absl::StrCat("g.yaml: c: the token of caller c: ", in, "/c:2: is that of caller a too (",
                       in, "/a:1), and two callers share no token"),
          StartsWith(
              absl::StrCat("g.yaml: d: the token of caller d: ", in, "/d: holds no token"))));
  EXPECT_THAT(std::string(table.status().message()), Not(HasSubstr(kToken)));
}

TEST_F(CallersTest, WithoutCallersEverybodyIsAnonymousAndMayDoAll) {
  const auto table = CallerTable::Load({});
  ASSERT_TRUE(table.ok());
  EXPECT_TRUE(table->open());
  CallerTable::Memory memory;
  const Caller* const caller = Ask(*table, {}, memory);
  ASSERT_NE(caller, nullptr);
  EXPECT_EQ(caller->name, "anonymous");
  EXPECT_EQ(caller->audiences, 0U);
  for (const Right right :
       {Right::kVerify, Right::kAuthorize, Right::kExplain, Right::kRevoke, Right::kList}) {
    EXPECT_TRUE(caller->May(right));
  }
}

TEST_F(CallersTest, AudiencesOfAllCallersShareTheBits) {
  const auto table = CallerTable::Load(
      {{.name = "a",
        .token_file = File("a", kToken),
        .may = {Right::kVerify},
        .audiences = {"todo", "notes"}},
       {.name = "b",
        .token_file = File("b", kOther),
        .may = {Right::kVerify},
        .audiences = {"mail", "todo"}},
       {.name = "c", .token_file = File("c", kThird), .may = {Right::kVerify}, .audiences = {}}});
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(table->audiences(), ElementsAre("todo", "notes", "mail"));
  EXPECT_EQ(table->callers()[0].audiences, 0b011U);
  EXPECT_EQ(table->callers()[1].audiences, 0b101U);
  EXPECT_EQ(table->callers()[2].audiences, 0U);
}

TEST_F(CallersTest, WhatIsRememberedOfOneTableIsNothingToTheNext) {
  const auto load = [this](const std::string& name) {
    return CallerTable::Load({{.name = name,
                               .token_file = File(name, kToken),
                               .may = {Right::kVerify},
                               .audiences = {}}});
  };
  CallerTable::Memory memory;
  const std::string sent = absl::StrCat("Bearer ", kToken);
  std::optional<CallerTable> table = *load("first");
  EXPECT_EQ(NameOf(Ask(*table, {sent}, memory)), "first");
  table.emplace(*load("second"));
  EXPECT_EQ(NameOf(Ask(*table, {sent}, memory)), "second");
  table.emplace(*CallerTable::Load({{.name = "third",
                                     .token_file = File("third", kOther),
                                     .may = {Right::kVerify},
                                     .audiences = {}}}));
  EXPECT_EQ(Ask(*table, {sent}, memory), nullptr);
}

TEST_F(CallersTest, ANameKeepsItsNumberWhateverCallersComeAndGo) {
  CallerNumbers numbers;
  const auto numbers_of = [&](const std::vector<std::string>& names) {
    std::vector<config::Caller> callers;
    for (const std::string& name : names) {
      const std::string token = absl::StrCat(kToken, name);
      callers.push_back({.name = name,
                         .token_file = File(name, token),
                         .may = {Right::kVerify},
                         .audiences = {}});
    }
    auto table = CallerTable::Load(callers);
    EXPECT_TRUE(table.ok()) << table.status();
    EXPECT_TRUE(table->NumberBy(numbers).ok());
    std::vector<size_t> out;
    for (const Caller& caller : table->callers()) out.push_back(caller.number);
    return out;
  };
  EXPECT_THAT(numbers_of({"a", "b"}), ElementsAre(0, 1));
  EXPECT_THAT(numbers_of({"b", "c"}), ElementsAre(1, 2));
  EXPECT_THAT(numbers_of({"c", "a"}), ElementsAre(2, 0));
  EXPECT_THAT(numbers.names(), ElementsAre("a", "b", "c"));
}

TEST(CallerNumbersTest, TooManyNamesAreRefusedAndNoneOfThemIsGivenANumber) {
  CallerNumbers numbers;
  std::vector<std::string> names;
  names.reserve(CallerNumbers::kCapacity);
  for (size_t i = 0; i + 1 < CallerNumbers::kCapacity; ++i) names.push_back(absl::StrCat("n", i));
  ASSERT_TRUE(numbers.Give(names).ok());
  const auto two_more = numbers.Give({"x", "y"});
  ASSERT_FALSE(two_more.ok());
  EXPECT_EQ(two_more.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(two_more.status().message()),
              AllOf(HasSubstr("1025"), HasSubstr("1024"), HasSubstr("restart")));
  const auto last = numbers.Give({"n7", "y"});
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(*last, ElementsAre(7, CallerNumbers::kCapacity - 1));
}

}  // namespace
}  // namespace gatehouse::frontend
