#include "server/revocation/tag.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/escaping.h"

namespace gatehouse::revocation {
namespace {

std::string Hex(const Tag& tag) {
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(tag.bytes.data()), tag.bytes.size()));
}

std::array<uint8_t, 32> Identity() {
  std::array<uint8_t, 32> identity;
  for (size_t i = 0; i < identity.size(); ++i) identity[i] = static_cast<uint8_t>(i);
  return identity;
}

// The expected values are Python's:
//   part = lambda b: len(b).to_bytes(4, "big") + b
//   sha256(bytes([kind]) + b"".join(map(part, parts))).hexdigest()[:32]
TEST(Tag, IsTheHashOfTheKindAndTheLengthPrefixedParts) {
  EXPECT_EQ(Hex(TokenTag(Identity())), "5a16a1d8688d94db937766c6a3f5e620");
  EXPECT_EQ(Hex(MakeTag(TagKind::kTokenId, "https://issuer.example", "jti-1")),
            "9b8db2661d6f6d0f9c098e1d6f9f97ac");
  EXPECT_EQ(Hex(MakeTag(TagKind::kSession, "https://issuer.example", "s1")),
            "2292f8a94f329be4acee7476c7631c47");
  EXPECT_EQ(Hex(MakeTag(TagKind::kSubject, "https://issuer.example", "u1")),
            "b06bdbde98bdbbcbd7f46313e76ec387");
  EXPECT_EQ(Hex(MakeTag(TagKind::kTenant, "https://issuer.example", "t1")),
            "17186d9255e956323a3cee6e4b1fba54");
  EXPECT_EQ(Hex(MakeTag(TagKind::kClient, "https://issuer.example", "c1")),
            "889308a82c2944eea5c6f909104ef768");
  EXPECT_EQ(Hex(MakeTag(TagKind::kKey, "https://issuer.example", "k1")),
            "c3421605617414d23666df50b6a4aa42");
}

TEST(Tag, PartsLongerThanAByteCanCountAndEmptyOnesHaveTheirOwnTag) {
  EXPECT_EQ(Hex(MakeTag(TagKind::kSubject, std::string(300, 'i'), std::string(70000, 'x'))),
            "e95e615c73e5ff135f90d740c5a704ff");
  EXPECT_EQ(Hex(MakeTag(TagKind::kSubject, "", "")), "93e60f669b99ad3e3ee6284b139e57ad");
  EXPECT_EQ(Hex(MakeTag(TagKind::kSubject, "i", std::string("a\0b", 3))),
            "1c740db67f2e6e32214a6135dde58fd4");
}

TEST(Tag, WhereOnePartEndsMatters) {
  EXPECT_FALSE(MakeTag(TagKind::kSubject, "a", "bc") == MakeTag(TagKind::kSubject, "ab", "c"));
  EXPECT_FALSE(MakeTag(TagKind::kSubject, "abc", "") == MakeTag(TagKind::kSubject, "", "abc"));
}

TEST(Tag, KindsAreSeparate) {
  std::set<std::string> tags;
  for (const TagKind kind : {TagKind::kTokenId, TagKind::kSession, TagKind::kSubject,
                             TagKind::kTenant, TagKind::kClient, TagKind::kKey}) {
    tags.insert(Hex(MakeTag(kind, "i", "x")));
  }
  EXPECT_EQ(tags.size(), 6);
}

TEST(Tag, IsEqualToItselfOnlyWhenEveryByteIs) {
  const Tag tag = MakeTag(TagKind::kSubject, "i", "x");
  EXPECT_TRUE(tag == MakeTag(TagKind::kSubject, "i", "x"));
  for (size_t i = 0; i < tag.bytes.size(); ++i) {
    Tag other = tag;
    other.bytes[i] ^= 1;
    EXPECT_FALSE(tag == other) << i;
  }
}

}  // namespace
}  // namespace gatehouse::revocation
