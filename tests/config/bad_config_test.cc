#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/config/config.h"
#include "tests/config/good.h"

namespace gatehouse::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// kGood with one piece of it replaced, and the one message that must come of it.
struct Case {
  const char* name;
  std::string piece;
  std::string instead;
  std::string message;  // how it begins
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

std::string MessageOf(const std::string& yaml) {
  const auto config = ParseConfig(yaml, "g.yaml");
  if (config.ok()) return "was accepted";
  EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << config.status();
  return std::string(config.status().message());
}

std::string Changed(const std::string& piece, const std::string& instead) {
  std::string yaml = kGood;
  const size_t at = yaml.find(piece);
  EXPECT_NE(at, std::string::npos) << piece;
  EXPECT_EQ(yaml.find(piece, at + 1), std::string::npos) << "not the only one: " << piece;
  return yaml.replace(at, piece.size(), instead);
}

class BadConfig : public ::testing::TestWithParam<Case> {};

TEST_P(BadConfig, IsRefusedWithLineAndField) {
  const std::string message = MessageOf(Changed(GetParam().piece, GetParam().instead));
  EXPECT_THAT(message, StartsWith(GetParam().message));
  EXPECT_THAT(message, Not(HasSubstr("\n"))) << "one mistake, one message";
}

const Case kForm[] = {
    {"UnknownField", "    skew: 1m", "    skw: 1m",
     "g.yaml:33: issuers[2].skw: unknown field; did you mean \"skew\"?"},
    {"UnknownFieldOtherCase", "allow_missing_iat", "allow-Missing-IAT",
     "g.yaml:26: issuers[1].allow-Missing-IAT: unknown field; did you mean \"allow_missing_iat\"?"},
    {"UnknownFieldSwapped", "http: \"127", "htpt: \"127",
     "g.yaml:1: listen.htpt: unknown field; did you mean \"http\"?"},
    {"UnknownFieldFarFromAll", "    skew: 1m", "    colour: red",
     "g.yaml:33: issuers[2].colour: unknown field; known here: issuer, audiences, algorithms, "
     "keys"},
    {"UnknownFieldAtTop", "revocations:", "plugins: []\nrevocations:",
     "g.yaml:35: plugins: unknown field; known here: listen, issuers, revocations, callers"},
    {"RepeatedField", "  keep: 720h", "  keep: 720h\n  keep: 721h",
     "g.yaml:39: revocations.keep: is given twice; first on line 38"},
    {"RepeatedFieldInFlow", "{roles: role, tenant", "{roles: role, roles: r, tenant",
     "g.yaml:7: issuers[0].claims.roles: is given twice; first on line 7"},
    {"ListForOneValue", "issuer: development", "issuer: [development]",
     "g.yaml:10: issuers[1].issuer: must be one value, not a list"},
    {"MappingForOneValue", "issuer: development", "issuer: {name: development}",
     "g.yaml:10: issuers[1].issuer: must be one value, not a mapping"},
    {"OneValueForList", "algorithms: [HS256]", "algorithms: HS256",
     "g.yaml:31: issuers[2].algorithms: must be a list, not one value"},
    {"MappingForList", "audiences: [\"todo\"]", "audiences: {a: todo}",
     "g.yaml:30: issuers[2].audiences: must be a list, not a mapping"},
    {"ListInList", "audiences: [\"todo\"]", "audiences: [[todo]]",
     "g.yaml:30: issuers[2].audiences[0]: must be one value, not a list"},
    {"OneValueForMapping", "    keys: {secret_env: GATEHOUSE_SECRET}", "    keys: GATEHOUSE_SECRET",
     "g.yaml:32: issuers[2].keys: must be a mapping, not one value"},
    {"ListForMapping", "    keys: {secret_env: GATEHOUSE_SECRET}", "    keys: [secret_env]",
     "g.yaml:32: issuers[2].keys: must be a mapping, not a list"},
    {"Null", "issuer: development", "issuer: ~",
     "g.yaml:10: issuers[1].issuer: is empty; must be one value, or left out"},
    {"NullMapping", "listen: {grpc: \"127.0.0.1:7070\", http: \"127.0.0.1:7071\"}",
     "listen:", "g.yaml:1: listen: is empty; must be a mapping, or left out"},
    {"NullInList", "      - notes", "      -",
     "g.yaml:12: issuers[1].audiences[1]: is empty; must be one value"},
    {"NullDuration", "  keep: 720h", "  keep: null",
     "g.yaml:38: revocations.keep: is empty; must be one value"},
    {"BooleanOfAnotherLanguage", "iat: true", "iat: yes",
     "g.yaml:26: issuers[1].allow_missing_iat: must be true or false, not \"yes\""},
    {"BooleanInQuotes", "iat: true", "iat: \"true\"",
     "g.yaml:26: issuers[1].allow_missing_iat: must be true or false, not \"true\""},
    {"BooleanAsNumber", "iat: true", "iat: 1",
     "g.yaml:26: issuers[1].allow_missing_iat: must be true or false, not \"1\""},
    {"DurationWithoutUnit", "max_token_lifetime: 1h", "max_token_lifetime: 3600",
     "g.yaml:8: issuers[0].max_token_lifetime: must be a time such as \"90s\", \"15m\" or "
     "\"1h30m\", not \"3600\""},
    {"DurationOfDays", "  keep: 720h", "  keep: 30d",
     "g.yaml:38: revocations.keep: must be a time such as"},
    {"DurationNegative", "    skew: 1m", "    skew: -1s",
     "g.yaml:33: issuers[2].skew: must be neither negative nor infinite, but is \"-1s\""},
    {"DurationInfinite", "  keep: 720h", "  keep: inf",
     "g.yaml:38: revocations.keep: must be neither negative nor infinite, but is \"inf\""},
    {"DurationTooLong", "  keep: 720h", "  keep: 9999999999h",
     "g.yaml:38: revocations.keep: must be neither negative nor infinite"},
    {"AuditNegative", "  keep: 720h", "  audit: -1h",
     "g.yaml:38: revocations.audit: must be neither negative nor infinite"},
    {"DurationAsList", "    skew: 1m", "    skew: [1m]",
     "g.yaml:33: issuers[2].skew: must be one value, not a list"},
    {"TwoOfOneChoice", "{secret_env: GATEHOUSE_SECRET}", "{secret_env: A, secret_file: b}",
     "g.yaml:32: issuers[2].keys.secret_file: cannot stand beside secret_env; give one of them"},
    {"ControlCharacterEscaped", "issuer: 'internal'", "issuer: \"in\\x07ternal\"",
     "g.yaml:29: issuers[2].issuer: holds a control character"},
    {"LineEndInBlockText", "issuer: 'internal'", "issuer: |\n      internal",
     "g.yaml:29: issuers[2].issuer: holds a control character, perhaps a line end"},
    {"NextLineCharacter", "issuer: 'internal'", "issuer: \"a\\u0085b\"",
     "g.yaml:29: issuers[2].issuer: holds a control character"},
    {"FieldNameIsAList", "    skew: 1m", "    [skew]: 1m",
     "g.yaml:33: issuers[2]: a field's name must be one word, not a list"},
    {"MergeKey", "    skew: 1m", "    <<: {skew: 1m}",
     "g.yaml:33: issuers[2].<<: YAML merge keys are not supported"},
};

const Case kYaml[] = {
    {"Anchor", "issuer: development", "issuer: &name development",
     "g.yaml:10: YAML anchors (&name) are not supported"},
    {"Alias", "issuer: development", "issuer: *name",
     "g.yaml:10: YAML: the referenced anchor is not defined"},
    {"Tag", "issuer: development", "issuer: !secret development",
     "g.yaml:10: YAML tags (!name) are not supported"},
    {"StandardTag", "issuer: development", "issuer: !!str development",
     "g.yaml:10: YAML tags (!name) are not supported"},
    {"SecondDocument",
     "revocations:", "---\nrevocations:", "g.yaml:35: another YAML document begins here"},
    {"SyntaxUnclosed", "algorithms: [HS256]", "algorithms: [HS256",
     "g.yaml:32: YAML: end of sequence flow not found"},
    {"SyntaxIndentation", "    claims:\n", "   claims:\n", "g.yaml:17: YAML: "},
    {"SyntaxTab", "    skew: 1m", "\tskew: 1m", "g.yaml:33: YAML: "},
    {"SyntaxQuote", "issuer: 'internal'", "issuer: 'internal",
     "g.yaml:40: YAML: a quote is opened before and never closed"},
    {"EndOfTransmission", "issuer: 'internal'", "\x04issuer: 'internal'",
     "g.yaml:29: this line holds a control character"},
    {"NulByte", "issuer: 'internal'", std::string("issuer: a\0b", 11),
     "g.yaml:29: this line holds a control character"},
    {"NotUtf8", "issuer: 'internal'", "issuer: \xFF", "g.yaml:29: this line is not UTF-8"},
    {"NestedTooDeep", "issuer: 'internal'",
     "issuer: " + std::string(600, '[') + std::string(600, ']'),
     "g.yaml:29: nested more than 32 deep"},
};

const Case kMeaning[] = {
    {"AuditTooLong", "  keep: 720h", "  audit: 87601h",
     "g.yaml:38: revocations.audit: must be from 0s to 87600h, but is 87601h"},
    {"RememberForTooLong", "  keep: 720h", "  remember_for: 61m",
     "g.yaml:38: revocations.remember_for: must be from 0s to 1h, but is 1h1m"},
    {"BackupsEmpty", "  keep: 720h", "  backups: \"\"", "g.yaml:38: revocations.backups: "},
    {"NoPort", "grpc: \"127.0.0.1:7070\"", "grpc: 127.0.0.1",
     "g.yaml:1: listen.grpc: must be \"host:port\"; the port is missing"},
    {"NoHost", "grpc: \"127.0.0.1:7070\"", "grpc: \":7070\"",
     "g.yaml:1: listen.grpc: must be \"host:port\"; the host is missing"},
    {"EmptyEndpoint", "grpc: \"127.0.0.1:7070\"", "grpc: \"\"",
     "g.yaml:1: listen.grpc: must be \"host:port\""},
    {"PortTooLarge", "grpc: \"127.0.0.1:7070\"", "grpc: 127.0.0.1:65536",
     "g.yaml:1: listen.grpc: must be \"host:port\" with a port from 0 to 65535"},
    {"PortIsNoNumber", "grpc: \"127.0.0.1:7070\"", "grpc: 127.0.0.1:+70",
     "g.yaml:1: listen.grpc: must be \"host:port\" with a port"},
    {"BareIpv6", "grpc: \"127.0.0.1:7070\"", "grpc: \"::1:7070\"",
     "g.yaml:1: listen.grpc: must be \"host:port\", an IPv6 address in brackets"},
    {"SamePort", "http: \"127.0.0.1:7071\"", "http: \"127.0.0.1:7070\"",
     "g.yaml:1: listen.http: listen.grpc and listen.http must not share port 7070"},
    {"SamePortByDefault", "{grpc: \"127.0.0.1:7070\", http: \"127.0.0.1:7071\"}",
     "{grpc: \"127.0.0.1:7071\"}", "g.yaml:1: listen.grpc: listen.grpc and listen.http must not"},
    {"IssuerMissing", "  - issuer: development\n    audiences:", "  - audiences:",
     "g.yaml:10: issuers[1].issuer: is required"},
    {"IssuerEmpty", "issuer: development", "issuer: ''",
     "g.yaml:10: issuers[1].issuer: must not be empty"},
    {"IssuerTwice", "issuer: 'internal'", "issuer: http://localhost:3000",
     "g.yaml:29: issuers[2].issuer: is the issuer of issuers[0] already (line 3)"},
    {"AudiencesMissing", "    audiences: [\"todo\"]\n", "",
     "g.yaml:29: issuers[2].audiences: needs at least one audience"},
    {"AudiencesEmpty", "audiences: [\"todo\"]", "audiences: []",
     "g.yaml:30: issuers[2].audiences: needs at least one audience"},
    {"AudienceEmpty", "      - notes", "      - ''",
     "g.yaml:13: issuers[1].audiences[1]: must not be empty"},
    {"AlgorithmsMissing", "    algorithms: [HS256]\n", "",
     "g.yaml:29: issuers[2].algorithms: needs at least one of EdDSA, ES256, ES384"},
    {"AlgorithmUnknown", "[EdDSA, ES256, RS256]", "[EdDSA, ES256K]",
     "g.yaml:14: issuers[1].algorithms[1]: unknown algorithm \"ES256K\"; known are EdDSA, ES256, "
     "ES384"},
    {"AlgorithmNone", "[EdDSA, ES256, RS256]", "[none]",
     "g.yaml:14: issuers[1].algorithms[0]: unknown algorithm \"none\""},
    {"AlgorithmTwice", "[EdDSA, ES256, RS256]", "[EdDSA, ES256, ES256]",
     "g.yaml:14: issuers[1].algorithms[2]: ES256 is listed twice"},
    {"AlgorithmTwiceByTwoNames", "[EdDSA, ES256, RS256]", "[EdDSA, Ed25519]",
     "g.yaml:14: issuers[1].algorithms[1]: EdDSA is listed twice (EdDSA and Ed25519 are the same)"},
    {"KeysMissing", "    keys: {secret_env: GATEHOUSE_SECRET}\n", "",
     "g.yaml:29: issuers[2].keys: needs exactly one of jwks_url, jwks_file, secret_env"},
    {"KeysEmpty", "{secret_env: GATEHOUSE_SECRET}", "{}",
     "g.yaml:32: issuers[2].keys: needs exactly one of jwks_url"},
    {"KeysFieldUnknown", "{secret_env: GATEHOUSE_SECRET}", "{secret: hunter2}",
     "g.yaml:32: issuers[2].keys.secret: unknown field; known here: jwks_url, jwks_file, "
     "secret_env, secret_file"},
    {"HmacWithPublicKeys", "[EdDSA, ES256, RS256]", "[EdDSA, HS256]",
     "g.yaml:14: issuers[1].algorithms: HS256 needs keys.secret_env or keys.secret_file"},
    {"SecretWithPublicKeyAlgorithm", "algorithms: [HS256]", "algorithms: [RS256]",
     "g.yaml:31: issuers[2].algorithms: must be HS256, HS384 or HS512 alone"},
    {"SecretWithMoreThanHmac", "algorithms: [HS256]", "algorithms: [HS256, EdDSA]",
     "g.yaml:31: issuers[2].algorithms: must be HS256, HS384 or HS512 alone"},
    {"SecretInsteadOfItsName", "{secret_env: GATEHOUSE_SECRET}",
     "{secret_env: \"hunter2-hunter2\"}",
     "g.yaml:32: issuers[2].keys.secret_env: must be the name of an environment variable"},
    {"JwksFileEmpty", "jwks_file: keys/development.jwks", "jwks_file: \"\"",
     "g.yaml:16: issuers[1].keys.jwks_file: must not be empty"},
    {"UrlPlainHttp", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: http://example.com/jwks}",
     "g.yaml:6: issuers[0].keys.jwks_url: must be https, since"},
    {"UrlLoopbackLookalike", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: \"http://127.0.0.1.example.com/jwks\"}",
     "g.yaml:6: issuers[0].keys.jwks_url: must be https, since"},
    {"UrlPassword", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: \"https://me:hunter2@example.com/jwks\"}",
     "g.yaml:6: issuers[0].keys.jwks_url: must not hold a user name or password"},
    {"UrlFragment", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: \"https://example.com/jwks#keys\"}",
     "g.yaml:6: issuers[0].keys.jwks_url: must not hold a fragment"},
    {"UrlOfAFile", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: \"file:///etc/jwks.json\"}",
     "g.yaml:6: issuers[0].keys.jwks_url: must begin with https://"},
    {"UrlWithoutScheme", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: example.com/jwks}", "g.yaml:6: issuers[0].keys.jwks_url: is no URL: "},
    {"UrlWithSpace", "{jwks_url: http://localhost:3000/api/auth/jwks}",
     "{jwks_url: \"https://exa mple.com/jwks\"}",
     "g.yaml:6: issuers[0].keys.jwks_url: is no URL: "},
    {"UrlEmpty", "{jwks_url: http://localhost:3000/api/auth/jwks}", "{jwks_url: \"\"}",
     "g.yaml:6: issuers[0].keys.jwks_url: is no URL: "},
    {"LifetimeZero", "max_token_lifetime: 1h", "max_token_lifetime: 0s",
     "g.yaml:8: issuers[0].max_token_lifetime: must be longer than zero"},
    {"LifetimeBeyondKeep", "max_token_lifetime: 1h", "max_token_lifetime: 720h1s",
     "g.yaml:8: issuers[0].max_token_lifetime: is 720h1s, longer than revocations.keep (720h)"},
    {"DefaultLifetimeBeyondKeep", "keep: 720h", "keep: 23h",
     "g.yaml:29: issuers[2].max_token_lifetime: is 24h unless given, longer than revocations.keep"},
    {"SkewTooLarge", "    skew: 1m", "    skew: 61s",
     "g.yaml:33: issuers[2].skew: must be at most 60s, but is 1m1s"},
    {"ClaimNameEmpty", "roles: groups", "roles: ''",
     "g.yaml:18: issuers[1].claims.roles: must not be empty; leave it out for \"roles\""},
    {"ClientClaimEmpty", "client: azp", "client: ''",
     "g.yaml:22: issuers[1].claims.client: must not be empty; leave it out for \"client_id\""},
    {"ClaimNameWithControlCharacter", "roles: groups", "roles: \"a\\tb\"",
     "g.yaml:18: issuers[1].claims.roles: holds a control character"},
    {"DevelopmentKeyMissing", "    development:\n      private_key_file: keys/development.pem",
     "    development: {}", "g.yaml:27: issuers[1].development.private_key_file: is required"},
    {"DevelopmentKeyEmpty", "private_key_file: keys/development.pem", "private_key_file: ''",
     "g.yaml:28: issuers[1].development.private_key_file: must not be empty"},
    {"DevelopmentWithoutFile", "jwks_file: keys/development.jwks", "jwks_url: https://a.example/j",
     "g.yaml:27: issuers[1].development: an issuer for development needs keys.jwks_file"},
    {"DevelopmentWithoutEdDsa", "[EdDSA, ES256, RS256]", "[ES256]",
     "g.yaml:14: issuers[1].algorithms: must hold EdDSA"},
    {"KeepTooShort", "keep: 720h", "keep: 59s",
     "g.yaml:38: revocations.keep: must be at least 1m, but is 59s"},
    {"SqliteMissing", "  sqlite:\n    path: gatehouse.db\n", "",
     "g.yaml:35: revocations.sqlite: is required"},
    {"SqlitePathMissing", "  sqlite:\n    path: gatehouse.db\n", "  sqlite: {}\n",
     "g.yaml:36: revocations.sqlite.path: is required"},
    {"SqlitePathEmpty", "path: gatehouse.db", "path: \"\"",
     "g.yaml:37: revocations.sqlite.path: must not be empty"},
    {"SqliteInMemory", "path: gatehouse.db", "path: \":memory:\"",
     "g.yaml:37: revocations.sqlite.path: must be a file's path"},
    {"RevocationsMissing", "revocations:\n  sqlite:\n    path: gatehouse.db\n  keep: 720h\n", "",
     "g.yaml:1: revocations: is required"},
};

std::string NameOf(const ::testing::TestParamInfo<Case>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Form, BadConfig, ::testing::ValuesIn(kForm), NameOf);
INSTANTIATE_TEST_SUITE_P(Yaml, BadConfig, ::testing::ValuesIn(kYaml), NameOf);
INSTANTIATE_TEST_SUITE_P(Meaning, BadConfig, ::testing::ValuesIn(kMeaning), NameOf);

TEST(BadConfigs, TheFileThatTheCasesChangeIsGood) { EXPECT_EQ(MessageOf(kGood), "was accepted"); }

TEST(BadConfigs, AllMistakesAreReportedInTheFilesOrder) {
  const std::string message = MessageOf(R"(listen: {grpc: "0.0.0.0:1", htp: "127.0.0.1:2"}
issuers:
  - issuer: a
    audience: [b]
    algorithms: [ES257]
    keys: {jwks_url: [http://example.com]}
    skew: 2m
  - issuer: a
    audiences: []
    algorithms: [HS256]
    keys: {jwks_file: f}
    allow_missing_iat: maybe
)");
  const std::vector<std::string> lines = absl::StrSplit(message, '\n');
  EXPECT_THAT(
      lines,
      ElementsAre(StartsWith("g.yaml:1: listen.htp: unknown field; did you mean \"http\"?"),
                  StartsWith("g.yaml:1: listen.grpc: other machines reach 0.0.0.0"),
                  StartsWith("g.yaml:1: listen.grpc: other machines reach 0.0.0.0"),
                  StartsWith("g.yaml:1: revocations: is required"),
                  StartsWith("g.yaml:3: issuers[0].audiences: needs at least one"),
                  StartsWith("g.yaml:3: issuers[0].may_assert: is required with several issuers"),
                  StartsWith("g.yaml:4: issuers[0].audience: unknown field; did you mean"),
                  StartsWith("g.yaml:5: issuers[0].algorithms[0]: unknown algorithm"),
                  StartsWith("g.yaml:6: issuers[0].keys.jwks_url: must be one value, not a list"),
                  StartsWith("g.yaml:7: issuers[0].skew: must be at most 60s"),
                  StartsWith("g.yaml:8: issuers[1].may_assert: is required with several issuers"),
                  StartsWith("g.yaml:8: issuers[1].issuer: is the issuer of issuers[0] already"),
                  StartsWith("g.yaml:9: issuers[1].audiences: needs at least one"),
                  StartsWith("g.yaml:10: issuers[1].algorithms: HS256 needs"),
                  StartsWith("g.yaml:12: issuers[1].allow_missing_iat: must be true or false")));
}

TEST(BadConfigs, AnEmptyFileSaysThatItIsEmpty) {
  EXPECT_EQ(MessageOf(""), "g.yaml:1: the file is empty");
  EXPECT_EQ(MessageOf("# only a comment\n"), "g.yaml:1: the file is empty");
}

TEST(BadConfigs, AFileThatIsNoMappingIsRefused) {
  EXPECT_EQ(MessageOf("- a\n- b\n"), "g.yaml:1: must be a mapping, not a list");
  EXPECT_EQ(MessageOf("hello"), "g.yaml:1: must be a mapping, not one value");
}

TEST(BadConfigs, AliasesDoNotMultiply) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    absl::StrAppend(&bomb, "a", i, ": &a", i, " [*a", i - 1, ", *a", i - 1, ", *a", i - 1, "]\n");
  }
  EXPECT_EQ(MessageOf(bomb), "g.yaml:1: YAML anchors (&name) are not supported");
}

TEST(BadConfigs, AVeryLargeFileIsRefusedUnread) {
  EXPECT_THAT(MessageOf(kGood + std::string(1 << 20, '#')), HasSubstr("larger than 1048576 bytes"));
}

TEST(BadConfigs, ManyMistakesAreCutShort) {
  std::string yaml = "issuers: [";
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&yaml, i == 0 ? "" : ",", "\n  x");
  absl::StrAppend(&yaml, "]\nrevocations: {sqlite: {path: g.db}}\n");
  EXPECT_THAT(MessageOf(yaml), HasSubstr("\ng.yaml: and 950 more"));
}

TEST(BadConfigs, SecretsStandInNoMessage) {
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"{secret_env: GATEHOUSE_SECRET}", "{secret_env: hunter2-hunter2}"},
      {"{secret_env: GATEHOUSE_SECRET}", "{secret: hunter2}"},
      {"{secret_env: GATEHOUSE_SECRET}", "{secret_env: [hunter2]}"},
      {"{secret_env: GATEHOUSE_SECRET}", "{secret_env: A, secret_file: hunter2}"},
      {"{secret_env: GATEHOUSE_SECRET}", "{secret_env: \"hunter2\\n\"}"},
      {"{secret_env: GATEHOUSE_SECRET}", "hunter2"},
      {"http://localhost:3000/api/auth/jwks", "https://me:hunter2@a.example/jwks"},
      {"http://localhost:3000/api/auth/jwks", "http://a.example/jwks?key=hunter2"},
      {"http://localhost:3000/api/auth/jwks", "ftp://me:hunter2@a.example/jwks"}};
  for (const auto& [piece, instead] : changes) {
    const std::string message = MessageOf(Changed(piece, instead));
    EXPECT_THAT(message, StartsWith("g.yaml:"));
    EXPECT_THAT(message, Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace gatehouse::config
