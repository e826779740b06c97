#include "server/tls/pem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace gatehouse::tls {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kBlock[] = "-----BEGIN A B-----\nAAEC\nAwQ=\n-----END A B-----\n";

std::string FaultOf(absl::string_view text) {
  const auto blocks = SplitPem(text);
  return blocks.ok() ? "" : std::string(blocks.status().message());
}

TEST(Pem, BlocksHaveALabelTheirBytesAndALine) {
  const auto blocks = SplitPem(absl::StrCat("# one\n\n", kBlock, "\r\n", kBlock));
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ((*blocks)[0].label, "A B");
  EXPECT_EQ((*blocks)[0].line, 3);
  EXPECT_EQ((*blocks)[0].der.Reveal(), absl::string_view("\0\1\2\3\4", 5));
  EXPECT_EQ((*blocks)[1].line, 8);
}

TEST(Pem, LinesMayEndAsOnOtherSystemsAndTheLastOneNotAtAll) {
  EXPECT_EQ(FaultOf("-----BEGIN A-----\r\nAAEC\r\n-----END A-----"), "");
  EXPECT_EQ(FaultOf(""), "");
  EXPECT_EQ(FaultOf("\n\n"), "");
}

TEST(Pem, NothingElseIsBesideTheBlocks) {
  for (const char* other : {"x", "Subject: CN=a", "-----END A B-----", "-----BEGIN A",
                            "----BEGIN A", "-----BEGIN -----", " -----BEGIN A-----", "AAEC"}) {
    EXPECT_THAT(FaultOf(absl::StrCat(kBlock, other, "\n", kBlock)), StartsWith("5: ")) << other;
    EXPECT_THAT(FaultOf(absl::StrCat(kBlock, other)), StartsWith("5: ")) << other;
  }
  EXPECT_THAT(FaultOf(absl::StrCat(kBlock, absl::string_view("\0", 1))), StartsWith("5: "));
}

TEST(Pem, BlocksAreWholeAndBase64) {
  EXPECT_THAT(FaultOf("-----BEGIN A-----\nAAEC\n"), HasSubstr("begins on line 1 has no end"));
  EXPECT_THAT(FaultOf("-----BEGIN A-----\nAAEC\n-----END B-----"), HasSubstr("has no end"));
  EXPECT_THAT(FaultOf("-----BEGIN A-----\nAAEC\n-----BEGIN A-----\n"), HasSubstr("has no end"));
  EXPECT_THAT(FaultOf("-----BEGIN A-----\n-----END A-----"), HasSubstr("no base64"));
  for (const char* body : {"AAE", "AA=C", "A===", "AAEC=", "AA EC", "AA\nE", "AA*C", "\nAAEC",
                           "AAEC\n\nAAEC", "Comment x", "AAEC\nA: b\nAAEC"}) {
    EXPECT_THAT(FaultOf(absl::StrCat("-----BEGIN A-----\n", body, "\n-----END A-----")),
                HasSubstr("no base64"))
        << body;
  }
}

TEST(Pem, AnEncryptedBlockIsToldOf) {
  const auto blocks = SplitPem(
      "-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAEC\n-----END "
      "A-----\n");
  ASSERT_TRUE(blocks.ok()) << blocks.status();
  EXPECT_TRUE((*blocks)[0].encrypted);
  EXPECT_TRUE((*blocks)[0].der.empty());
}

}  // namespace
}  // namespace gatehouse::tls
