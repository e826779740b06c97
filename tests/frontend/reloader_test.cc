#include "server/reloader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/fake_clock.h"

namespace gatehouse {
namespace {

using ::testing::HasSubstr;

// Notes what it is told to reload.
class FakeServer final : public Server {
 public:
  absl::Status Reload(const absl::StatusOr<config::Config>& config) override {
    return Retry(config, absl::OkStatus());
  }
  absl::Status Retry(const absl::StatusOr<config::Config>& config,
                     const absl::Status& told) override {
    MutexLock lock(mu_);
    absl::Status status = config.ok() ? refusal_ : config.status();
    if (!status.ok() && status == told) {
      ++quiet_;
      return status;
    }
    reloads_.push_back(config);
    changed_.NotifyAll();
    return status;
  }
  size_t FreeReplaced() override { return 0; }
  void Shutdown(absl::Duration /*grace*/) override {}
  int grpc_port() const override { return 0; }
  int http_port() const override { return 0; }
  std::vector<int> forward_auth_ports() const override { return {}; }

  size_t reloads() const {
    MutexLock lock(mu_);
    return reloads_.size();
  }
  absl::StatusOr<config::Config> last() const {
    MutexLock lock(mu_);
    return reloads_.back();
  }
  // What it says of each that could be read.
  void set_refusal(const absl::Status& refusal) {
    MutexLock lock(mu_);
    refusal_ = refusal;
  }
  size_t quiet() const {
    MutexLock lock(mu_);
    return quiet_;
  }
  void Await(size_t reloads) const {
    MutexLock lock(mu_);
    while (reloads_.size() < reloads) changed_.Wait(mu_);
  }

 private:
  mutable Mutex mu_;
  mutable CondVar changed_;
  absl::Status refusal_ GH_GUARDED_BY(mu_);
  size_t quiet_ GH_GUARDED_BY(mu_) = 0;
  std::vector<absl::StatusOr<config::Config>> reloads_ GH_GUARDED_BY(mu_);
};

class ReloaderTest : public ::testing::Test {
 protected:
  ReloaderTest() {
    std::string name = std::filesystem::temp_directory_path() / "gatehouse-reloader-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Put("api.token", "q7Zp2vX9rT4mK1wB8nY5cF3hJ6sD0gLe");
    Put("gatehouse.yaml", Yaml("1h"));
    FileWatch watch({Path()});
    EXPECT_TRUE(LoadWatched(Path(), watch).ok());
    reloader_.emplace(server_, Path(), std::move(watch), clock_);
    clock_.AwaitIdle();
  }
  ~ReloaderTest() override {
    reloader_.reset();
    std::filesystem::remove_all(folder_);
  }

  std::string Path() const { return folder_ / "gatehouse.yaml"; }
  void Put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / ("." + name)) << text;
    std::filesystem::rename(folder_ / ("." + name), folder_ / name);
  }
  static std::string Yaml(const std::string& lifetime) {
    return absl::StrCat(R"(
issuers:
  - issuer: https://issuer.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://issuer.example/jwks"}
    max_token_lifetime: )",
                        lifetime, R"(
revocations: {sqlite: {path: gatehouse.db}}
callers:
  - {name: api, token_file: api.token, may: [verify]}
)");
  }
  // So many looks.
  void Look(int times = 1) {
    for (int i = 0; i < times; ++i) {
      clock_.Advance(absl::Seconds(1));
      clock_.AwaitIdle();
    }
  }

  std::filesystem::path folder_;
  FakeClock clock_{absl::FromUnixSeconds(1'800'000'000)};
  FakeServer server_;
  std::optional<Reloader> reloader_;
};

TEST_F(ReloaderTest, NothingIsReloadedWhileNothingChanges) {
  Look(20);
  EXPECT_EQ(server_.reloads(), 0U);
}

TEST_F(ReloaderTest, AChangedFileIsReloadedWhenTwoLooksAgree) {
  Put("gatehouse.yaml", Yaml("2h"));
  Look();
  EXPECT_EQ(server_.reloads(), 0U);
  Look();
  ASSERT_EQ(server_.reloads(), 1U);
  ASSERT_TRUE(server_.last().ok()) << server_.last().status();
  EXPECT_EQ(server_.last()->issuers[0].rules.max_token_lifetime, absl::Hours(2));
  Look(20);
  EXPECT_EQ(server_.reloads(), 1U);
}

TEST_F(ReloaderTest, ACallersTokenFileIsWatchedToo) {
  Put("api.token", "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL");
  Look(2);
  EXPECT_EQ(server_.reloads(), 1U);
}

TEST_F(ReloaderTest, SecretsAndCasOfIssuersAreWatchedToo) {
  for (const char* const name : {"new.secret", "old.secret", "ca.pem"}) Put(name, "1");
  Put("gatehouse.yaml", R"(
issuers:
  - issuer: https://url.example
    audiences: [api]
    algorithms: [EdDSA]
    keys: {jwks_url: "https://url.example/jwks", ca_file: ca.pem}
    may_assert: {roles: [any], scopes: [any], tenants: [any]}
  - issuer: https://secret.example
    audiences: [api]
    algorithms: [HS256]
    keys: {secret_file: new.secret, previous_secret_file: old.secret}
    may_assert: {roles: [any], scopes: [any], tenants: [any]}
revocations: {sqlite: {path: gatehouse.db}}
)");
  Look(2);
  ASSERT_EQ(server_.reloads(), 1U);
  ASSERT_TRUE(server_.last().ok()) << server_.last().status();
  size_t reloads = 1;
  for (const char* const name : {"new.secret", "old.secret", "ca.pem"}) {
    Put(name, "2");
    Look(2);
    EXPECT_EQ(server_.reloads(), ++reloads) << name;
  }
}

TEST_F(ReloaderTest, WhatIsAskedForIsDoneAtOnceAndNotAgainForTheSameChange) {
  Put("gatehouse.yaml", Yaml("3h"));
  Look();
  reloader_->Ask();
  server_.Await(1);
  EXPECT_EQ(server_.last()->issuers[0].rules.max_token_lifetime, absl::Hours(3));
  clock_.AwaitIdle();
  Look(20);
  EXPECT_EQ(server_.reloads(), 1U);
  reloader_->Ask();
  server_.Await(2);
}

TEST_F(ReloaderTest, ABadFileIsHandedOnOnceAndItsMendingToo) {
  Put("gatehouse.yaml", "issuers: 7\n");
  Look(30);
  ASSERT_EQ(server_.reloads(), 1U);
  EXPECT_THAT(std::string(server_.last().status().message()), HasSubstr("gatehouse.yaml:1"));
  Put("gatehouse.yaml", Yaml("1h"));
  Look(2);
  ASSERT_EQ(server_.reloads(), 2U);
  EXPECT_TRUE(server_.last().ok());
}

TEST_F(ReloaderTest, WhatTheServerRefusedIsTriedAgainUntilItIsTaken) {
  server_.set_refusal(absl::NotFoundError("gatehouse.yaml:6: jwks.json: there is no such file"));
  Put("gatehouse.yaml", Yaml("2h"));
  Look(2);
  ASSERT_EQ(server_.reloads(), 1U);
  Look(12);
  EXPECT_EQ(server_.reloads(), 1U);
  EXPECT_EQ(server_.quiet(), 2U);
  server_.set_refusal(absl::InvalidArgumentError("jwks.json: is no JWK Set"));
  Look(5);
  EXPECT_EQ(server_.reloads(), 2U);
  server_.set_refusal(absl::OkStatus());
  Look(5);
  EXPECT_EQ(server_.reloads(), 3U);
  Look(20);
  EXPECT_EQ(server_.reloads(), 3U);
}

TEST_F(ReloaderTest, AFileThatIsMissingForAMomentIsNoReload) {
  std::filesystem::rename(Path(), folder_ / "away");
  Look(30);
  EXPECT_EQ(server_.reloads(), 0U);
  std::filesystem::rename(folder_ / "away", Path());
  Look(2);
  EXPECT_LE(server_.reloads(), 1U);
  Put("gatehouse.yaml", Yaml("2h"));
  Look(2);
  EXPECT_EQ(server_.last()->issuers[0].rules.max_token_lifetime, absl::Hours(2));
}

TEST_F(ReloaderTest, WhileTheConfigurationIsMissingNoOtherChangeIsReloaded) {
  std::filesystem::rename(Path(), folder_ / "away");
  Look(2);
  Put("api.token", "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL");
  Look(10);
  EXPECT_EQ(server_.reloads(), 0U);
  std::filesystem::rename(folder_ / "away", Path());
  Look(2);
  EXPECT_EQ(server_.reloads(), 1U);
}

TEST_F(ReloaderTest, ARefusedOneIsNotTriedAgainWhileItIsMissing) {
  Put("gatehouse.yaml", "issuers: 7\n");
  Look(2);
  std::filesystem::remove(Path());
  Look(30);
  EXPECT_EQ(server_.reloads(), 1U);
  Put("gatehouse.yaml", Yaml("1h"));
  Look(2);
  EXPECT_EQ(server_.reloads(), 2U);
}

TEST_F(ReloaderTest, AFileThatIsNoLongerNamedMayGoWithItsName) {
  Put("web.token", "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL");
  Put("gatehouse.yaml", Yaml("1h") + "  - {name: web, token_file: web.token, may: [verify]}\n");
  Look(2);
  ASSERT_EQ(server_.reloads(), 1U);
  Put("gatehouse.yaml", Yaml("1h"));
  std::filesystem::remove(folder_ / "web.token");
  Look(2);
  ASSERT_EQ(server_.reloads(), 2U);
  EXPECT_EQ(server_.last()->callers.size(), 1U);
}

TEST_F(ReloaderTest, ANamedFileThatIsMissingIsAReloadForTheServerToRefuse) {
  std::filesystem::remove(folder_ / "api.token");
  Look(2);
  EXPECT_EQ(server_.reloads(), 1U);
  Put("api.token", "u3Xk8Rz1Vt6Nq9Ws4Ym7Bc2Hp5Jd0FgL");
  Look(2);
  EXPECT_EQ(server_.reloads(), 2U);
}

TEST_F(ReloaderTest, AskingForAFileThatIsMissingIsRefused) {
  std::filesystem::remove(Path());
  reloader_->Ask();
  server_.Await(1);
  EXPECT_EQ(server_.last().status().code(), absl::StatusCode::kNotFound);
  clock_.AwaitIdle();
  Put("gatehouse.yaml", Yaml("2h"));
  Look(2);
  ASSERT_EQ(server_.reloads(), 2U);
  EXPECT_TRUE(server_.last().ok());
}

}  // namespace
}  // namespace gatehouse
