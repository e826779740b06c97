#include <gtest/gtest.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/jose/base64url.h"
#include "server/jose/hmac_key.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

// The claims of RFC 7515's examples.
constexpr char kJoe[] =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
    "fQ";

Key OnlyKey(const std::string& jwk) {
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(absl::StrCat("{\"keys\":[", jwk, "]}"));
  EXPECT_TRUE(set.ok()) << set.status();
  if (!set.ok() || set->keys.keys().size() != 1) return nullptr;
  return set->keys.keys()[0];
}

void ExpectVector(Algorithm algorithm, const Key& key, const std::string& input,
                  const std::string& signature) {
  ASSERT_NE(key, nullptr);
  const std::optional<std::string> raw = DecodeBase64Url(signature);
  ASSERT_TRUE(raw.has_value());
  EXPECT_TRUE(key->Verify(algorithm, SigningInput(input), *raw));
  EXPECT_TRUE(key->Verify(algorithm, SigningInput(input), *raw)) << "with a context used before";
  EXPECT_FALSE(key->Verify(algorithm, SigningInput(absl::StrCat(input, "x")), *raw));
  EXPECT_TRUE(key->Verify(algorithm, SigningInput(input), *raw)) << "after a refusal";
  for (const Algorithm other : Algorithms()) {
    if (other != algorithm) {
      EXPECT_FALSE(key->Verify(other, SigningInput(input), *raw)) << NameOf(other);
    }
  }
}

TEST(Vectors, Rfc7515AppendixA1HmacSha256) {
  const absl::StatusOr<Key> key = MakeHmacKeyOfAnyStrength(
      Secret(*DecodeBase64Url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-"
                              "1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")),
      {Algorithm::kHs256});
  ASSERT_TRUE(key.ok());
  ExpectVector(Algorithm::kHs256, *key,
               absl::StrCat("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.", kJoe),
               "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

TEST(Vectors, Rfc7515AppendixA2RsaSha256) {
  ExpectVector(
      Algorithm::kRs256,
      OnlyKey(
          R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26)"
          R"(mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690)"
          R"(r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2Cap)"
          R"(Hg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q)"
          R"(2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})"),
      absl::StrCat("eyJhbGciOiJSUzI1NiJ9.", kJoe),
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5"
      "jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb"
      "1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QO"
      "YEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw");
}

TEST(Vectors, Rfc7515AppendixA3EcdsaP256) {
  ExpectVector(
      Algorithm::kEs256,
      OnlyKey(R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
              R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})"),
      absl::StrCat("eyJhbGciOiJFUzI1NiJ9.", kJoe),
      "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1"
      "Q");
}

TEST(Vectors, Rfc8037AppendixA4Ed25519) {
  const Key key =
      OnlyKey(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})");
  ExpectVector(
      Algorithm::kEdDsa, key, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
      "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KA"
      "g");
  // RFC 8037 appendix A.3.
  EXPECT_EQ(key->thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
  EXPECT_EQ(key->name(), key->thumbprint());
}

TEST(Vectors, Rfc7638Section31Thumbprint) {
  const Key key = OnlyKey(
      R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFF)"
      R"(xuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-)"
      R"(65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF)"
      R"(TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",)"
      R"("e":"AQAB","alg":"RS256","kid":"2011-04-29"})");
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
  EXPECT_EQ(key->name(), "2011-04-29");
}

// A token and a key set as Better Auth 1.7.7 issues them.
constexpr char kBetterAuthToken[] =
    "eyJhbGciOiJFZERTQSIsImtpZCI6IlI2Nm9GcFcxZWZJNTlUWGZyOU1SUmU2WjVZU0k4NWlRIn0."
    "eyJpYXQiOjE3OTUyMTYz"
    "MTUsIm5hbWUiOiJBZGEiLCJlbWFpbCI6ImFkYUBleGFtcGxlLmNvbSIsImVtYWlsVmVyaWZpZWQiOmZhbHNlLCJjcmVhdG"
    "Vk"
    "QXQiOiIyMDI2LTExLTIwVDIzOjExOjU1LjUwM1oiLCJ1cGRhdGVkQXQiOiIyMDI2LTExLTIwVDIzOjExOjU1LjUwM1oiLC"
    "Jp"
    "ZCI6InlYc0N5Y1FJemNhSDV3aFBqSUoxbUw0bzl0Zk9zV3IyIiwic3ViIjoieVhzQ3ljUUl6Y2FINXdoUGpJSjFtTDRvOX"
    "Rm"
    "T3NXcjIiLCJleHAiOjE3OTUyMTcyMTUsImlzcyI6Imh0dHA6Ly9sb2NhbGhvc3Q6MzAwMCIsImF1ZCI6Imh0dHA6Ly9sb2"
    "Nh"
    "bGhvc3Q6MzAwMCJ9.5AI-eUw5lzXlfzgqCXc-JgKoRyrpbamFWo64ZYp-PDqYfrPKW59juMl9v9McMpYlP26HQqIkrki_"
    "CLHS4wFOBg";
constexpr char kBetterAuthJwks[] =
    R"({"keys":[{"alg":"EdDSA","crv":"Ed25519","x":"DBehZ5MJTr6soXvBG0s6iy7fY0yV_ztlH1RG6r-M0yE",)"
    R"("kty":"OKP","kid":"R66oFpW1efI59TXfr9MRRe6Z5YSI85iQ"}]})";

TEST(Vectors, ARealBetterAuthTokenVerifies) {
  const absl::StatusOr<ParsedKeySet> set = ParseJwks(kBetterAuthJwks);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE(set->refused.empty());
  absl::StatusOr<UnverifiedJwt> jwt = UnverifiedJwt::Parse(kBetterAuthToken);
  ASSERT_TRUE(jwt.ok()) << jwt.status();
  EXPECT_EQ(jwt->issuer(), "http://localhost:3000");
  ASSERT_EQ(jwt->kid(), "R66oFpW1efI59TXfr9MRRe6Z5YSI85iQ");

  IssuerRules rules;
  rules.issuer = "http://localhost:3000";
  rules.audiences = {"http://localhost:3000"};
  rules.algorithms = {Algorithm::kEdDsa};
  const Key key = set->keys.Find(*jwt->kid(), jwt->algorithm());
  const absl::StatusOr<VerifiedJwt> verified = JwtVerifier::Verify(*std::move(jwt), rules, key);
  ASSERT_TRUE(verified.ok()) << verified.status();
  const Claims& claims = verified->claims();
  EXPECT_EQ(claims.subject, "yXsCycQIzcaH5whPjIJ1mL4o9tfOsWr2");
  EXPECT_EQ(claims.email, "ada@example.com");
  EXPECT_EQ(claims.issue_time, absl::FromUnixSeconds(1795216315));
  EXPECT_EQ(claims.expire_time, absl::FromUnixSeconds(1795217215));
  EXPECT_EQ(claims.token_id, "");
  EXPECT_EQ(claims.session_id, "");
  EXPECT_EQ(verified->key(), key);
  const absl::Time now = absl::FromUnixSeconds(1795216400);
  EXPECT_EQ(JwtVerifier::CheckTime(claims, rules, now), TimeVerdict::kInTime);
  EXPECT_EQ(JwtVerifier::CheckTime(claims, rules, now + absl::Hours(1)), TimeVerdict::kExpired);
}

}  // namespace
}  // namespace gatehouse::jose
