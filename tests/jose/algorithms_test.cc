#include "server/jose/algorithms.h"

#include <gtest/gtest.h>

#include <set>

namespace gatehouse::jose {
namespace {

TEST(Algorithms, AllThirteenAreThereUnderTheirRegisteredNames) {
  std::set<std::string> names;
  for (const Algorithm algorithm : Algorithms()) {
    EXPECT_EQ(AlgorithmFromName(NameOf(algorithm)), algorithm);
    names.emplace(NameOf(algorithm));
  }
  EXPECT_EQ(names,
            (std::set<std::string>{"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512",
                                   "PS256", "PS384", "PS512", "HS256", "HS384", "HS512"}));
  EXPECT_EQ(AlgorithmFromName("Ed25519"), Algorithm::kEdDsa);
}

TEST(Algorithms, NoOtherNameIsOne) {
  for (const char* name : {"none", "None", "NONE", "", "rs256", "RS256 ", "Ed448", "ES256K",
                           "RSA-OAEP", "HS1", "A128KW", "eddsa"}) {
    EXPECT_EQ(AlgorithmFromName(name), std::nullopt) << name;
  }
}

TEST(Algorithms, TheNumberInTheNameIsTheHashs) {
  for (const Algorithm algorithm : Algorithms()) {
    if (algorithm == Algorithm::kEdDsa) continue;
    const std::string bits = std::to_string(8 * SizeOf(HashOf(algorithm)));
    EXPECT_EQ(NameOf(algorithm).substr(2), bits);
  }
}

TEST(AlgorithmSet, HoldsWhatWasAdded) {
  const AlgorithmSet rsa = AlgorithmSet::Of(KeyKind::kRsa);
  EXPECT_EQ(rsa.Describe(), "RS256, RS384, RS512, PS256, PS384, PS512");
  const AlgorithmSet one = {Algorithm::kPs384};
  EXPECT_TRUE(one.Meets(rsa));
  EXPECT_FALSE(one == rsa);
  EXPECT_FALSE(one.Meets(AlgorithmSet::Of(KeyKind::kEcP384)));
  EXPECT_FALSE(AlgorithmSet().Meets(rsa));
  EXPECT_EQ(AlgorithmSet().Describe(), "");
}

}  // namespace
}  // namespace gatehouse::jose
