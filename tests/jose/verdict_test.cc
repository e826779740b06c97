#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "server/jose/base64url.h"
#include "tests/jose/jose_fixture.h"

namespace gatehouse::jose {
namespace {

// A token that is accepted, and what becomes of it when one thing is changed and
// all of it is signed again.
struct Parts {
  std::string header;
  std::string claims;
};

struct Verdict {
  const char* name;
  bool accepted;
  std::function<void(Parts&)> change;
};

// Members in front of those that are there.
void Insert(std::string& object, absl::string_view members) {
  object = absl::StrCat("{", members, ",", object.substr(1));
}

std::function<void(Parts&)> Header(const std::string& members) {
  return [members](Parts& parts) { Insert(parts.header, members); };
}

std::function<void(Parts&)> More(const std::string& members) {
  return [members](Parts& parts) { Insert(parts.claims, members); };
}

std::function<void(Parts&)> Claim(const std::string& name, const std::string& json) {
  return [name, json](Parts& parts) { parts.claims = ClaimsText().With(name, json).Json(); };
}

std::function<void(Parts&)> NoClaim(const std::string& name) {
  return [name](Parts& parts) { parts.claims = ClaimsText().Without(name).Json(); };
}

std::function<void(Parts&)> Alg(const std::string& json) {
  return [json](Parts& parts) {
    const size_t begin = parts.header.find("\"alg\":") + 6;
    const size_t end = parts.header.find('"', begin + 1) + 1;
    parts.header.replace(begin, end - begin, json);
  };
}

std::string Nested(size_t depth) {
  return absl::StrCat(std::string(depth, '['), std::string(depth, ']'));
}

const std::vector<Verdict>& Verdicts() {
  static const auto* const verdicts = new std::vector<Verdict>{
      {"nothing changed", true, [](Parts&) {}},
      {"alg none", false, Alg("\"none\"")},
      {"alg None", false, Alg("\"None\"")},
      {"alg NONE", false, Alg("\"NONE\"")},
      {"alg nOnE", false, Alg("\"nOnE\"")},
      {"alg empty", false, Alg("\"\"")},
      {"alg null", false, Alg("null")},
      {"alg array", false, Alg("[\"none\"]")},
      {"alg in lower case", false, Alg("\"rs256\"")},
      {"alg unknown", false, Alg("\"ES256K\"")},
      {"no alg", false, [](Parts& parts) { parts.header = "{}"; }},
      {"crit", false, Header(R"("crit":["exp"])")},
      {"crit empty", false, Header(R"("crit":[])")},
      {"b64 false", false, Header(R"("b64":false)")},
      {"b64 true", false, Header(R"("b64":true)")},
      {"jwk", false, Header(R"("jwk":{"kty":"oct","k":"AAAA"})")},
      {"jku", false, Header(R"("jku":"https://evil.example/jwks")")},
      {"x5u", false, Header(R"("x5u":"https://evil.example/cert")")},
      {"x5c", false, Header(R"("x5c":["MIIC"])")},
      {"unknown header member", true, Header(R"("x":{"crit":["a"]})")},
      {"header name twice", false, Header(R"("kid":"a","kid":"a")")},
      {"header name twice in escapes", false, Header(R"("kid":"a","\u006bid":"a")")},
      {"header with byte order mark", false,
       [](Parts& parts) { parts.header.insert(0, "\xEF\xBB\xBF"); }},
      {"header not UTF-8", false, Header("\"x\":\"\xC3\x28\"")},
      {"header followed by more", false, [](Parts& parts) { parts.header += "{}"; }},
      {"typ JWT", true, Header(R"("typ":"JWT")")},
      {"typ at+jwt", true, Header(R"("typ":"at+jwt")")},
      {"typ with application/", true, Header(R"("typ":"application/At+Jwt")")},
      {"typ of a session cache", false, Header(R"("typ":"better-auth.session-cache+jwt")")},
      {"typ of a logout token", false, Header(R"("typ":"logout+jwt")")},
      {"typ null", false, Header(R"("typ":null)")},
      {"claim twice", false, More(R"("x":1,"x":1)")},
      {"claim twice in escapes", false, More(R"("x":1,"\u0078":1)")},
      {"nested name twice", false, More(R"("x":{"y":1,"y":1})")},
      {"claims with byte order mark", false,
       [](Parts& parts) { parts.claims.insert(0, "\xEF\xBB\xBF"); }},
      {"claims not UTF-8", false, More("\"x\":\"\xC3\x28\"")},
      {"lone surrogate", false, More(R"("x":"\ud800")")},
      {"claims followed by NUL", false, [](Parts& parts) { parts.claims += '\0'; }},
      {"claims followed by more", false, [](Parts& parts) { parts.claims += "{}"; }},
      {"claims no object", false, [](Parts& parts) { parts.claims = "[]"; }},
      {"sub with NUL", false, Claim("sub", R"("a\u0000")")},
      {"sid with a control character", false, Claim("sid", R"("a\u001b")")},
      {"jti with a control character", false, Claim("jti", R"("a\n")")},
      {"role with a control character", false, Claim("roles", R"(["a\u0085"])")},
      {"no exp", false, NoClaim("exp")},
      {"exp string", false, Claim("exp", "\"1795217215\"")},
      {"exp bool", false, Claim("exp", "true")},
      {"exp null", false, Claim("exp", "null")},
      {"exp NaN", false, Claim("exp", "NaN")},
      {"exp negative", false, Claim("exp", "-1")},
      {"exp above 2^53", false, Claim("exp", "9007199254740993")},
      {"exp infinite", false, Claim("exp", "1e999")},
      {"exp fractional", true, Claim("exp", "1795217215.5")},
      {"no iat", false, NoClaim("iat")},
      {"iat string", false, Claim("iat", "\"1795216315\"")},
      {"nbf string", false, Claim("nbf", "\"1795216315\"")},
      {"no aud", false, NoClaim("aud")},
      {"aud of others", false, Claim("aud", R"(["x","https://api.example/"])")},
      {"aud among others", true, Claim("aud", R"(["x","https://api.example"])")},
      {"aud empty", false, Claim("aud", "[]")},
      {"no iss", false, NoClaim("iss")},
      {"iss empty", false, Claim("iss", "\"\"")},
      {"iss of another", false, Claim("iss", "\"https://issuer.example/\"")},
      {"no sub", false, NoClaim("sub")},
      {"sub empty", false, Claim("sub", "\"\"")},
      {"sub number", false, Claim("sub", "1")},
      {"cnf", false, Claim("cnf", R"({"jkt":"x"})")},
      {"tenant null", true, Claim("org", "null")},
      {"tenant array", false, Claim("org", R"(["o-1"])")},
      {"nested sixteen deep", true, Claim("x", Nested(15))},
      {"nested seventeen deep", false, Claim("x", Nested(16))},
      {"above 8 KiB", false,
       Claim("x", absl::StrCat("\"", std::string(size_t{8} * 1024, 'x'), "\""))},
  };
  return *verdicts;
}

class EveryAlgorithm : public testing::TestWithParam<Algorithm> {
 protected:
  const TokenMaker& maker_ = Maker(GetParam());
  const Key key_ = KeyOf(maker_);
  const std::string token_ = maker_.Sign(ClaimsText().Json());

  bool Accepts(absl::string_view token) const { return Verified(token, Rules(), key_).ok(); }
};

TEST_P(EveryAlgorithm, ChangedTokensGetTheirVerdict) {
  for (const Verdict& verdict : Verdicts()) {
    Parts parts = {maker_.Header(), ClaimsText().Json()};
    ASSERT_TRUE(Accepts(maker_.Sign(parts.header, parts.claims)));
    verdict.change(parts);
    EXPECT_EQ(Accepts(maker_.Sign(parts.header, parts.claims)), verdict.accepted) << verdict.name;
  }
}

TEST_P(EveryAlgorithm, OtherSerializationsAreRefused) {
  ASSERT_TRUE(Accepts(token_));
  const std::vector<std::string> s = absl::StrSplit(token_, '.');
  const std::string flat = absl::StrCat(R"({"protected":")", s[0], R"(","payload":")", s[1],
                                        R"(","signature":")", s[2], "\"}");
  const std::string general =
      absl::StrCat(R"({"payload":")", s[1], R"(","signatures":[{"protected":")", s[0],
                   R"(","signature":")", s[2], "\"}]}");
  for (const std::string& other :
       {flat, general, absl::StrCat(token_, ".", s[2]), absl::StrCat(token_, ".", s[1], ".", s[2]),
        absl::StrCat(s[0], "..", s[2]), absl::StrCat(s[0], ".", s[1], "."),
        absl::StrCat(".", s[1], ".", s[2]), absl::StrCat("Bearer ", token_)}) {
    EXPECT_FALSE(Accepts(other)) << other;
  }
}

TEST_P(EveryAlgorithm, OneEncodingOfEachSegmentIsAccepted) {
  const std::vector<std::string> segments = absl::StrSplit(token_, '.');
  ASSERT_TRUE(Accepts(token_));
  for (size_t i = 0; i < segments.size(); ++i) {
    const auto with = [&](const std::string& segment) {
      std::vector<std::string> changed = segments;
      changed[i] = segment;
      return Accepts(absl::StrJoin(changed, "."));
    };
    const std::string& good = segments[i];
    EXPECT_TRUE(with(good));
    for (const char* extra : {"=", "==", "A", " ", "\n", "+", "/", "%", "\x80"}) {
      EXPECT_FALSE(with(good + extra)) << i << extra;
      EXPECT_FALSE(with(extra + good)) << i << extra;
    }
    // The same bytes, with bits behind the last one.
    if (good.size() % 4 == 0) continue;
    for (const char last : std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")) {
      if (last != good.back()) EXPECT_FALSE(with(good.substr(0, good.size() - 1) + last)) << i;
    }
  }
}

TEST_P(EveryAlgorithm, AHashOverThePublicKeyIsNoSignature) {
  // What a library falls for that verifies HS256 with whatever key the kid names.
  const std::string jwk = maker_.Jwk();
  for (const Algorithm hmac : {Algorithm::kHs256, Algorithm::kHs384, Algorithm::kHs512}) {
    if (hmac == GetParam()) continue;
    const std::string header =
        absl::StrCat(R"({"alg":")", NameOf(hmac), R"(","kid":")", maker_.kid(), "\"}");
    const std::string input =
        absl::StrCat(EncodeBase64Url(header), ".", EncodeBase64Url(ClaimsText().Json()));
    std::string mac(64, '\0');
    size_t size = 0;
    ASSERT_NE(EVP_Q_mac(nullptr, "HMAC", nullptr, OpensslName(HashOf(hmac)), nullptr, jwk.data(),
                        jwk.size(), Bytes(absl::string_view(input)), input.size(), Bytes(mac),
                        mac.size(), &size),
              nullptr);
    const std::string token = absl::StrCat(input, ".", EncodeBase64Url(mac.substr(0, size)));
    EXPECT_EQ(Verified(token, Rules(), key_).status().message(), "alg is not the key's");
  }
}

TEST_P(EveryAlgorithm, AnOddKidIsANameLikeAnyOther) {
  if (IsSymmetric(GetParam())) return;  // a secret has no kid
  const KeySet keys({key_});
  for (const std::string& kid : {std::string("../../etc/passwd"), std::string("' OR 1=1 --"),
                                 std::string(300, 'k'), std::string("\\u0000"), std::string()}) {
    const std::string header = absl::StrReplaceAll(maker_.Header(), {{maker_.kid(), kid}});
    const auto jwt = UnverifiedJwt::Parse(maker_.Sign(header, ClaimsText().Json()));
    ASSERT_TRUE(jwt.ok()) << jwt.status();
    EXPECT_EQ(keys.Find(*jwt->kid(), jwt->algorithm()), nullptr);
  }
  EXPECT_EQ(keys.Find(maker_.kid(), GetParam()), key_);
}

INSTANTIATE_TEST_SUITE_P(Verdicts, EveryAlgorithm, testing::ValuesIn(AllAlgorithms()),
                         [](const auto& algorithm) {
                           return std::string(NameOf(algorithm.param));
                         });

}  // namespace
}  // namespace gatehouse::jose
