#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "tests/support/postgres.h"

namespace gatehouse::policy {

// One PostgreSQL for all tests of a suite; without one each of them fails.
class PostgresFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto server = PostgresServer::Start();
    if (server.ok()) {
      server_ = *std::move(server);
    } else {
      why_not_ = server.status();
    }
  }
  static void TearDownTestSuite() { server_.reset(); }

  void SetUp() override {
    ASSERT_NE(server_, nullptr) << why_not_;
    auto connection = PostgresConnection::Open(*server_);
    ASSERT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
  }

  std::unique_ptr<PostgresConnection> connection_;

 private:
  static inline std::unique_ptr<PostgresServer> server_;
  static inline absl::Status why_not_;
};

}  // namespace gatehouse::policy
