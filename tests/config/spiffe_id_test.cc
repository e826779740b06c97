#include "server/config/spiffe_id.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::config {
namespace {

TEST(SpiffeId, IsATrustDomainAndAPath) {
  for (const char* id :
       {"spiffe://example.org", "spiffe://example.org/ns/web/sa/front", "spiffe://a_b-c.1/A.b-C_9",
        "spiffe://example.org/..a/.b.", "spiffe://example.org/a/..."}) {
    EXPECT_TRUE(IsSpiffeId(id)) << id;
  }
}

TEST(SpiffeId, HasNoPartThatAnotherReaderCouldUnderstandOtherwise) {
  for (const char* id : {"",
                         "spiffe",
                         "spiffe:",
                         "spiffe:/",
                         "spiffe:/example.org",
                         "spiffe://",
                         "spiffe:///ns",
                         "SPIFFE://example.org",
                         "https://example.org",
                         "spiffe://Example.org/a",
                         "spiffe://example.org:443",
                         "spiffe://a@example.org",
                         "spiffe://example.org/",
                         "spiffe://example.org//a",
                         "spiffe://example.org/a/",
                         "spiffe://example.org/a/./b",
                         "spiffe://example.org/a/../b",
                         "spiffe://example.org/..",
                         "spiffe://example.org/a?b",
                         "spiffe://example.org/a#b",
                         "spiffe://example.org/%61",
                         "spiffe://example.org/a b",
                         "spiffe://example.org/*",
                         "spiffe://*/a",
                         "spiffe://ex\xc3\xa4mple.org/a",
                         "spiffe://example.org/\xc3\xa4",
                         " spiffe://example.org/a",
                         "spiffe://example.org/a\n"}) {
    EXPECT_FALSE(IsSpiffeId(id)) << id;
  }
  EXPECT_FALSE(IsSpiffeId(absl::string_view("spiffe://example.org/a\0b", 24)));
}

TEST(SpiffeId, IsBounded) {
  const std::string begin = "spiffe://example.org/";
  EXPECT_TRUE(IsSpiffeId(begin + std::string(2048 - begin.size(), 'a')));
  EXPECT_FALSE(IsSpiffeId(begin + std::string(2049 - begin.size(), 'a')));
  EXPECT_TRUE(IsSpiffeId("spiffe://" + std::string(255, 'a')));
  EXPECT_FALSE(IsSpiffeId("spiffe://" + std::string(256, 'a')));
}

}  // namespace
}  // namespace gatehouse::config
