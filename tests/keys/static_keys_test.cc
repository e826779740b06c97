#include "server/keys/static_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "server/base/status_macros.h"

namespace gatehouse::keys {
namespace {

using jose::Algorithm;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "sXq81Zr-0vLkq7Tn4Wd2Yb6Hc9Jm3Pf5Gs";

class StaticKeysTest : public ::testing::Test {
 protected:
  StaticKeysTest() : folder_(::testing::TempDir() + "gatehouse_keys_XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) std::abort();
  }
  ~StaticKeysTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& text) {
    const std::string path = folder_ + "/file";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  std::string SecretIn(const std::string& text) {
    const auto secret = ReadSecretFile(Write(text));
    return secret.ok() ? std::string(secret->Reveal()) : std::string(secret.status().message());
  }
  static std::string TextOf(const absl::Status& status) { return std::string(status.message()); }

  std::string folder_;
};

TEST_F(StaticKeysTest, OneLineEndIsNotPartOfTheSecret) {
  EXPECT_EQ(SecretIn("s"), "s");
  EXPECT_EQ(SecretIn("s\n"), "s");
  EXPECT_EQ(SecretIn("s\r\n"), "s");
  EXPECT_EQ(SecretIn("s\n\n"), "s\n");
  EXPECT_EQ(SecretIn(" s "), " s ");
  EXPECT_EQ(SecretIn("s\r"), "s\r");
  EXPECT_EQ(SecretIn(std::string("\0s\xFF", 3)), std::string("\0s\xFF", 3));
}

TEST_F(StaticKeysTest, ASecretFileThatIsMissingEmptyTooLargeOrAFolderIsNamed) {
  const auto missing = ReadSecretFile(folder_ + "/missing");
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(TextOf(missing.status()), HasSubstr(folder_ + "/missing"));
  for (const std::string empty : {"", "\n", "\r\n"}) {
    const auto secret = ReadSecretFile(Write(empty));
    EXPECT_TRUE(absl::IsInvalidArgument(secret.status()));
    EXPECT_THAT(TextOf(secret.status()), AllOf(HasSubstr(folder_), HasSubstr("is empty")));
  }
  EXPECT_TRUE(ReadSecretFile(Write(std::string(size_t{64} * 1024, 's'))).ok());
  const auto large = ReadSecretFile(Write(std::string(size_t{64} * 1024 + 1, 's')));
  EXPECT_TRUE(absl::IsInvalidArgument(large.status()));
  EXPECT_THAT(TextOf(large.status()), AllOf(HasSubstr(folder_), Not(HasSubstr("sss"))));
  EXPECT_TRUE(absl::IsInvalidArgument(ReadSecretFile(folder_).status()));
}

TEST_F(StaticKeysTest, NoSecretIsReadFromAPipe) {
  const std::string path = folder_ + "/pipe";
  ASSERT_EQ(mkfifo(path.c_str(), S_IRUSR | S_IWUSR), 0);
  EXPECT_THAT(TextOf(ReadSecretFile(path).status()), HasSubstr(path + ": is no regular file"));
}

TEST_F(StaticKeysTest, ASecretFromTheEnvironment) {
  setenv("GATEHOUSE_TEST_SECRET", kSecret, 1);  // NOLINT(concurrency-mt-unsafe)
  const auto secret = ReadSecretEnv("GATEHOUSE_TEST_SECRET");
  setenv("GATEHOUSE_TEST_SECRET", "", 1);  // NOLINT(concurrency-mt-unsafe)
  const auto empty = ReadSecretEnv("GATEHOUSE_TEST_SECRET");
  unsetenv("GATEHOUSE_TEST_SECRET");  // NOLINT(concurrency-mt-unsafe)
  const auto missing = ReadSecretEnv("GATEHOUSE_TEST_SECRET");
  ASSERT_TRUE(secret.ok()) << secret.status();
  EXPECT_EQ(std::string(secret->Reveal()), kSecret);
  EXPECT_TRUE(absl::IsInvalidArgument(empty.status()));
  EXPECT_THAT(TextOf(empty.status()), HasSubstr("GATEHOUSE_TEST_SECRET"));
  EXPECT_TRUE(absl::IsNotFound(missing.status()));
  EXPECT_THAT(TextOf(missing.status()), HasSubstr("GATEHOUSE_TEST_SECRET"));
}

absl::StatusOr<std::unique_ptr<KeySource>> SourceOf(const std::string& current,
                                                    const std::string& previous = "") {
  const std::vector<Algorithm> algorithms = {Algorithm::kHs256};
  GH_ASSIGN_OR_RETURN(SecretKey key, MakeSecretKey(Secret(current), algorithms));
  SecretKey before;
  if (!previous.empty()) {
    GH_ASSIGN_OR_RETURN(before, MakeSecretKey(Secret(previous), algorithms));
  }
  return MakeSecretSource(std::move(key), std::move(before));
}

TEST_F(StaticKeysTest, TheCurrentSecretAndTheOneBeforeAreTriedInThisOrder) {
  const std::string old = "b7Qd2-Vn5Kx9Zt1Lr6Hc3Jm8Wf4Ys0Pg";
  const auto source = SourceOf(kSecret, old);
  ASSERT_TRUE(source.ok()) << source.status();
  const auto keys = (*source)->Current()->Candidates(Algorithm::kHs256);
  ASSERT_EQ(keys.size(), 2U);
  EXPECT_EQ(keys[0]->thumbprint(), (*SourceOf(kSecret))->Current()->keys()[0]->thumbprint());
  EXPECT_EQ(keys[1]->thumbprint(), (*SourceOf(old))->Current()->keys()[0]->thumbprint());
  EXPECT_EQ((*source)->State().key_count, 2U);
}

TEST_F(StaticKeysTest, TwoEqualSecretsAreRefusedAndNotShown) {
  const auto source = SourceOf(kSecret, kSecret);
  EXPECT_TRUE(absl::IsInvalidArgument(source.status())) << source.status();
  EXPECT_THAT(TextOf(source.status()), AllOf(HasSubstr("same secret"), Not(HasSubstr(kSecret))));
}

TEST_F(StaticKeysTest, ASecretIsOneHs256Key) {
  const auto source = SourceOf(kSecret);
  ASSERT_TRUE(source.ok()) << source.status();
  ASSERT_NE((*source)->Current(), nullptr);
  EXPECT_EQ((*source)->Current()->Candidates(Algorithm::kHs256).size(), 1U);
  EXPECT_TRUE((*source)->State().has_keys);
  EXPECT_EQ((*source)->State().key_count, 1U);
  EXPECT_EQ((*source)->State().succeeded_fetches, 0);
}

TEST_F(StaticKeysTest, AWeakSecretIsRefusedAndNotShown) {
  const auto source = SourceOf("hunter2");
  EXPECT_TRUE(absl::IsInvalidArgument(source.status())) << source.status();
  EXPECT_THAT(TextOf(source.status()), Not(HasSubstr("hunter2")));
}

TEST_F(StaticKeysTest, AwaitFetchAnswersAtOnce) {
  const auto source = SourceOf(kSecret);
  ASSERT_TRUE(source.ok()) << source.status();
  int answers = 0;
  const auto ticket = (*source)->AwaitFetch([&](KeySource::Fetched fetched) {
    EXPECT_EQ(fetched, KeySource::Fetched::kSucceeded);
    ++answers;
  });
  EXPECT_EQ(ticket, KeySource::kNone);
  EXPECT_EQ(answers, 1);
}

}  // namespace
}  // namespace gatehouse::keys
