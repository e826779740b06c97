// All of tests/clients/cases.json, which every client runs against the real server.

#include <gtest/gtest.h>

#include <ctime>
#include <map>

#include "tests/client_cpp/rows.h"
#include "tests/client_cpp/stand.h"

namespace gatehouse::client {
namespace {

// One of the table, with what its client's calls gave.
class Conformance : public testing::Test {
 protected:
  Client& ClientOf(const std::string& caller) {
    auto place = clients_.find(caller);
    if (place == clients_.end()) {
      Settings settings = SharedStand().SettingsFor(SharedStand().grpc(), caller);
      settings.deadline = std::chrono::seconds(10);
      settings.warn = [](const std::string&) {};
      Result<Client> made = Client::Create(settings);
      EXPECT_TRUE(made.ok());
      place = clients_.emplace(caller, *std::move(made)).first;
    }
    return place->second;
  }

  static std::string TextIn(const Json& value) {
    if (!Has(value, "repeat")) return value.string_value();
    std::string text;
    for (int i = 0; i < Get(value, "times").number_value(); ++i) {
      text += Get(value, "repeat").string_value();
    }
    return text;
  }
  static std::string TextOf(const Json& with, const std::string& name) {
    return TextIn(Get(with, name));
  }
  static std::string TokenOf(const Json& with) {
    return SharedStand().token(Get(with, "token").string_value());
  }
  static Check CheckOf(const Json& with) {
    Check check{TextOf(with, "resource"), TextOf(with, "action"), TextOf(with, "owner"),
                TextOf(with, "tenant")};
    for (const auto& [name, subjects] : Get(with, "relations").struct_value().fields()) {
      std::vector<std::string>& list = check.relations[name];
      for (const Json& subject : subjects.list_value().values()) list.push_back(TextIn(subject));
    }
    for (const auto& [name, value] : Get(with, "attributes").struct_value().fields()) {
      check.attributes[name] = TextIn(value);
    }
    return check;
  }
  static std::optional<WallTime> InSeconds(const Json& with, const std::string& name) {
    if (!Has(with, name)) return std::nullopt;
    return WallTime(std::chrono::seconds(std::time(nullptr) +
                                         static_cast<int64_t>(Get(with, name).number_value())));
  }
  static RevocationTarget TargetOf(const Json& with) {
    const auto part = [&](const char* target, const char* name) {
      return Get(Get(with, target), name).string_value();
    };
    if (Has(with, "token_id")) {
      return TokenIdTarget{part("token_id", "issuer"), part("token_id", "token_id")};
    }
    if (Has(with, "session")) {
      return SessionTarget{part("session", "issuer"), part("session", "session_id")};
    }
    if (Has(with, "subject")) {
      return SubjectTarget{part("subject", "issuer"), part("subject", "subject"),
                           InSeconds(Get(with, "subject"), "issued_until_in")};
    }
    if (Has(with, "tenant")) {
      return TenantTarget{part("tenant", "issuer"), part("tenant", "tenant"),
                          InSeconds(Get(with, "tenant"), "issued_until_in")};
    }
    if (Has(with, "client")) {
      return ClientTarget{part("client", "issuer"), part("client", "client_id"),
                          InSeconds(Get(with, "client"), "issued_until_in")};
    }
    return TokenTarget{Has(with, "token") ? TokenOf(with) : ""};
  }

  static void ExpectError(const Error& error, const Json& expect) {
    EXPECT_EQ(ErrorCodeName(error.code), Get(expect, "error").string_value()) << error.message;
    EXPECT_NE(error.message.find(Get(expect, "names").string_value()), std::string::npos)
        << error.message;
  }
  static void ExpectPrincipal(const Principal& who, const Json& expect) {
    const std::map<std::string, std::string> texts = {
        {"issuer", who.issuer},     {"subject", who.subject},
        {"tenant", who.tenant},     {"session_id", who.session_id},
        {"token_id", who.token_id}, {"client_id", who.client_id},
        {"email", who.email}};
    for (const auto& [name, value] : expect.struct_value().fields()) {
      if (const auto text = texts.find(name); text != texts.end()) {
        EXPECT_EQ(text->second, value.string_value()) << name;
        continue;
      }
      std::vector<std::string> list;
      for (const Json& one : value.list_value().values()) list.push_back(one.string_value());
      EXPECT_EQ(name == "roles" ? who.roles : who.scopes, list) << name;
    }
  }
  static void ExpectAnswer(const gatehouse::Answer& answer, const Json& expect) {
    if (Has(expect, "error")) {
      EXPECT_FALSE(answer.decided());
      EXPECT_EQ(answer.http_status(), 503);
      return ExpectError(answer.error(), expect);
    }
    ASSERT_TRUE(answer.decided()) << answer.error().message;
    EXPECT_EQ(CodeName(answer.code()), Get(expect, "code").string_value());
    EXPECT_EQ(answer.http_status(), Get(expect, "status").number_value());
    EXPECT_EQ(answer.allowed(), answer.http_status() == 200);
    EXPECT_EQ(!answer.explanation().empty(), Get(expect, "explained").bool_value());
    if (Has(expect, "principal")) {
      ASSERT_NE(answer.principal(), nullptr);
      ExpectPrincipal(*answer.principal(), Get(expect, "principal"));
    }
    if (Has(expect, "claims")) {
      const Json claims = ParseJson(answer.principal()->claims);
      for (const auto& [name, value] : Get(expect, "claims").struct_value().fields()) {
        EXPECT_EQ(client::TextOf(Get(claims, name)), client::TextOf(value)) << name;
      }
    }
  }
  static void ExpectFilter(const gatehouse::Filter& filter, const Json& expect) {
    const std::map<std::string, gatehouse::Filter::Kind> kinds = {
        {"none", gatehouse::Filter::Kind::kNone},
        {"all", gatehouse::Filter::Kind::kAll},
        {"condition", gatehouse::Filter::Kind::kCondition}};
    if (Has(expect, "kind")) {
      EXPECT_EQ(filter.kind, kinds.at(Get(expect, "kind").string_value()));
    }
    for (const Json& row : Get(expect, "selects").list_value().values()) {
      EXPECT_TRUE(Selects(filter, row)) << client::TextOf(row);
    }
    for (const Json& row : Get(expect, "leaves").list_value().values()) {
      EXPECT_FALSE(Selects(filter, row)) << client::TextOf(row);
    }
  }

  void Revocation(Client& client, const Json& step) {
    const Json& with = Get(step, "with");
    const Json& expect = Get(step, "expect");
    RevokeOptions options;
    options.reason = TextOf(with, "reason");
    options.expire_time = InSeconds(with, "expire_in");
    options.deadline = std::chrono::seconds(10);
    const Result<Revoked> revoked = client.Revoke(TargetOf(with), options);
    if (Has(expect, "error")) {
      ASSERT_FALSE(revoked.ok());
      return ExpectError(revoked.error(), expect);
    }
    ASSERT_TRUE(revoked.ok()) << revoked.error().message;
    EXPECT_EQ(revoked->kind, Get(expect, "kind").string_value());
    EXPECT_EQ(revoked->existed, Get(expect, "existed").bool_value());
    last_revocation_ = revoked->id;
  }
  void Reinstatement(Client& client, const Json& step) {
    const Json& with = Get(step, "with");
    const Json& expect = Get(step, "expect");
    const std::string id = TextOf(with, "revocation");
    const Result<Reinstated> done =
        client.Reinstate(id == "last" ? last_revocation_ : id, TextOf(with, "reason"));
    if (Has(expect, "error")) {
      ASSERT_FALSE(done.ok());
      return ExpectError(done.error(), expect);
    }
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(done->existed, Get(expect, "existed").bool_value());
    if (Has(expect, "still_revoked")) {
      EXPECT_EQ(done->still_revoked, Get(expect, "still_revoked").bool_value());
    }
  }
  static void Batch(Client& client, const Json& step) {
    const Json& with = Get(step, "with");
    const Json& expect = Get(step, "expect");
    std::vector<Check> checks;
    for (const Json& check : Get(with, "checks").list_value().values()) {
      checks.push_back(CheckOf(check));
    }
    const BatchAnswer batch = client.BatchAuthorize(TokenOf(with), checks);
    ExpectAnswer(batch.token, expect);
    ASSERT_EQ(batch.answers.size(), checks.size());
    if (!Has(expect, "decisions")) return;
    const auto& decisions = Get(expect, "decisions").list_value().values();
    ASSERT_EQ(batch.answers.size(), static_cast<size_t>(decisions.size()));
    for (size_t i = 0; i < checks.size(); ++i) {
      EXPECT_EQ(CodeName(batch.answers[i].code()), decisions[static_cast<int>(i)].string_value());
    }
  }

  void Step(const Json& step) {
    const Json& with = Get(step, "with");
    const Json& expect = Get(step, "expect");
    const std::string call = Get(step, "call").string_value();
    Client& client = ClientOf(Has(step, "caller") ? Get(step, "caller").string_value() : "backend");
    CallOptions options;
    options.explain = Get(with, "explain").bool_value();
    options.with_claims = Get(with, "with_claims").bool_value();
    if (call == "verify") {
      ExpectAnswer(client.Verify(TokenOf(with), options), expect);
    } else if (call == "authorize") {
      ExpectAnswer(client.Authorize(TokenOf(with), CheckOf(with), options), expect);
    } else if (call == "batch") {
      Batch(client, step);
    } else if (call == "filter") {
      const FilterAnswer answer =
          client.Filter(TokenOf(with), TextOf(with, "resource_type"), TextOf(with, "action"));
      ExpectAnswer(answer.answer, expect);
      ExpectFilter(answer.filter, expect);
    } else if (call == "revoke") {
      Revocation(client, step);
    } else {
      ASSERT_EQ(call, "reinstate");
      Reinstatement(client, step);
    }
  }

 private:
  std::map<std::string, Client> clients_;
  std::string last_revocation_;
};

TEST_F(Conformance, EveryCaseOfTheTable) {
  int cases = 0;
  ASSERT_TRUE(ClientOf("backend").WaitUntilLive(std::chrono::seconds(20)));
  for (const Json& one : Get(Cases(), "cases").list_value().values()) {
    if (Get(one, "untyped").bool_value()) continue;  // the compiler refuses these
    SCOPED_TRACE(Get(one, "name").string_value());
    ++cases;
    if (!Has(one, "steps")) {
      Step(one);
      continue;
    }
    for (const Json& step : Get(one, "steps").list_value().values()) Step(step);
  }
  EXPECT_GT(cases, 60);
}

TEST_F(Conformance, WhatAServerLeavesUnsaidDenies) {
  const std::vector<Check> checks = {
      {"note/1", "read", "ada"}, {"note/2", "read", "ada"}, {"note/3", "read", "ada"}};
  for (const Json& one : Get(Cases(), "replies").list_value().values()) {
    SCOPED_TRACE(Get(one, "name").string_value());
    const std::string call = Get(one, "call").string_value();
    const Json& expect = Get(one, "expect");
    const Json stub = SharedStand().Do("{\"do\": \"stub\", \"watch\": true, \"replies\": {\"" +
                                       call + "\": " + client::TextOf(Get(one, "reply")) + "}}");
    Settings settings = SharedStand().SettingsFor(Get(stub, "grpc").string_value(), "none");
    settings.deadline = std::chrono::seconds(10);
    Result<Client> made = Client::Create(settings);
    ASSERT_TRUE(made.ok());
    Client& client = *made;
    gatehouse::Answer answer;
    if (call == "verify") {
      answer = client.Verify("t");
    } else if (call == "authorize") {
      answer = client.Authorize("t", checks[0]);
    } else if (call == "batch") {
      const BatchAnswer batch = client.BatchAuthorize("t", checks);
      answer = batch.token;
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(batch.answers[static_cast<size_t>(i)].allowed(),
                  Get(expect, "decisions").list_value().values(i).bool_value())
            << i;
      }
    } else {
      const FilterAnswer filter = client.Filter("t", "note", "read");
      answer = filter.answer;
      ExpectFilter(filter.filter, expect);
    }
    EXPECT_EQ(answer.allowed(), Get(expect, "allowed").bool_value());
    EXPECT_EQ(answer.http_status(), Get(expect, "status").number_value());
  }
}

}  // namespace
}  // namespace gatehouse::client
