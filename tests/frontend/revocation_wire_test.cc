#include "server/frontend/revocation_wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "absl/strings/match.h"

namespace gatehouse::frontend {
namespace {

using revocation::Fact;
using revocation::TagKind;
using ::testing::StartsWith;

constexpr char kIssuer[] = "https://issuer.example";
constexpr char kStore[] = "5707e";
constexpr int64_t kNow = 1'800'000'000;
constexpr TagKind kNamed[] = {TagKind::kTokenId, TagKind::kSession, TagKind::kSubject,
                              TagKind::kTenant,  TagKind::kClient,  TagKind::kKey};

bool IsByTime(TagKind kind) {
  return kind == TagKind::kSubject || kind == TagKind::kTenant || kind == TagKind::kClient;
}

absl::Time Now() { return absl::FromUnixSeconds(kNow); }

// As a store has it.
Fact FactOf(TagKind kind) {
  Fact fact;
  fact.id = std::string(32, 'a');
  fact.kind = kind;
  fact.issuer = kIssuer;
  fact.target = kind == TagKind::kToken ? std::string(64, '0') : "ada";
  fact.tag = kind == TagKind::kToken ? revocation::TokenTag({})
                                     : revocation::MakeTag(kind, fact.issuer, fact.target);
  if (IsByTime(kind)) fact.issued_until = kNow - 5;
  if (kind != TagKind::kKey) fact.end_time = Now() + absl::Hours(720);
  fact.actor = "ops";
  fact.reason = "lost";
  fact.create_time = Now() - absl::Milliseconds(1500);
  fact.revision = 9;
  return fact;
}

v1::Revocation MessageOf(const Fact& fact) {
  v1::Revocation out;
  FillRevocation(fact, out);
  return out;
}

void ExpectSame(const Fact& a, const Fact& b) {
  EXPECT_EQ(a.id, b.id);
  EXPECT_EQ(a.tag, b.tag);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.issuer, b.issuer);
  EXPECT_EQ(a.target, b.target);
  EXPECT_EQ(a.issued_until, b.issued_until);
  EXPECT_EQ(a.suspends, b.suspends);
  EXPECT_EQ(a.end_time, b.end_time);
  EXPECT_EQ(a.create_time, b.create_time);
  EXPECT_EQ(a.actor, b.actor);
  EXPECT_EQ(a.reason, b.reason);
  ASSERT_EQ(a.reinstated.has_value(), b.reinstated.has_value());
  if (!a.reinstated.has_value()) return;
  EXPECT_EQ(a.reinstated->id, b.reinstated->id);
  EXPECT_EQ(a.reinstated->actor, b.reinstated->actor);
  EXPECT_EQ(a.reinstated->reason, b.reinstated->reason);
  EXPECT_EQ(a.reinstated->create_time, b.reinstated->create_time);
}

TEST(RevocationWireTest, EveryKindGoesThereAndBack) {
  for (const TagKind kind :
       {TagKind::kToken, TagKind::kTokenId, TagKind::kSession, TagKind::kSubject, TagKind::kTenant,
        TagKind::kClient, TagKind::kKey}) {
    const Fact fact = FactOf(kind);
    const auto back = ToFact(MessageOf(fact), Now());
    ASSERT_TRUE(back.ok()) << static_cast<int>(kind) << " " << back.status();
    ExpectSame(fact, *back);
    EXPECT_EQ(back->revision, 0) << "it gets a new one";
  }
}

TEST(RevocationWireTest, SuspensionsGoThereAndBackWithoutIssuedUntil) {
  for (const TagKind kind : kNamed) {
    if (kind == TagKind::kKey) continue;
    Fact fact = FactOf(kind);
    fact.suspends = true;
    fact.issued_until = revocation::kAll;
    fact.end_time = Now() + absl::Hours(3);
    const v1::Revocation message = MessageOf(fact);
    EXPECT_EQ(message.expire_time().seconds(), kNow + 3 * 3600);
    EXPECT_EQ(message.end_time().seconds(), kNow + 3 * 3600);
    EXPECT_FALSE(message.subject().has_issued_until());
    const auto back = ToFact(message, Now());
    ASSERT_TRUE(back.ok()) << back.status();
    ExpectSame(fact, *back);
  }
}

TEST(RevocationWireTest, ReinstatementIsShownAndTakenOver) {
  Fact fact = FactOf(TagKind::kSession);
  fact.reinstated = revocation::Reinstatement{.id = std::string(32, 'b'),
                                              .create_time = Now(),
                                              .revision = 12,
                                              .actor = "ada",
                                              .reason = "found"};
  v1::Revocation message = MessageOf(fact);
  EXPECT_EQ(message.reinstatement().revision(), 12);
  const auto back = ToFact(message, Now());
  ASSERT_TRUE(back.ok()) << back.status();
  ExpectSame(fact, *back);

  HidePeople(message);
  EXPECT_EQ(message.actor() + message.reason() + message.reinstatement().actor() +
                message.reinstatement().reason(),
            "");
  EXPECT_TRUE(message.has_reinstatement());
}

TEST(RevocationWireTest, EndlessFactHasNoEndTime) {
  EXPECT_FALSE(MessageOf(FactOf(TagKind::kKey)).has_end_time());
  Fact endless = FactOf(TagKind::kSubject);  // of an issuer whose tokens may lack iat
  endless.end_time = absl::InfiniteFuture();
  const auto back = ToFact(MessageOf(endless), Now());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->end_time, absl::InfiniteFuture());
}

TEST(RevocationWireTest, EndedAndUnknownIssuersAreTakenOver) {
  Fact ended = FactOf(TagKind::kSession);
  ended.create_time = Now() - absl::Hours(2000);
  ended.end_time = Now() - absl::Hours(1000);
  ended.issuer = "nobody knows it";
  ended.tag = revocation::MakeTag(ended.kind, ended.issuer, ended.target);
  EXPECT_TRUE(ToFact(MessageOf(ended), Now()).ok());
}

// What is done to a good message, and how the refusal must begin.
struct Bad {
  TagKind kind;
  std::function<void(v1::Revocation&)> spoil;
  const char* message;
};

TEST(RevocationWireTest, WhatNoStoreCanHaveListedIsRefusedByField) {
  const auto far = [](google::protobuf::Timestamp& stamp) { stamp.set_seconds(kNow + 86'401); };
  const std::string long_text(1025, 'x');
  const Bad cases[] = {
      {TagKind::kSession, [](auto& m) { m.clear_id(); }, "id: "},
      {TagKind::kSession, [](auto& m) { m.set_id(std::string(32, 'A')); }, "id: "},
      {TagKind::kSession, [](auto& m) { m.set_id(std::string(31, 'a')); }, "id: "},
      {TagKind::kSession, [](auto& m) { m.set_id(std::string(33, 'a')); }, "id: "},
      {TagKind::kSession, [](auto& m) { m.clear_target(); }, "target: "},
      {TagKind::kSession, [](auto& m) { m.clear_issuer(); }, "issuer: "},
      {TagKind::kSession, [](auto& m) { m.set_issuer("i\n"); }, "issuer: "},
      {TagKind::kSession, [](auto& m) { m.set_issuer(std::string(4097, 'i')); }, "issuer: "},
      {TagKind::kSession, [](auto& m) { m.set_issuer("other"); }, "session.issuer: "},
      {TagKind::kKey, [](auto& m) { m.mutable_key()->clear_issuer(); }, "key.issuer: "},
      {TagKind::kSession, [](auto& m) { m.mutable_session()->clear_session_id(); },
       "session.session_id: "},
      {TagKind::kTokenId, [&](auto& m) { m.mutable_token_id()->set_token_id(long_text); },
       "token_id.token_id: "},
      {TagKind::kTenant, [](auto& m) { m.mutable_tenant()->set_tenant("a\x7f"); },
       "tenant.tenant: "},
      {TagKind::kClient, [](auto& m) { m.mutable_client()->clear_client_id(); },
       "client.client_id: "},
      {TagKind::kToken, [](auto& m) { m.set_token_identity("eyJhbGciOiJIUzI1NiJ9.e30.x"); },
       "token_identity: "},
      {TagKind::kToken, [](auto& m) { m.set_token_identity(std::string(64, 'G')); },
       "token_identity: "},
      {TagKind::kToken, [](auto& m) { m.set_token_identity(std::string(62, '0')); },
       "token_identity: "},
      {TagKind::kSession, [](auto& m) { m.clear_create_time(); }, "create_time: is not set"},
      {TagKind::kSession, [](auto& m) { m.mutable_create_time()->set_nanos(-1); }, "create_time: "},
      {TagKind::kSession, [](auto& m) { m.mutable_create_time()->set_seconds(-1); },
       "create_time: "},
      {TagKind::kSession, [&](auto& m) { far(*m.mutable_create_time()); }, "create_time: "},
      {TagKind::kSession, [](auto& m) { m.mutable_end_time()->set_seconds(INT64_MAX); },
       "end_time: "},
      {TagKind::kSession, [](auto& m) { m.mutable_end_time()->set_seconds(kNow - 100'000); },
       "end_time: "},
      {TagKind::kKey, [](auto& m) { m.mutable_end_time()->set_seconds(kNow + 9); },
       "end_time: a key is revoked for ever"},
      {TagKind::kSubject, [](auto& m) { m.mutable_subject()->clear_issued_until(); },
       "subject.issued_until: is not set"},
      {TagKind::kTenant, [&](auto& m) { far(*m.mutable_tenant()->mutable_issued_until()); },
       "tenant.issued_until: "},
      {TagKind::kClient,
       [](auto& m) { m.mutable_client()->mutable_issued_until()->set_seconds(INT64_MIN); },
       "client.issued_until: "},
      {TagKind::kKey, [](auto& m) { m.mutable_expire_time()->set_seconds(kNow + 9); },
       "expire_time: "},
      {TagKind::kToken, [](auto& m) { m.mutable_expire_time()->set_seconds(kNow + 9); },
       "expire_time: "},
      {TagKind::kSubject, [](auto& m) { *m.mutable_expire_time() = m.end_time(); },
       "subject.issued_until: "},
      {TagKind::kSession, [](auto& m) { m.mutable_expire_time()->set_seconds(kNow + 9); },
       "end_time: is not the same"},
      {TagKind::kSession,
       [](auto& m) {
         m.clear_end_time();
         m.mutable_expire_time()->set_seconds(kNow + 3661 * 86'400);
       },
       "expire_time: "},
      {TagKind::kSession, [](auto& m) { m.set_actor(std::string(257, 'a')); }, "actor: "},
      {TagKind::kSession, [](auto& m) { m.set_actor("a\x1b[2J"); }, "actor: "},
      {TagKind::kSession, [](auto& m) { m.set_reason(std::string(257, 'a')); }, "reason: "},
      {TagKind::kSession, [](auto& m) { m.set_reason("a\nb"); }, "reason: "},
      {TagKind::kSession, [](auto& m) { m.mutable_reinstatement(); }, "reinstatement.id: "},
      {TagKind::kSession, [](auto& m) { m.mutable_reinstatement()->set_id(m.id()); },
       "reinstatement.create_time: "},
      {TagKind::kSession,
       [](auto& m) {
         m.mutable_reinstatement()->set_id(m.id());
         *m.mutable_reinstatement()->mutable_create_time() = m.create_time();
         m.mutable_reinstatement()->set_reason("\t");
       },
       "reinstatement.reason: "},
      {TagKind::kSession,
       [](auto& m) {
         m.mutable_reinstatement()->set_id(m.id());
         *m.mutable_reinstatement()->mutable_create_time() = m.create_time();
         m.mutable_reinstatement()->set_actor("\t");
       },
       "reinstatement.actor: "},
  };
  for (const Bad& bad : cases) {
    v1::Revocation message = MessageOf(FactOf(bad.kind));
    bad.spoil(message);
    const auto fact = ToFact(message, Now());
    ASSERT_FALSE(fact.ok()) << bad.message << " " << message.DebugString();
    EXPECT_EQ(fact.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(fact.status().message()), StartsWith(bad.message));
  }
}

TEST(RevocationWireTest, PageSizesAreBounded) {
  v1::ListRevocationsRequest request;
  EXPECT_EQ(ToQuery(request, kStore)->limit, 100);
  request.set_page_size(7);
  EXPECT_EQ(ToQuery(request, kStore)->limit, 7);
  request.set_page_size(1'000'000);
  EXPECT_EQ(ToQuery(request, kStore)->limit, 1000);
  request.set_page_size(-1);
  EXPECT_THAT(std::string(ToQuery(request, kStore).status().message()), StartsWith("page_size: "));
}

TEST(RevocationWireTest, FiltersAreTakenOver) {
  v1::ListRevocationsRequest request;
  EXPECT_FALSE(ToQuery(request, kStore)->kind.has_value());
  EXPECT_FALSE(ToQuery(request, kStore)->with_past);
  request.set_kind("token_id");
  request.set_issuer("i");
  request.set_actor("a");
  request.mutable_created_from()->set_seconds(1);
  request.mutable_created_before()->set_seconds(2);
  request.set_with_past(true);
  const auto query = ToQuery(request, kStore);
  ASSERT_TRUE(query.ok()) << query.status();
  EXPECT_EQ(query->kind, TagKind::kTokenId);
  EXPECT_EQ(query->issuer, "i");
  EXPECT_EQ(query->actor, "a");
  EXPECT_EQ(query->created_from, absl::FromUnixSeconds(1));
  EXPECT_EQ(query->created_before, absl::FromUnixSeconds(2));
  EXPECT_TRUE(query->with_past);
  request.set_kind("Token");
  EXPECT_THAT(std::string(ToQuery(request, kStore).status().message()), StartsWith("kind: "));
  request.clear_kind();
  request.mutable_created_from()->set_nanos(-1);
  EXPECT_THAT(std::string(ToQuery(request, kStore).status().message()),
              StartsWith("created_from: "));
}

TEST(RevocationWireTest, APageTokenIsOfItsQueryAndStoreAlone) {
  v1::ListRevocationsRequest request;
  request.set_issuer("i");
  request.set_page_token(PageToken(42, request, kStore));
  EXPECT_EQ(ToQuery(request, kStore)->before_revision, 42);
  request.set_page_size(3);
  EXPECT_EQ(ToQuery(request, kStore)->before_revision, 42) << "a page may have another size";

  const auto refused = [](const v1::ListRevocationsRequest& other, const char* store) {
    const auto query = ToQuery(other, store);
    return !query.ok() && absl::StartsWith(query.status().message(), "page_token: ");
  };
  EXPECT_TRUE(refused(request, "another"));
  v1::ListRevocationsRequest other = request;
  other.set_issuer("j");
  EXPECT_TRUE(refused(other, kStore));
  other = request;
  other.set_with_past(true);
  EXPECT_TRUE(refused(other, kStore));
  const std::string checksum = request.page_token().substr(2);
  for (const std::string& bad :
       {std::string("x"), std::string("42"), "43" + checksum, "042" + checksum, "+42" + checksum,
        " 42" + checksum, "42" + checksum + " ", "-42" + checksum, "0" + checksum,
        "99999999999999999999" + checksum, checksum}) {
    request.set_page_token(bad);
    EXPECT_TRUE(refused(request, kStore)) << bad;
  }
}

}  // namespace
}  // namespace gatehouse::frontend
