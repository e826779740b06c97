#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "server/jose/jwt_verifier.h"
#include "server/keys/key_copy.h"
#include "tests/keys/source_fixture.h"

namespace gatehouse::keys {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RotationTest : public SourceTest {
 protected:
  // Whether a token that `maker` signed verifies with the keys in force.
  bool Verifies(const KeySource& source, const TokenMaker& maker) const {
    auto jwt = jose::UnverifiedJwt::Parse(
        maker.Sign(R"({"iss":"me","sub":"ada","aud":"todo","iat":1795216300,"exp":1795216600})"));
    const auto keys = source.Current();
    if (!jwt.ok() || keys == nullptr) return false;
    const auto candidates = keys->Candidates(*jwt->kid(), jwt->algorithm());
    jose::IssuerRules rules;
    rules.issuer = "me";
    rules.audiences = {"todo"};
    rules.algorithms = {Algorithm::kEdDsa};
    return jose::JwtVerifier::Verify(*std::move(jwt), rules, candidates).ok();
  }
};

TEST_F(RotationTest, AKeyThatHasLeftVerifiesForItsGraceAndIsThenRetired) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = Started(OptionsFor(server));
  const auto old = KeyOf(*source, a_);
  server.SetReply({.body = b_.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  EXPECT_EQ(KeyOf(*source, a_), old);
  EXPECT_TRUE(Verifies(*source, a_));
  EXPECT_TRUE(Verifies(*source, b_));
  EXPECT_EQ(source->State().key_count, 2U);
  EXPECT_EQ(source->State().leaving_count, 1U);
  EXPECT_EQ(source->State().next_end, absl::Minutes(1));
  Pass(absl::Seconds(57));
  ASSERT_TRUE(Refetch(*source));  // a later fetch puts the end off no further
  EXPECT_FALSE(old->retired());
  Pass(absl::Seconds(1));
  EXPECT_TRUE(old->retired());
  EXPECT_FALSE(Verifies(*source, a_));
  EXPECT_TRUE(Verifies(*source, b_));
  EXPECT_EQ(source->State().leaving_count, 0U);
}

TEST_F(RotationTest, AKeyThatComesBackWithinItsGraceStays) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = Started(OptionsFor(server));
  const auto key = KeyOf(*source, a_);
  server.SetReply({.body = b_.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  server.SetReply({.body = TokenMaker::JwksOf({&b_, &a_})});
  ASSERT_TRUE(Refetch(*source));
  Pass(absl::Minutes(4));
  EXPECT_EQ(KeyOf(*source, a_), key);
  EXPECT_FALSE(key->retired());
  EXPECT_EQ(source->State().leaving_count, 0U);
}

TEST_F(RotationTest, TokensOfBothKeysOfOneKidVerifyInTheGracePeriod) {
  const TokenMaker first(Algorithm::kEdDsa, "same");
  const TokenMaker second(Algorithm::kEdDsa, "same");
  JwksServer server({.body = first.Jwks()});
  const auto source = Started(OptionsFor(server));
  server.SetReply({.body = second.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  EXPECT_EQ(KeyOf(*source, second)->thumbprint(), second.thumbprint());
  EXPECT_TRUE(Verifies(*source, first));
  EXPECT_TRUE(Verifies(*source, second));
  Pass(absl::Minutes(1));
  EXPECT_FALSE(Verifies(*source, first));
  EXPECT_TRUE(Verifies(*source, second));
}

TEST_F(RotationTest, WithoutGraceAKeyEndsWhenItLeaves) {
  JwksServer server({.body = TokenMaker::JwksOf({&a_, &b_})});
  JwksUrlOptions options = OptionsFor(server);
  options.grace = absl::ZeroDuration();
  const auto source = Started(options);
  const auto stays = KeyOf(*source, a_);
  const auto leaves = KeyOf(*source, b_);
  server.SetReply({.body = a_.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  EXPECT_EQ(KeyOf(*source, a_), stays);
  EXPECT_EQ(KeyOf(*source, b_), nullptr);
  EXPECT_TRUE(leaves->retired());
}

TEST_F(RotationTest, AKeysGraceEndsAlsoWhileAFetchHangs) {
  JwksServer server({.body = TokenMaker::JwksOf({&a_, &b_})});
  JwksUrlOptions options = OptionsFor(server);
  options.timeout = absl::Hours(1);
  const auto source = Started(options);
  const auto leaves = KeyOf(*source, b_);
  server.SetReply({.body = a_.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  server.SetReply({.body = a_.Jwks(), .hold = true});
  Answers answers;
  source->AwaitFetch(answers.Waiter());
  clock_.Advance(absl::Seconds(2));
  server.WaitForRequests(3);
  clock_.Advance(absl::Minutes(1));
  while (!leaves->retired()) std::this_thread::yield();
  server.Release();
  answers.WaitFor(1);
}

TEST_F(RotationTest, AnEmptiedSetLetsAllKeysLeaveAndThenThereIsNone) {
  const TokenMaker other(Algorithm::kEs256, "es");
  for (const std::string& emptied : {std::string(R"({"keys":[]})"), other.Jwks()}) {
    JwksServer server({.body = a_.Jwks()});
    JwksUrlOptions options = OptionsFor(server);
    options.copy_folder = folder_;
    auto source = Started(options);
    const auto key = KeyOf(*source, a_);
    ASSERT_NE(key, nullptr);
    server.SetReply({.body = emptied});
    EXPECT_FALSE(Refetch(*source)) << "an unknown kid proves nothing";
    EXPECT_TRUE(Verifies(*source, a_));
    EXPECT_THAT(source->State().last_error, HasSubstr("holds no key"));
    EXPECT_EQ(source->State().next_end, absl::Minutes(1)) << "all that is left";
    Pass(absl::Seconds(59));
    EXPECT_TRUE(Verifies(*source, a_));
    Pass(absl::Seconds(1));
    EXPECT_EQ(source->Current(), nullptr);
    EXPECT_TRUE(key->retired());
    EXPECT_FALSE(source->State().has_keys);
    EXPECT_FALSE(Refetch(*source));

    // A restart does not bring them back.
    source = nullptr;
    source = Started(options);
    EXPECT_EQ(source->Current(), nullptr);
    server.SetReply({.body = b_.Jwks()});
    Pass(absl::Seconds(15));
    EXPECT_TRUE(Verifies(*source, b_));
  }
}

TEST_F(RotationTest, AnEmptiedSetIsAskedForLaterAndLater) {
  JwksServer server({.body = a_.Jwks()});
  const auto source = Started(OptionsFor(server));
  server.SetReply({.body = R"({"keys":[]})"});
  EXPECT_FALSE(Refetch(*source));
  const int before = server.Requests();
  for (int i = 0; i < 4 * 60; ++i) Pass(absl::Milliseconds(250));
  EXPECT_GE(server.Requests(), before + 5);
  EXPECT_LE(server.Requests(), before + 12);
  const int later = server.Requests();
  for (int i = 0; i < 60; ++i) Pass(absl::Seconds(1));
  EXPECT_GE(server.Requests(), later + 3);
  EXPECT_LE(server.Requests(), later + 6);
}

TEST_F(RotationTest, TheSetIsAskedForAheadOfTheEndOfItsLifetimeWithinLimits) {
  struct Case {
    const char* header;
    absl::Duration lifetime;
  };
  const Case cases[] = {{"", absl::Minutes(5)},
                        {"Cache-Control: max-age=600\r\n", absl::Minutes(10)},
                        {"Cache-Control: max-age=600\r\nAge: 400\r\n", absl::Seconds(200)},
                        {"Cache-Control: max-age=1\r\n", absl::Minutes(1)},
                        {"Cache-Control: no-store\r\n", absl::Minutes(1)},
                        {"Cache-Control: max-age=999999\r\n", absl::Hours(1)}};
  for (const Case& c : cases) {
    const JwksServer server({.body = a_.Jwks(), .headers = c.header});
    const auto source = Started(OptionsFor(server));
    Pass(c.lifetime * 0.8 - absl::Nanoseconds(10));
    EXPECT_EQ(server.Requests(), 1) << c.header;
    Pass(c.lifetime * 0.1 + absl::Nanoseconds(20));
    EXPECT_EQ(server.Requests(), 2) << c.header;
  }
}

TEST_F(RotationTest, AShortMaxAgeMakesItAskedForMoreOften) {
  const JwksServer server({.body = a_.Jwks(), .headers = "Cache-Control: max-age=3600\r\n"});
  JwksUrlOptions options = OptionsFor(server);
  options.max_age = absl::Minutes(10);
  const auto source = Started(options);
  for (int i = 0; i < 60; ++i) {
    Pass(absl::Minutes(1));
    ASSERT_NE(KeyOf(*source, a_), nullptr);
  }
}

TEST_F(RotationTest, TheCopyOnDiskIsInForceAtAStartWithoutTheIssuer) {
  JwksServer server({.body = a_.Jwks()});
  JwksUrlOptions options = OptionsFor(server);
  options.copy_folder = folder_;
  Started(options).reset();
  const std::string path = KeyCopyPath(folder_, "me");
  struct stat about{};
  ASSERT_EQ(::stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
  const absl::Time fetched = clock_.Now();

  server.SetReply({.status = 500});
  clock_.Advance(absl::Hours(23));
  ::testing::internal::CaptureStderr();
  const auto source = MakeJwksUrlSource(options, clock_);
  EXPECT_TRUE(Verifies(*source, a_));  // at once, without a fetch
  clock_.AwaitIdle();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("from the copy on disk"), HasSubstr("age=\"23h\"")));
  EXPECT_EQ(server.Requests(), 2);
  EXPECT_TRUE(source->State().from_disk);
  EXPECT_EQ(source->State().last_success, fetched);
  EXPECT_EQ(source->State().age, absl::Hours(23));
  Pass(absl::Hours(1) - absl::Seconds(1));
  EXPECT_TRUE(Verifies(*source, a_));
  Pass(absl::Seconds(1));
  EXPECT_EQ(source->Current(), nullptr) << "older than max_age";
  server.SetReply({.body = b_.Jwks()});
  Pass(absl::Seconds(15));
  EXPECT_FALSE(source->State().from_disk);
  EXPECT_TRUE(Verifies(*source, b_));
  EXPECT_EQ(ReadKeyCopy(path)->jwks, b_.Jwks());
}

TEST_F(RotationTest, ACopyThatDoesNotFitIsNotUsedAndTheLogSaysWhy) {
  const JwksServer down({.status = 500});
  JwksUrlOptions options = OptionsFor(down);
  options.copy_folder = folder_;
  const std::string path = KeyCopyPath(folder_, "me");
  const auto log_of_start = [&](const KeyCopy& copy, bool used) {
    EXPECT_TRUE(WriteKeyCopy(path, copy).ok());
    ::testing::internal::CaptureStderr();
    const auto source = MakeJwksUrlSource(options, clock_);
    EXPECT_EQ(source->Current() != nullptr, used);
    clock_.AwaitIdle();
    return ::testing::internal::GetCapturedStderr();
  };
  const absl::Time now = clock_.Now();
  const KeyCopy good{"me", down.Url(), now, a_.Jwks()};
  log_of_start(good, true);
  KeyCopy copy = good;
  copy.fetched = now + absl::Seconds(60);
  log_of_start(copy, true);
  copy.fetched = now + absl::Seconds(61);
  EXPECT_THAT(log_of_start(copy, false), AllOf(HasSubstr(path), HasSubstr("from the future")));
  copy.fetched = now - absl::Hours(24) + absl::Seconds(1);
  log_of_start(copy, true);
  copy.fetched = now - absl::Hours(24) - absl::Seconds(1);
  EXPECT_THAT(log_of_start(copy, false), HasSubstr("more than max_age"));
  copy = good;
  copy.issuer = "you";
  EXPECT_THAT(log_of_start(copy, false), HasSubstr("another issuer's"));
  copy = good;
  copy.url = "https://other.example/jwks";
  EXPECT_THAT(log_of_start(copy, false), HasSubstr("another URL"));
  copy = good;
  copy.jwks = "<html>";
  EXPECT_THAT(log_of_start(copy, false), HasSubstr("not a JWK Set"));
}

TEST_F(RotationTest, WhereTheCopyCannotBeReplacedTheOldOneGoesSoThatNoKeyComesBack) {
  JwksServer server({.body = a_.Jwks()});
  JwksUrlOptions options = OptionsFor(server);
  options.copy_folder = folder_;
  auto source = Started(options);
  const std::string path = KeyCopyPath(folder_, "me");
  ASSERT_TRUE(ReadKeyCopy(path).ok());
  std::filesystem::create_directory(path + ".new");
  ASSERT_TRUE(Refetch(*source));
  Pass(absl::Minutes(5));
  EXPECT_EQ(ReadKeyCopy(path)->jwks, a_.Jwks()) << "the same set: the copy is right";
  server.SetReply({.body = b_.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  EXPECT_TRUE(absl::IsNotFound(ReadKeyCopy(path).status()));

  server.SetReply({.status = 500});
  source = nullptr;
  source = Started(options);
  EXPECT_FALSE(Verifies(*source, a_)) << "withdrawn";

  std::filesystem::remove(path + ".new");
  server.SetReply({.body = b_.Jwks()});
  ASSERT_TRUE(Refetch(*source));
  EXPECT_EQ(ReadKeyCopy(path)->jwks, b_.Jwks());
}

TEST_F(RotationTest, ACopyIsWrittenAsSoonAsThatIsPossibleAgain) {
  const JwksServer server({.body = a_.Jwks()});
  JwksUrlOptions options = OptionsFor(server);
  options.copy_folder = folder_;
  const std::string path = KeyCopyPath(folder_, "me");
  std::filesystem::create_directory(path + ".new");
  const auto source = Started(options);
  EXPECT_FALSE(ReadKeyCopy(path).ok());
  std::filesystem::remove(path + ".new");
  ASSERT_TRUE(Refetch(*source));
  EXPECT_TRUE(ReadKeyCopy(path).ok());
}

TEST_F(RotationTest, AnOldCopyThatCanNeitherBeReplacedNorRemovedIsAnErrorInTheLog) {
  const JwksServer server({.body = a_.Jwks()});
  JwksUrlOptions options = OptionsFor(server);
  options.copy_folder = folder_;
  const std::string path = KeyCopyPath(folder_, "me");
  std::filesystem::create_directory(path + ".new");
  std::filesystem::create_directory(path);
  ::testing::internal::CaptureStderr();
  Started(options).reset();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr(" error "), HasSubstr("still on disk"), HasSubstr(path)));
}

TEST_F(RotationTest, AFolderThatCannotBeWrittenToCostsTheCopyAndNothingElse) {
  const JwksServer server({.body = a_.Jwks()});
  JwksUrlOptions options = OptionsFor(server);
  options.copy_folder = folder_ + "/missing";
  ::testing::internal::CaptureStderr();
  const auto source = Started(options);
  Pass(absl::Minutes(30));
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_TRUE(Verifies(*source, a_));
  EXPECT_THAT(source->State().last_error, IsEmpty());
  const size_t said = log.find("cannot be written");
  ASSERT_NE(said, std::string::npos);
  EXPECT_EQ(log.find("cannot be written", said + 1), std::string::npos) << "said once";
}

}  // namespace
}  // namespace gatehouse::keys
