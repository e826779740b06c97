#include "server/base/text.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse {
namespace {

bool IsControl(unsigned char byte) { return byte < 0x20 || byte == 0x7F; }

TEST(HasControlCharacterTest, EachByteIsJudgedAtEachPlace) {
  for (size_t length = 1; length <= 70; ++length) {
    for (size_t place = 0; place < length; ++place) {
      for (int byte = 0; byte < 256; ++byte) {
        if (byte == 0xC2) continue;  // with an 'a' behind it no UTF-8; see below
        std::string text(length, 'a');
        text[place] = static_cast<char>(byte);
        ASSERT_EQ(HasControlCharacter(text), IsControl(static_cast<unsigned char>(byte)))
            << "byte " << byte << " at " << place << " of " << length;
      }
    }
  }
}

TEST(HasControlCharacterTest, ControlCharactersOfTwoBytesAreFound) {
  for (size_t place = 0; place <= 40; ++place) {
    std::string text(40, 'a');
    EXPECT_TRUE(HasControlCharacter(std::string(text).insert(place, "\xC2\x80"))) << place;
    EXPECT_TRUE(HasControlCharacter(std::string(text).insert(place, "\xC2\x9F"))) << place;
    EXPECT_FALSE(HasControlCharacter(std::string(text).insert(place, "\xC2\xA0"))) << place;
    EXPECT_FALSE(HasControlCharacter(std::string(text).insert(place, "\xC3\x84"))) << place;
    EXPECT_TRUE(HasControlCharacter(std::string(text).insert(place, "\xC3\x84\n"))) << place;
  }
}

TEST(HasControlCharacterTest, TheEmptyTextHasNone) { EXPECT_FALSE(HasControlCharacter("")); }

}  // namespace
}  // namespace gatehouse
