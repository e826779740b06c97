#include "server/jose/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace gatehouse::jose {
namespace {

absl::Status Parse(absl::string_view text) {
  JsonParser parser;
  JsonDocument document;
  const simdjson::padded_string padded(text.data(), text.size());
  return ParseJsonObject(parser, document, padded.data(), padded.size()).status();
}

std::string Nested(int arrays) {
  const auto count = static_cast<size_t>(arrays);
  return absl::StrCat("{\"a\":", std::string(count, '['), std::string(count, ']'), "}");
}

TEST(Json, AnObjectIsReadWithWhiteSpaceAroundIt) {
  EXPECT_TRUE(Parse("{}").ok());
  EXPECT_TRUE(Parse(" \r\n\t{\"a\" : [1, {\"b\":null}] } \n").ok());
}

TEST(Json, AnythingButAnObjectIsRefused) {
  for (const char* text :
       {"", " ", "[]", "1", "\"a\"", "null", "{", "{}{}", "{} x", "{},", "nul"}) {
    EXPECT_FALSE(Parse(text).ok()) << text;
  }
}

TEST(Json, AByteOrderMarkIsRefused) {
  EXPECT_EQ(Parse("\xEF\xBB\xBF{}").message(), "JSON begins with a byte order mark");
}

TEST(Json, InvalidUtf8IsRefused) {
  EXPECT_TRUE(Parse("{\"a\":\"\xC3\xA9\"}").ok());
  for (const char* bytes : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    EXPECT_FALSE(Parse(absl::StrCat("{\"a\":\"", bytes, "\"}")).ok());
    EXPECT_FALSE(Parse(absl::StrCat("{\"", bytes, "\":1}")).ok());
  }
}

TEST(Json, ALoneSurrogateIsRefused) {
  EXPECT_TRUE(Parse(R"({"a":"\ud83d\ude00"})").ok());
  for (const char* escape : {R"(\ud800)", R"(\udc00)", R"(\ud800\u0041)", R"(\udc00\ud800)"}) {
    EXPECT_FALSE(Parse(absl::StrCat("{\"a\":\"", escape, "\"}")).ok()) << escape;
  }
}

TEST(Json, ANameTwiceIsRefusedAtEveryLevel) {
  EXPECT_TRUE(Parse(R"({"a":{"a":1},"b":{"a":2}})").ok());
  EXPECT_FALSE(Parse(R"({"a":1,"a":1})").ok());
  EXPECT_FALSE(Parse(R"({"a":1,"b":2,"a":3})").ok());
  EXPECT_FALSE(Parse(R"({"x":{"a":1,"a":2}})").ok());
  EXPECT_FALSE(Parse(R"({"x":[1,{"y":[{"a":1,"a":2}]}]})").ok());
  EXPECT_FALSE(Parse(R"({"":1,"":2})").ok());
}

TEST(Json, ANameTwiceIsRefusedWhenOnlyItsEscapesDiffer) {
  EXPECT_TRUE(Parse(R"({"sub":1,"Sub":2})").ok());
  EXPECT_FALSE(Parse(R"({"sub":1,"\u0073ub":2})").ok());
  EXPECT_FALSE(Parse(R"({"\u002f":1,"\/":2})").ok());
}

TEST(Json, ANameTwiceIsRefusedAmongMany) {
  for (const int count : {23, 24, 25, 26, 300}) {
    std::string members;
    for (int i = 0; i < count; ++i) absl::StrAppend(&members, "\"n", i, "\":1,");
    EXPECT_TRUE(Parse(absl::StrCat("{", members, "\"n\":1}")).ok()) << count;
    EXPECT_FALSE(Parse(absl::StrCat("{", members, "\"n0\":1}")).ok()) << count;
    EXPECT_FALSE(Parse(absl::StrCat("{", members, "\"n", count - 1, "\":1}")).ok()) << count;
  }
}

TEST(Json, SixteenLevelsAreReadAndSeventeenRefused) {
  EXPECT_TRUE(Parse(Nested(kMaxJsonDepth - 1)).ok());
  EXPECT_EQ(Parse(Nested(kMaxJsonDepth)).message(), "JSON nested deeper than 16");
  EXPECT_FALSE(Parse(Nested(3000)).ok());
}

TEST(Json, NumbersThatDoNotFitAreRefused) {
  EXPECT_TRUE(Parse(R"({"a":1e308,"b":-9223372036854775808,"c":18446744073709551615})").ok());
  for (const char* number :
       {"1e309", "18446744073709551616", "01", "1.", ".5", "+1", "NaN", "Infinity", "0x10", "1e"}) {
    EXPECT_FALSE(Parse(absl::StrCat("{\"a\":", number, "}")).ok()) << number;
  }
}

TEST(Json, AnErrorHoldsNothingOfTheText) {
  const absl::Status status = Parse(R"({"secret-name":"secret-value",})");
  EXPECT_THAT(status.message(), testing::Not(testing::HasSubstr("secret")));
}

}  // namespace
}  // namespace gatehouse::jose
