#include "gatehouse/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "client/cpp/src/clock.h"
#include "client/cpp/src/settings_check.h"
#include "client/cpp/src/text.h"
#include "client/cpp/src/token_file.h"

namespace gatehouse::client {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class SettingsTest : public testing::Test {
 protected:
  ~SettingsTest() override {
    for (const auto& name : set_) unsetenv(name.c_str());
  }
  void Set(const std::string& name, const std::string& value) {
    setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }
  static std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = testing::TempDir() + "/settings_test_" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static Settings Local() {
    Settings settings;
    settings.target = "localhost:7070";
    return settings;
  }
  static std::string WrongOf(const Settings& settings) {
    const std::optional<Error> wrong = Wrong(settings);
    return wrong.has_value() ? wrong->message : "";
  }

 private:
  std::vector<std::string> set_;
};

TEST_F(SettingsTest, AreReadFromTheEnvironment) {
  Set("GATEHOUSE_TARGET", "dns:///gatehouse:7070");
  Set("GATEHOUSE_TOKEN_FILE", "/t");
  Set("GATEHOUSE_CA_FILE", "/ca");
  Set("GATEHOUSE_CERT_FILE", "/cert");
  Set("GATEHOUSE_KEY_FILE", "/key");
  Set("GATEHOUSE_PLAINTEXT_BEHIND_MESH", "true");
  Set("GATEHOUSE_DEADLINE", "250ms");
  Set("GATEHOUSE_MAX_STALENESS", "2s");
  Set("GATEHOUSE_MEMORY_ENTRIES", "0");
  Set("GATEHOUSE_MEMORY_MIB", "7");
  const Result<Settings> settings = Settings::FromEnvironment();
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->target, "dns:///gatehouse:7070");
  EXPECT_EQ(settings->token_file, "/t");
  EXPECT_EQ(settings->ca_file, "/ca");
  EXPECT_EQ(settings->cert_file, "/cert");
  EXPECT_EQ(settings->key_file, "/key");
  EXPECT_TRUE(settings->plaintext_behind_mesh);
  EXPECT_EQ(settings->deadline, std::chrono::milliseconds(250));
  EXPECT_EQ(settings->max_staleness, std::chrono::seconds(2));
  EXPECT_EQ(settings->memory_entries, 0U);
  EXPECT_EQ(settings->memory_mib, 7U);
}

TEST_F(SettingsTest, AVariableThatCannotBeReadIsNamed) {
  const std::map<std::string, std::string> bad = {
      {"GATEHOUSE_DEADLINE", "500"},
      {"GATEHOUSE_MAX_STALENESS", "soon"},
      {"GATEHOUSE_MEMORY_ENTRIES", "-1"},
      {"GATEHOUSE_MEMORY_MIB", "1e3"},
      {"GATEHOUSE_PLAINTEXT_BEHIND_MESH", "yes"},
  };
  for (const auto& [name, value] : bad) {
    Set(name, value);
    const Result<Settings> settings = Settings::FromEnvironment();
    ASSERT_FALSE(settings.ok()) << name;
    EXPECT_EQ(settings.error().code, ErrorCode::kSetting);
    EXPECT_THAT(settings.error().message, HasSubstr(name));
    unsetenv(name.c_str());
  }
}

TEST_F(SettingsTest, ATargetThatIsNoneIsNamed) {
  for (const char* const target :
       {"", "gatehouse", "http://localhost:7070", "localhost:", "localhost:http", "localhost:0",
        "localhost:65536", ":7070", "a b:1", "unix:", "dns:///", "dns:///name", "1:2:3", "[::1]"}) {
    Settings settings;
    settings.target = target;
    EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_TARGET")) << target;
  }
  for (const char* const target : {"localhost:1", "127.0.0.1:7070", "[::1]:65535", "unix:/run/g",
                                   "dns:///localhost:1", "dns:localhost:1"}) {
    Settings settings;
    settings.target = target;
    EXPECT_EQ(WrongOf(settings), "") << target;
  }
}

TEST_F(SettingsTest, PlaintextToAnotherMachineNeedsAWord) {
  for (const char* const target :
       {"gatehouse:7070", "10.0.0.1:7070", "dns:///gatehouse:7070", "localhost.evil.test:1",
        "127.0.0.1.evil.test:1", "[2001:db8::1]:7070", "dns://127.0.0.1/gatehouse:7070"}) {
    Settings settings;
    settings.target = target;
    EXPECT_THAT(WrongOf(settings),
                AllOf(HasSubstr("GATEHOUSE_CA_FILE"), HasSubstr("GATEHOUSE_PLAINTEXT_BEHIND_MESH")))
        << target;
    settings.plaintext_behind_mesh = true;
    EXPECT_EQ(WrongOf(settings), "") << target;
  }
}

TEST_F(SettingsTest, ATokenFileThatCannotBeUsedIsNamed) {
  Settings settings = Local();
  settings.token_file = "/nowhere/token";
  EXPECT_THAT(WrongOf(settings), AllOf(HasSubstr("GATEHOUSE_TOKEN_FILE"),
                                       HasSubstr("/nowhere/token"), HasSubstr("No such file")));
  settings.token_file = testing::TempDir();
  EXPECT_THAT(WrongOf(settings), HasSubstr("directory"));
  for (const std::string bytes : {"", " \n", "two words", "a\nb", "a\tb", "caf\xc3\xa9"}) {
    settings.token_file = Write("token", bytes);
    EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_TOKEN_FILE")) << bytes;
  }
  settings.token_file = Write("token", "  one-word\r\n");
  EXPECT_EQ(WrongOf(settings), "");
}

TEST_F(SettingsTest, ATokenInThePlaceOfAFileIsNotShown) {
  Settings settings = Local();
  settings.token_file = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";
  EXPECT_THAT(WrongOf(settings), AllOf(HasSubstr("GATEHOUSE_TOKEN_FILE"), Not(HasSubstr("eyJ"))));
}

TEST_F(SettingsTest, CertificatesNeedTheirKeysAndAnAuthority) {
  const std::string cert = Write("cert", "-----BEGIN CERTIFICATE-----\n");
  const std::string key = Write("key", "-----BEGIN PRIVATE KEY-----\n");
  Settings settings = Local();
  settings.cert_file = cert;
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_KEY_FILE"));
  settings.key_file = key;
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_CA_FILE"));
  settings.ca_file = "/nowhere/ca.pem";
  EXPECT_THAT(WrongOf(settings), HasSubstr("/nowhere/ca.pem"));
  settings.ca_file = cert;
  EXPECT_EQ(WrongOf(settings), "");
  settings.key_file = cert;
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_KEY_FILE"));
  settings.cert_file.clear();
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_CERT_FILE"));
}

TEST_F(SettingsTest, NumbersHaveBounds) {
  Settings settings = Local();
  settings.deadline = std::chrono::milliseconds(0);
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_DEADLINE"));
  settings = Local();
  settings.max_staleness = std::chrono::milliseconds(999);
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_MAX_STALENESS"));
  settings = Local();
  settings.memory_mib = 0;
  EXPECT_THAT(WrongOf(settings), HasSubstr("GATEHOUSE_MEMORY_MIB"));
  settings.memory_entries = 0;
  EXPECT_EQ(WrongOf(settings), "");
}

TEST_F(SettingsTest, ATokenIsReadAgainWhenItsFileChanges) {
  std::vector<std::string> warnings;
  const std::string path = Write("rotating", "first\n");
  TokenFile file(path, [&](const std::string& what) { warnings.push_back(what); });
  int64_t now = 1000 * kSecond;
  EXPECT_EQ(file.Get(now), "first");
  Write("rotating", "the-second\n");
  EXPECT_EQ(file.Get(now), "first");  // looked at a moment ago
  EXPECT_EQ(file.Get(now += kSecond), "the-second");
  Write("rotating", "");
  EXPECT_EQ(file.Get(now += kSecond), "the-second");
  EXPECT_EQ(file.Get(now += kSecond), "the-second");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_THAT(warnings[0], AllOf(HasSubstr("GATEHOUSE_TOKEN_FILE"), Not(HasSubstr("second"))));
  Write("rotating", "third");
  EXPECT_EQ(file.Get(now += kSecond), "third");
}

TEST(TextTest, KnowsUtf8) {
  for (const char* const good : {"", "a", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const char* const bad : {"\x80", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80",
                                "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "a\xff"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

}  // namespace
}  // namespace gatehouse::client
