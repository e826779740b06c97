#include "server/frontend/form.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gatehouse::frontend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Optional;
using ::testing::Pair;

TEST(Form, NamesAndValuesAreDecodedOnce) {
  EXPECT_THAT(ParseForm("a=1&b+c=%2B+%2525&d=&e&f=g=h"),
              Optional(ElementsAre(Pair("a", "1"), Pair("b c", "+ %25"), Pair("d", ""),
                                   Pair("e", ""), Pair("f", "g=h"))));
  EXPECT_THAT(ParseForm(""), Optional(IsEmpty()));
}

TEST(Form, ABadEscapeOrANameTwiceIsNoForm) {
  for (const char* body : {"a=%", "a=%2", "a=%zz", "%x=1", "a=1&a=1", "a=1&%61=2", "a&a"}) {
    EXPECT_FALSE(ParseForm(body).has_value()) << body;
  }
}

TEST(Form, SixtyFourParametersAreTheMost) {
  std::string body;
  for (int i = 0; i < 64; ++i) body += "&p" + std::to_string(i) + "=";
  EXPECT_TRUE(ParseForm(body).has_value());
  EXPECT_FALSE(ParseForm(body + "&q=").has_value());
}

}  // namespace
}  // namespace gatehouse::frontend
