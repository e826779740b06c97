#include "server/keys/jwks_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/keys/source_fixture.h"

namespace gatehouse::keys {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class JwksFileTest : public SourceTest {
 protected:
  std::string Write(const std::string& text, const std::string& name = "file") const {
    std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
    return path;
  }
  JwksFileOptions Options(const std::string& path) const {
    return {.issuer = "me", .path = path, .algorithms = {Algorithm::kEdDsa}};
  }
  // With its first look over.
  std::unique_ptr<KeySource> StartedOn(const std::string& path) const {
    auto source = MakeJwksFileSource(Options(path), clock_);
    EXPECT_TRUE(source.ok()) << source.status();
    clock_.AwaitIdle();
    return *std::move(source);
  }
};

TEST_F(JwksFileTest, ItsKeysAreInForceAtOnce) {
  const auto source = MakeJwksFileSource(Options(Write(a_.Jwks())), clock_);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_NE(KeyOf(**source, a_), nullptr);
  EXPECT_EQ((*source)->State().key_count, 1U);
  EXPECT_EQ((*source)->State().last_success, clock_.Now());
  EXPECT_FALSE((*source)->State().from_disk);
}

TEST_F(JwksFileTest, KeysOfOtherAlgorithmsAreLeftOutAndLoggedOnce) {
  const TokenMaker other(Algorithm::kEs256, "es");
  const std::string path = Write(TokenMaker::JwksOf({&a_, &other}));
  ::testing::internal::CaptureStderr();
  const auto source = StartedOn(path);
  Pass(absl::Seconds(5));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(source->Current()->keys().size(), 1U);
  EXPECT_THAT(log, AllOf(HasSubstr(path), HasSubstr("kid=\"es\""), HasSubstr("ES256")));
  EXPECT_EQ(log.find("key left out"), log.rfind("key left out"));
}

TEST_F(JwksFileTest, AFileThatIsOfNoUseIsNamed) {
  const TokenMaker es(Algorithm::kEs256, "es");
  const TokenMaker hmac(Algorithm::kHs256);
  for (const std::string& bad :
       {std::string(), std::string("not json"), std::string("{}"), std::string(R"({"keys":[]})"),
        es.Jwks(), hmac.Jwks(), es.Jwks().substr(0, 30)}) {
    const auto source = MakeJwksFileSource(Options(Write(bad)), clock_);
    EXPECT_TRUE(absl::IsInvalidArgument(source.status())) << source.status() << "\n" << bad;
    EXPECT_THAT(std::string(source.status().message()),
                AllOf(HasSubstr(folder_ + "/file: "), Not(HasSubstr(hmac.secret().substr(0, 8)))));
    EXPECT_EQ(CheckJwksFile(Options(folder_ + "/file")), source.status());
  }
  const auto missing = MakeJwksFileSource(Options(folder_ + "/missing"), clock_);
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(std::string(missing.status().message()), HasSubstr(folder_ + "/missing"));
}

TEST_F(JwksFileTest, APipeIsRefusedAtOnce) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), S_IRUSR | S_IWUSR), 0);
  const auto source = MakeJwksFileSource(Options(path), clock_);
  ASSERT_FALSE(source.ok());
  EXPECT_THAT(std::string(source.status().message()), HasSubstr(path + ": is no regular file"));
}

TEST_F(JwksFileTest, AChangeIsInForceWithinASecondWithGraceForWhatLeft) {
  const std::string path = Write(a_.Jwks());
  const auto source = StartedOn(path);
  const auto old = KeyOf(*source, a_);
  Write(b_.Jwks());
  Pass(absl::Seconds(1));
  EXPECT_NE(KeyOf(*source, b_), nullptr);
  EXPECT_EQ(KeyOf(*source, a_), old);
  Pass(absl::Seconds(58));
  EXPECT_FALSE(old->retired());
  Pass(absl::Seconds(2));
  EXPECT_TRUE(old->retired());
  EXPECT_EQ(KeyOf(*source, a_), nullptr);
}

TEST_F(JwksFileTest, AReplacedFileAndASwappedFolderAreSeen) {
  // As Kubernetes does: keys -> ..data/keys, ..data -> ..1, and then -> ..2.
  namespace fs = std::filesystem;
  fs::create_directory(folder_ + "/..1");
  fs::create_directory(folder_ + "/..2");
  Write(a_.Jwks(), "..1/keys");
  Write(b_.Jwks(), "..2/keys");
  fs::create_directory_symlink("..1", folder_ + "/..data");
  fs::create_symlink("..data/keys", folder_ + "/keys");
  const auto source = StartedOn(folder_ + "/keys");
  EXPECT_NE(KeyOf(*source, a_), nullptr);
  fs::create_directory_symlink("..2", folder_ + "/..new");
  fs::rename(folder_ + "/..new", folder_ + "/..data");
  Pass(absl::Seconds(1));
  EXPECT_NE(KeyOf(*source, b_), nullptr);

  Write(a_.Jwks(), "..2/next");
  fs::rename(folder_ + "/..2/next", folder_ + "/..2/keys");
  Pass(absl::Seconds(1));
  Pass(absl::Minutes(1));
  EXPECT_NE(KeyOf(*source, a_), nullptr);
  EXPECT_EQ(KeyOf(*source, b_), nullptr);
}

TEST_F(JwksFileTest, ABadNewFileLeavesTheOldKeysInForceAndSaysSo) {
  const std::string path = Write(a_.Jwks());
  const auto source = StartedOn(path);
  const auto key = KeyOf(*source, a_);
  for (const std::string& bad : {std::string("{"), std::string(R"({"keys":[]})"), std::string()}) {
    ::testing::internal::CaptureStderr();
    Write(bad);
    Pass(absl::Seconds(1));
    Pass(absl::Hours(48));
    EXPECT_THAT(::testing::internal::GetCapturedStderr(),
                AllOf(HasSubstr(" error "), HasSubstr(path)));
    EXPECT_THAT(source->State().last_error, HasSubstr(path));
    EXPECT_EQ(KeyOf(*source, a_), key);
    EXPECT_FALSE(key->retired());
    EXPECT_FALSE(Refetch(*source)) << "an unknown kid proves nothing";
    Write(a_.Jwks());
    Pass(absl::Seconds(1));
    EXPECT_EQ(source->State().last_error, "");
    EXPECT_EQ(KeyOf(*source, a_), key);
  }
  std::filesystem::remove(path);
  Pass(absl::Seconds(1));
  EXPECT_THAT(source->State().last_error, HasSubstr("there is no such file"));
  EXPECT_EQ(KeyOf(*source, a_), key);
}

TEST_F(JwksFileTest, AWaiterHasTheFileLookedAtWithoutWaitingForTheSecond) {
  const auto source = StartedOn(Write(a_.Jwks()));
  Answers answers;
  Write(b_.Jwks());
  source->AwaitFetch(answers.Waiter());  // the clock stands still
  answers.WaitFor(1);
  EXPECT_EQ(answers.succeeded(), 1);
  EXPECT_NE(KeyOf(*source, b_), nullptr);
}

TEST_F(JwksFileTest, AFileThatStaysIsNotReadAgain) {
  const std::string path = Write(a_.Jwks());
  const auto source = StartedOn(path);
  Pass(absl::Seconds(2));
  const int64_t before = source->State().succeeded_fetches;
  for (int i = 0; i < 100; ++i) Pass(absl::Seconds(1));
  EXPECT_EQ(source->State().succeeded_fetches, before);
  EXPECT_LE(source->State().age, absl::Seconds(1)) << "it was looked at";
  EXPECT_GE(source->State().last_success, clock_.Now() - absl::Seconds(1));
}

}  // namespace
}  // namespace gatehouse::keys
