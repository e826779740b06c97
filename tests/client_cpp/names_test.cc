// The names that this client has in common with those of the other languages, as in the tables
// of docs/clients.md and tests/clients/cases.json. Most of it is said when it compiles.

#include <gtest/gtest.h>

#include <string_view>
#include <type_traits>

#include "gatehouse/client.h"

namespace gatehouse {
namespace {

using Token = std::string_view;

static_assert(std::is_same_v<decltype(&Client::FromEnvironment), Result<Client> (*)()>);
static_assert(std::is_same_v<decltype(&Settings::FromEnvironment), Result<Settings> (*)()>);
static_assert(std::is_same_v<decltype(&Client::figures), Figures (Client::*)() const>);

// Calls, with their arguments in order.
[[maybe_unused]] void Calls(Client& client, const Check& check) {
  static_assert(std::is_same_v<decltype(client.Verify(Token())), Answer>);
  static_assert(std::is_same_v<decltype(client.Authorize(Token(), check)), Answer>);
  static_assert(std::is_same_v<decltype(client.BatchAuthorize(Token(), {check})), BatchAnswer>);
  static_assert(std::is_same_v<decltype(client.Filter(Token(), "type", "action")), FilterAnswer>);
  static_assert(std::is_same_v<decltype(client.Revoke(RevocationTarget(), RevokeOptions())),
                               Result<Revoked>>);
  static_assert(std::is_same_v<decltype(client.Reinstate("id", "reason")), Result<Reinstated>>);
  static_assert(std::is_same_v<decltype(client.OnRevoked(Token(), nullptr)), Subscription>);
  static_assert(std::is_same_v<decltype(client.WaitUntilLive({})), bool>);
}

TEST(NamesTest, AQuestionIsWrittenInTheOrderOfTheTable) {
  const Check check{.resource = "note/1",
                    .action = "read",
                    .owner = "ada",
                    .tenant = "acme",
                    .relations = {{"editor", {"bob"}}},
                    .attributes = {{"status", "open"}}};
  const auto& [resource, action, owner, tenant, relations, attributes] = check;
  EXPECT_EQ(resource, "note/1");
  EXPECT_EQ(action, "read");
  EXPECT_EQ(owner, "ada");
  EXPECT_EQ(tenant, "acme");
  EXPECT_EQ(relations.size() + attributes.size(), 2U);
}

TEST(NamesTest, SettingsAreCalledAsInTheTable) {
  const auto& [target, token_file, ca_file, cert_file, key_file, plaintext_behind_mesh, deadline,
               max_staleness, memory_entries, memory_mib, warn] = Settings();
  const Settings settings{.target = target,
                          .token_file = token_file,
                          .ca_file = ca_file,
                          .cert_file = cert_file,
                          .key_file = key_file,
                          .plaintext_behind_mesh = plaintext_behind_mesh,
                          .deadline = deadline,
                          .max_staleness = max_staleness,
                          .memory_entries = memory_entries,
                          .memory_mib = memory_mib,
                          .warn = warn};
  EXPECT_TRUE(settings.target.empty());
}

TEST(NamesTest, FiguresAreCalledAsInTheTable) {
  const auto& [hits, misses, shared, rpcs, retries, changes, dropped, entries, bytes, live,
               staleness] = Figures();
  EXPECT_EQ(hits + misses + shared + rpcs.size() + retries + changes + dropped + entries + bytes,
            0U);
  EXPECT_FALSE(live || staleness.count() > 0);
  const Figures named{.hits = 0,
                      .misses = 0,
                      .shared = 0,
                      .rpcs = {},
                      .retries = 0,
                      .changes = 0,
                      .dropped = 0,
                      .entries = 0,
                      .bytes = 0,
                      .live = false,
                      .staleness = {}};
  EXPECT_EQ(named.rpcs, rpcs);
}

TEST(NamesTest, ErrorsAreCalledAsGrpcDoes) {
  EXPECT_STREQ(ErrorCodeName(ErrorCode::kSetting), "SETTING");
  EXPECT_STREQ(ErrorCodeName(ErrorCode::kInvalidArgument), "INVALID_ARGUMENT");
  EXPECT_STREQ(ErrorCodeName(ErrorCode::kNotFound), "NOT_FOUND");
  EXPECT_STREQ(ErrorCodeName(ErrorCode::kUnavailable), "UNAVAILABLE");
  EXPECT_STREQ(ErrorCodeName(ErrorCode::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_STREQ(ErrorCodeName(ErrorCode::kPermissionDenied), "PERMISSION_DENIED");
}

}  // namespace
}  // namespace gatehouse
