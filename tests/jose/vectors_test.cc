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

TEST(Vectors, Rfc7515AppendixA4EcdsaP521) {
  ExpectVector(
      Algorithm::kEs512,
      OnlyKey(R"({"kty":"EC","crv":"P-521",)"
              R"("x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4)"
              R"(qUxcWceqwQGk",)"
              R"("y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9u)"
              R"(bmf63e3kyMj2"})"),
      "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA",
      "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7Xdt"
      "AG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn");
}

TEST(Vectors, Rfc7515AppendixA5UnsecuredJwsIsRefused) {
  const std::string input = absl::StrCat("eyJhbGciOiJub25lIn0.", kJoe);
  EXPECT_FALSE(UnverifiedJwt::Parse(absl::StrCat(input, ".")).ok());
  EXPECT_FALSE(ParseJwsHeader("eyJhbGciOiJub25lIn0").ok());
}

// RFC 7520 section 4: one text, signed in four ways. It is no JWT, so the key alone
// is asked.
constexpr char kFrodo[] =
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAg"
    "b250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dp"
    "bmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";
constexpr char kBilbosRsaKey[] =
    R"({"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","e":"AQAB","n":")"
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_"
    "AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP"
    "e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg"
    "_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
    R"("})";

TEST(Vectors, Rfc7520Section41RsaPkcs1) {
  ExpectVector(
      Algorithm::kRs256, OnlyKey(kBilbosRsaKey),
      absl::StrCat("eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.",
                   kFrodo),
      "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83"
      "xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJ"
      "Dt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12"
      "podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg");
}

TEST(Vectors, Rfc7520Section42RsaPss) {
  ExpectVector(
      Algorithm::kPs384, OnlyKey(kBilbosRsaKey),
      absl::StrCat("eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.",
                   kFrodo),
      "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6"
      "O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqi"
      "VJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_"
      "jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw");
}

TEST(Vectors, Rfc7520Section43EcdsaP521) {
  ExpectVector(
      Algorithm::kEs512,
      OnlyKey(R"({"kty":"EC","kid":"bilbo.baggins@hobbiton.example","use":"sig","crv":"P-521",)"
              R"("x":"AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-)"
              R"(7ytDyRXYgCF5cj0Kt",)"
              R"("y":"AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJm)"
              R"(bnX9cwlGfP-HqHZR1"})"),
      absl::StrCat("eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.",
                   kFrodo),
      "AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJ"
      "AQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2");
}

TEST(Vectors, Rfc7520Section44HmacSha256) {
  const absl::StatusOr<Key> key = MakeHmacKeyOfAnyStrength(
      Secret(*DecodeBase64Url("hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg")), {Algorithm::kHs256});
  ASSERT_TRUE(key.ok());
  ExpectVector(Algorithm::kHs256, *key,
               absl::StrCat("eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxN"
                            "GJjNzAzNyJ9.",
                            kFrodo),
               "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0");
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
