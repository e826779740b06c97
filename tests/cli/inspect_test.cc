#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/cli/child.h"
#include "tests/support/token_maker.h"

namespace gatehouse::cli {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr int64_t kNow = 1'800'000'000;  // 2027-01-15T08:00:00Z
constexpr char kUrl[] = "https://nobody.example.com/jwks";
constexpr char kQuery[] = "?key=not-to-be-shown";

class InspectTest : public ::testing::Test {
 protected:
  InspectTest() : maker_(jose::Algorithm::kEdDsa, "k1"), secret_(jose::Algorithm::kHs256) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Write("jwks.json", maker_.Jwks());
    Write("app.secret", secret_.secret() + "\n");
    Write("gatehouse.yaml", absl::StrCat(R"(
issuers:
  - issuer: https://file.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_file: jwks.json}
  - issuer: https://secret.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [HS256]
    keys: {secret_file: app.secret}
  - issuer: https://url.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: ")",
                                         kUrl, kQuery, R"("}
  - issuer: https://elsewhere.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [HS256]
    keys: {secret_env: NOT_SET_ON_THIS_MACHINE}
  - issuer: https://discovery.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [EdDSA]
    keys: {issuer_url: https://discovery.example.com}
  - issuer: https://paths.example.com
    may_assert: {roles: any, scopes: any, tenants: any}
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_file: jwks.json}
    claims: {roles: /realm_acces/roles, tenant: /org/id}
revocations: {sqlite: {path: gatehouse.db}}
)"));
  }
  ~InspectTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path, std::ios::trunc) << text;
    return path;
  }

  static std::string Claims(const std::string& issuer = "https://file.example.com",
                            const std::string& audience = "api", int64_t iat = kNow - 720,
                            int64_t exp = kNow + 180, const std::string& more = "") {
    return absl::StrCat(R"({"iss":")", issuer, R"(","aud":")", audience, R"(","sub":"ada","iat":)",
                        iat, R"(,"exp":)", exp, more, "}");
  }

  Result Inspect(const std::string& token, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"token", "inspect", "--now", absl::StrCat(kNow)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunChild({.arguments = arguments, .input = token});
  }
  // Against the configuration.
  Result Judge(const std::string& token, std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--config", (folder_ / "gatehouse.yaml").string()});
    return Inspect(token, std::move(more));
  }

  const std::filesystem::path folder_ =
      std::filesystem::path(::testing::TempDir()) / "gatehouse-inspect";
  const TokenMaker maker_;
  const TokenMaker secret_;
};

TEST_F(InspectTest, GoodTokenIsAcceptedAndItsTimesStandInWords) {
  const Result result = Judge(maker_.Sign(Claims()));
  EXPECT_EQ(result.code, 0) << result.out << result.err;
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("2027-01-15T07:48:00Z, issued 12 min ago"),
                    HasSubstr("2027-01-15T08:03:00Z, expires in 3 min"),
                    HasSubstr("https://file.example.com"), HasSubstr("jwks.json"),
                    HasSubstr("\"k1\" is there"), HasSubstr("not looked at: revocations"),
                    EndsWith("accepted, unless it was revoked\n")));
}

TEST_F(InspectTest, SecretVerifiesAndIsNotShown) {
  const Result result = Judge(secret_.Sign(Claims("https://secret.example.com")));
  EXPECT_EQ(result.code, 0) << result.out << result.err;
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("the secret in the file"), Not(HasSubstr(secret_.secret())),
                    Not(HasSubstr(secret_.thumbprint()))));
}

TEST_F(InspectTest, ExpiredTokenIsRefusedFromTheEndOfSkewOn) {
  const auto with_expiry = [&](int64_t exp) {
    return Judge(maker_.Sign(Claims("https://file.example.com", "api", kNow - 720, exp)));
  };
  EXPECT_EQ(with_expiry(kNow - 9).code, 0);
  const Result result = with_expiry(kNow - 10);
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("expired 10 s ago"), HasSubstr("refused (TOKEN_EXPIRED): ")));
}

TEST_F(InspectTest, WrongIssuerIsRefusedAndTheTrustedOnesAreNamed) {
  const Result result = Judge(maker_.Sign(Claims("https://evil.example.com")));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(ContainsRegex("trusted are +https://file.example.com, https://sec"),
                                HasSubstr("refused (TOKEN_INVALID): ")));
}

TEST_F(InspectTest, UnknownKidIsRefusedAndTheKnownOnesAreNamed) {
  const TokenMaker stranger(jose::Algorithm::kEdDsa, "k2");
  const Result result = Judge(stranger.Sign(Claims()));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("\"k2\" is not there; there are: \"k1\""),
                                HasSubstr("refused (TOKEN_INVALID): ")));
}

TEST_F(InspectTest, KeyThatCannotBeUsedIsNamedWithItsReason) {
  Write("jwks.json", absl::StrCat(R"({"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k2","x":"AA"},)",
                                  maker_.Jwk(), "]}"));
  const TokenMaker stranger(jose::Algorithm::kEdDsa, "k2");
  const Result result = Judge(stranger.Sign(Claims()));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, HasSubstr("\"k2\" is there and cannot be used: "));
}

TEST_F(InspectTest, WrongAudienceIsRefused) {
  const Result result = Judge(maker_.Sign(Claims("https://file.example.com", "other")));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, ContainsRegex("refused \\(TOKEN_INVALID\\): .*aud"));
}

TEST_F(InspectTest, WrongSignatureIsRefused) {
  const TokenMaker forger(jose::Algorithm::kEdDsa, "k1");
  const Result result = Judge(forger.Sign(Claims()));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("\"k1\" is there"), HasSubstr("the signature is wrong")));
}

TEST_F(InspectTest, SecretMadeOfAPublicKeyIsRefused) {
  const Result result =
      Judge(secret_.Sign(R"({"alg":"HS256","kid":"k1"})", Claims("https://file.example.com")));
  EXPECT_EQ(result.code, 1);
  EXPECT_THAT(result.out, ContainsRegex("refused \\(TOKEN_INVALID\\): .*alg"));
}

TEST_F(InspectTest, GarbageIsRefusedInWords) {
  for (const char* const garbage :
       {"a", "a.b", "a.b.c", "....", "not a token at all", "e30.e30.AA"}) {
    const Result result = Judge(garbage);
    EXPECT_EQ(result.code, 1) << garbage;
    EXPECT_THAT(result.out, HasSubstr("refused (TOKEN_INVALID): ")) << garbage;
    EXPECT_EQ(Inspect(garbage).code, 2) << garbage;
  }
  const Result longer = Judge(std::string(100'000, 'a'));
  EXPECT_EQ(longer.code, 1);
  EXPECT_THAT(longer.out, HasSubstr("too long"));
}

TEST_F(InspectTest, WithoutConfigurationNothingIsVerified) {
  const Result result = Inspect(maker_.Sign(Claims()));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out,
              AllOf(HasSubstr("expires in 3 min"), HasSubstr("\"k1\""),
                    HasSubstr("cannot say: nothing was verified"), Not(HasSubstr("accepted"))));
}

TEST_F(InspectTest, KeysBehindAUrlAreLookedForOnlyInAFileThatIsGiven) {
  const std::string token = maker_.Sign(Claims("https://url.example.com"));
  const Result without = Judge(token);
  EXPECT_EQ(without.code, 2);
  EXPECT_THAT(without.out, AllOf(HasSubstr("cannot say: "), HasSubstr(kUrl), Not(HasSubstr(kQuery)),
                                 HasSubstr("--jwks"), Not(HasSubstr("step key"))));
  const Result with = Judge(token, {"--jwks", Write("copy.json", maker_.Jwks())});
  EXPECT_EQ(with.code, 0) << with.out;
  EXPECT_THAT(with.out, HasSubstr("copy.json"));
  const Result unread = Judge(token, {"--jwks", Write("copy.json", "<html>")});
  EXPECT_EQ(unread.code, 2);
  EXPECT_THAT(unread.out, ContainsRegex("cannot say: .*copy.json"));
}

TEST_F(InspectTest, OfDiscoveryTheKeySetIsToBeFetchedAndNotTheIssuer) {
  const Result result = Judge(maker_.Sign(Claims("https://discovery.example.com")));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(
      result.out,
      ContainsRegex("cannot say: .*the jwks_uri that "
                    "https://discovery.example.com/.well-known/openid-configuration names"));
}

TEST_F(InspectTest, RevocationsAreNotSaidToBeLookedAt) {
  const Result result = Judge(maker_.Sign(Claims()));
  EXPECT_THAT(result.out, AllOf(HasSubstr("step time"), Not(HasSubstr("step revocation"))));
}

TEST_F(InspectTest, ThePrincipalIsShownWithWhatItsPathsDoNotFind) {
  const std::string more =
      R"(,"realm_access":{"roles":["editor"]},"org":{"id":"acme"},"scope":"a b","sid":"s1")";
  const Result result =
      Judge(maker_.Sign(Claims("https://paths.example.com", "api", kNow - 720, kNow + 180, more)));
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_THAT(result.out,
              AllOf(ContainsRegex("\nprincipal\n +subject +ada\n +tenant +acme\n"),
                    ContainsRegex("roles +none; /realm_acces/roles is not in the token"),
                    ContainsRegex("scopes +a b\n +session +s1\n")));
  const Result json = Judge(maker_.Sign(Claims()), {"--output", "json"});
  EXPECT_THAT(json.out, AllOf(HasSubstr(R"("subject":"ada")"),
                              HasSubstr(R"("roles":"none; roles is not in the token)")));
}

TEST_F(InspectTest, HelpSpeaksOfAcceptedAndRefused) {
  const Result result = RunChild({.arguments = {"token", "--help"}});
  EXPECT_THAT(result.out, AllOf(HasSubstr("0 accepted, 1 refused"), Not(HasSubstr("denied"))));
}

TEST_F(InspectTest, SecretThatIsNotHereIsNoVerdict) {
  const Result result = Judge(secret_.Sign(Claims("https://elsewhere.example.com")));
  EXPECT_EQ(result.code, 2);
  EXPECT_THAT(result.out, ContainsRegex("cannot say: .*NOT_SET_ON_THIS_MACHINE"));
}

TEST_F(InspectTest, ControlCharactersDriveNoTerminal) {
  const std::string more = R"(,"a\u001b[2Jb":"c\u001b]0;d\u0007","e":"\u202e"})";
  std::string claims = Claims();
  claims.pop_back();
  const Result result = Judge(maker_.Sign(claims + more));
  EXPECT_EQ(result.code, 0) << result.out;
  EXPECT_THAT(result.out, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\x07")),
                                Not(HasSubstr("\u202e")), HasSubstr("\\x1b[2J")));
}

TEST_F(InspectTest, JsonHoldsWhatTheTextHolds) {
  const Result result =
      Judge(maker_.Sign(Claims("https://file.example.com", "other")), {"--output", "json"});
  EXPECT_EQ(result.code, 1);
  simdjson::dom::parser parser;
  const simdjson::dom::element json = parser.parse(result.out);
  EXPECT_EQ(std::string_view(json["verdict"]), "refused");
  EXPECT_EQ(std::string_view(json["code"]), "TOKEN_INVALID");
  EXPECT_EQ(std::string_view(json["issuer"]), "https://file.example.com");
  EXPECT_EQ(std::string_view(json["claims"]["sub"]), "ada");
  EXPECT_EQ(std::string_view(json["header"]["kid"]), "k1");
  EXPECT_THAT(std::string(std::string_view(json["not_looked_at"])), HasSubstr("revocations"));
  const Result garbage = Judge("a.b.c", {"--output", "json"});
  EXPECT_EQ(garbage.code, 1);
  EXPECT_TRUE(simdjson::dom::element(parser.parse(garbage.out))["claims"].is_null());
}

TEST_F(InspectTest, NowIsATimeOrSeconds) {
  const std::string token = maker_.Sign(Claims());
  EXPECT_EQ(Judge(token, {"--now", "2027-01-15T08:00:00Z"}).code, 2) << "given twice";
  const std::string config = (folder_ / "gatehouse.yaml").string();
  const auto at = [&](const std::string& now) {
    return RunChild(
        {.arguments = {"token", "inspect", "--config", config, "--now", now}, .input = token});
  };
  EXPECT_EQ(at("2027-01-15T08:00:00Z").code, 0);
  EXPECT_EQ(at("2027-01-15T09:00:00Z").code, 1);
  const Result wrong = at("yesterday");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--now must be a time such as"));
}

TEST_F(InspectTest, WrongUsageIsExitCode2) {
  EXPECT_THAT(Inspect("a.b.c", {"--jwks", "x.json"}).err, HasSubstr("--jwks needs --config"));
  EXPECT_THAT(Inspect("a.b.c", {"--config", "/nowhere.yaml"}).err, HasSubstr("/nowhere.yaml"));
  const std::string token = maker_.Sign(Claims());
  const Result argument = Inspect("", {token});
  EXPECT_EQ(argument.code, 2);
  EXPECT_THAT(argument.err, AllOf(HasSubstr("tokens are not taken from the command line"),
                                  Not(HasSubstr(token))));
  EXPECT_EQ(RunChild({.arguments = {"token"}}).code, 2);
}

}  // namespace
}  // namespace gatehouse::cli
