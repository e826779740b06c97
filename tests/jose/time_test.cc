#include <gtest/gtest.h>

#include "server/jose/jwt_verifier.h"

namespace gatehouse::jose {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1795216400);
constexpr absl::Duration kTick = absl::Nanoseconds(1);

class CheckTime : public testing::Test {
 protected:
  TimeVerdict Check(absl::Time now) const { return JwtVerifier::CheckTime(claims_, rules_, now); }

  IssuerRules rules_;  // skew: 10 s
  Claims claims_ = [] {
    Claims claims;
    claims.issue_time = kNow - absl::Minutes(5);
    claims.expire_time = kNow + absl::Minutes(5);
    return claims;
  }();
};

TEST_F(CheckTime, TokenWithExpPlusSkewEqualToNowIsExpired) {
  const absl::Time end = claims_.expire_time + rules_.skew;
  EXPECT_EQ(Check(end - kTick), TimeVerdict::kInTime);
  EXPECT_EQ(Check(end), TimeVerdict::kExpired);
  EXPECT_EQ(Check(end + kTick), TimeVerdict::kExpired);
}

TEST_F(CheckTime, TokenWithExpEqualToNowIsExpiredWithoutSkew) {
  rules_.skew = absl::ZeroDuration();
  EXPECT_EQ(Check(claims_.expire_time - kTick), TimeVerdict::kInTime);
  EXPECT_EQ(Check(claims_.expire_time), TimeVerdict::kExpired);
}

TEST_F(CheckTime, TokenWithNbfEqualToNowPlusSkewIsInTime) {
  claims_.not_before = kNow + rules_.skew;
  EXPECT_EQ(Check(kNow), TimeVerdict::kInTime);
  EXPECT_EQ(Check(kNow - kTick), TimeVerdict::kNotYetValid);
}

TEST_F(CheckTime, TokenWithIatEqualToNowPlusSkewIsInTime) {
  claims_.issue_time = kNow + rules_.skew;
  EXPECT_EQ(Check(kNow), TimeVerdict::kInTime);
  EXPECT_EQ(Check(kNow - kTick), TimeVerdict::kNotYetValid);
}

TEST_F(CheckTime, TokenWithoutIatLastsNoLongerThanOneIssuedNowMay) {
  claims_.issue_time = std::nullopt;
  const absl::Time earliest = claims_.expire_time - rules_.max_token_lifetime - rules_.skew;
  EXPECT_EQ(Check(earliest - kTick), TimeVerdict::kNotYetValid);
  EXPECT_EQ(Check(earliest), TimeVerdict::kInTime);
  EXPECT_EQ(Check(claims_.expire_time + rules_.skew), TimeVerdict::kExpired);
}

TEST_F(CheckTime, TokenThatIsExpiredAndNotYetValidIsNotYetValid) {
  claims_.issue_time = kNow + absl::Hours(2);
  claims_.expire_time = kNow - absl::Hours(2);
  EXPECT_EQ(Check(kNow), TimeVerdict::kNotYetValid);
}

TEST_F(CheckTime, TheFarthestExpIsInTime) {
  claims_.expire_time = absl::FromUnixSeconds(int64_t{1} << 53);
  EXPECT_EQ(Check(kNow), TimeVerdict::kInTime);
}

}  // namespace
}  // namespace gatehouse::jose
