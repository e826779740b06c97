// The names that this client has in common with those of the other languages, as in the tables
// of tests/clients/cases.json, which docs/clients.md shows. What is named here is used here: that
// it exists is said when it compiles.

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "gatehouse/client.h"
#include "tests/client_cpp/json.h"

namespace gatehouse {
namespace {

using Token = std::string_view;
using Names = std::vector<std::string>;

static_assert(std::is_same_v<decltype(&Client::FromEnvironment), Result<Client> (*)()>);
static_assert(std::is_same_v<decltype(&Settings::FromEnvironment), Result<Settings> (*)()>);
static_assert(std::is_same_v<decltype(&Client::figures), Figures (Client::*)() const>);

// Each is the name as it is written here, in a place where it must be one.
#define GH_TYPE(name) (static_cast<void>(sizeof(name)), #name)
#define GH_ERROR(name) (static_cast<void>(ErrorCode::name), #name)
#define GH_FIELD(type, name) (static_cast<void>(&type::name), #name)
#define GH_CALL(name, arguments, Returns) \
  Call<Returns, decltype(std::declval<Client&>().name arguments)>(#name)

template <class Expected, class Given>
constexpr const char* Call(const char* name) {
  static_assert(std::is_same_v<Expected, Given>);
  return name;
}

// What C++ calls it in the table: its column is the third from behind.
std::set<std::string> InTable(const std::string& group) {
  std::set<std::string> names;
  const client::Json& rows = client::Get(client::Get(client::Cases(), "names"), group);
  for (const client::Json& row : rows.list_value().values()) {
    const auto& cells = row.list_value().values();
    names.insert(cells.at(cells.size() - 3).string_value());
  }
  names.erase("");
  return names;
}

// The arguments of a call in the order of the table.
Names Arguments(const std::string& call) {
  Names names;
  const client::Json& rows = client::Get(client::Get(client::Cases(), "names"), "arguments");
  for (const client::Json& row : rows.list_value().values()) {
    if (row.list_value().values(0).string_value() != call) continue;
    for (const client::Json& name : row.list_value().values(1).list_value().values()) {
      names.push_back(name.string_value());
    }
  }
  return names;
}

TEST(NamesTest, CallsAreCalledAsInTheTable) {
  const std::set<std::string> names = {
      GH_CALL(FromEnvironment, (), Result<Client>),
      GH_CALL(Verify, (Token()), Answer),
      GH_CALL(Authorize, (Token(), Check()), Answer),
      GH_CALL(BatchAuthorize, (Token(), {Check()}), BatchAnswer),
      GH_CALL(Filter, (Token(), "type", "action"), FilterAnswer),
      GH_CALL(Revoke, (RevocationTarget(), RevokeOptions()), Result<Revoked>),
      GH_CALL(Reinstate, ("id", "reason"), Result<Reinstated>),
      GH_CALL(OnRevoked, (Token(), nullptr), Subscription),
      GH_CALL(WaitUntilLive, ({}), bool),
      GH_CALL(figures, (), Figures)};
  EXPECT_EQ(names, InTable("calls"));
}

TEST(NamesTest, TypesAreCalledAsInTheTable) {
  const std::set<std::string> names = {GH_TYPE(Client),
                                       GH_TYPE(Settings),
                                       GH_TYPE(Answer),
                                       GH_TYPE(Code),
                                       GH_TYPE(Principal),
                                       GH_TYPE(Step),
                                       GH_TYPE(Check),
                                       GH_TYPE(BatchAnswer),
                                       GH_TYPE(FilterAnswer),
                                       GH_TYPE(FilterCondition),
                                       GH_TYPE(FilterSql),
                                       GH_TYPE(FilterCondition::Operation),
                                       GH_TYPE(RevocationTarget),
                                       GH_TYPE(Revoked),
                                       GH_TYPE(Reinstated),
                                       GH_TYPE(Subscription),
                                       GH_TYPE(Figures),
                                       GH_TYPE(CallOptions),
                                       GH_TYPE(RevokeOptions)};
  EXPECT_EQ(names, InTable("types"));
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
  const Names names = {"token",
                       GH_FIELD(Check, resource),
                       GH_FIELD(Check, action),
                       GH_FIELD(Check, owner),
                       GH_FIELD(Check, tenant),
                       GH_FIELD(Check, relations),
                       GH_FIELD(Check, attributes)};
  EXPECT_EQ(names, Arguments("authorize"));
}

TEST(NamesTest, SettingsAreCalledAsInTheTable) {
  const std::set<std::string> names = {GH_FIELD(Settings, target),
                                       GH_FIELD(Settings, token_file),
                                       GH_FIELD(Settings, ca_file),
                                       GH_FIELD(Settings, cert_file),
                                       GH_FIELD(Settings, key_file),
                                       GH_FIELD(Settings, plaintext_behind_mesh),
                                       GH_FIELD(Settings, deadline),
                                       GH_FIELD(Settings, max_staleness),
                                       GH_FIELD(Settings, memory_entries),
                                       GH_FIELD(Settings, memory_mib),
                                       GH_FIELD(Settings, warn)};
  EXPECT_EQ(names, InTable("settings"));
  // All of them.
  const auto& [target, token_file, ca_file, cert_file, key_file, plaintext_behind_mesh, deadline,
               max_staleness, memory_entries, memory_mib, warn] = Settings();
  EXPECT_TRUE(target.empty());
}

TEST(NamesTest, FiguresAreCalledAsInTheTable) {
  const std::set<std::string> names = {
      GH_FIELD(Figures, hits),    GH_FIELD(Figures, misses),   GH_FIELD(Figures, shared),
      GH_FIELD(Figures, rpcs),    GH_FIELD(Figures, retries),  GH_FIELD(Figures, changes),
      GH_FIELD(Figures, dropped), GH_FIELD(Figures, entries),  GH_FIELD(Figures, bytes),
      GH_FIELD(Figures, live),    GH_FIELD(Figures, staleness)};
  EXPECT_EQ(names, InTable("figures"));
  // All of them.
  const auto& [hits, misses, shared, rpcs, retries, changes, dropped, entries, bytes, live,
               staleness] = Figures();
  EXPECT_EQ(hits + misses + shared + rpcs.size() + retries + changes + dropped + entries + bytes,
            0U);
  EXPECT_FALSE(live || staleness.count() > 0);
}

TEST(NamesTest, ErrorsAreCalledAsInTheTable) {
  const std::set<std::string> names = {GH_TYPE(Error),
                                       GH_ERROR(kSetting),
                                       GH_ERROR(kInvalidArgument),
                                       GH_ERROR(kNotFound),
                                       GH_ERROR(kUnavailable),
                                       GH_ERROR(kUnauthenticated),
                                       GH_ERROR(kPermissionDenied)};
  EXPECT_EQ(names, InTable("errors"));
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
