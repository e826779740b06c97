#include "server/policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gatehouse::policy {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Principal Ada() {
  Principal ada;
  ada.issuer = "https://issuer.example";
  ada.subject = "ada";
  ada.tenant = "acme";
  return ada;
}

Question TaskOf(absl::string_view owner) {
  return {.resource = "task/1", .owner = owner, .action = "read"};
}

TEST(DefaultPolicyTest, TheOwnerMay) {
  EXPECT_EQ(Policy::Default(1).Decide(Ada(), TaskOf("ada")), Code::kOk);
}

TEST(DefaultPolicyTest, OthersMayNot) {
  for (const char* owner : {"bob", "Ada", "ADA", "ad", "adaa", " ada", "ada ", "ada/", "*", "%"}) {
    EXPECT_EQ(Policy::Default(1).Decide(Ada(), TaskOf(owner)), Code::kInsufficientPermissions)
        << owner;
  }
}

TEST(DefaultPolicyTest, AnEmptyOwnerIsNobody) {
  EXPECT_EQ(Policy::Default(1).Decide(Ada(), TaskOf("")), Code::kInsufficientPermissions);
}

TEST(DefaultPolicyTest, AnEmptySubjectIsNotTheEmptyOwner) {
  Principal nobody = Ada();
  nobody.subject = "";
  EXPECT_EQ(Policy::Default(1).Decide(nobody, TaskOf("")), Code::kInsufficientPermissions);
}

TEST(DefaultPolicyTest, AnEmptyActionIsAccepted) {
  Question question = TaskOf("ada");
  question.action = "";
  EXPECT_EQ(Policy::Default(1).Decide(Ada(), question), Code::kOk);
}

TEST(DefaultPolicyTest, AResourceWithATenantNeedsThatTenant) {
  Question question = TaskOf("ada");
  question.tenant = "acme";
  EXPECT_EQ(Policy::Default(1).Decide(Ada(), question), Code::kOk);
  question.tenant = "evil";
  EXPECT_EQ(Policy::Default(1).Decide(Ada(), question), Code::kInsufficientPermissions);
}

TEST(DefaultPolicyTest, APrincipalWithoutTenantIsInNone) {
  Principal ada = Ada();
  ada.tenant = "";
  Question question = TaskOf("ada");
  question.tenant = "acme";
  EXPECT_EQ(Policy::Default(1).Decide(ada, question), Code::kInsufficientPermissions);
}

TEST(DefaultPolicyTest, WithSeveralIssuersNobodyMay) {
  EXPECT_EQ(Policy::Default(2).Decide(Ada(), TaskOf("ada")), Code::kInsufficientPermissions);
  EXPECT_EQ(Policy::Default(0).Decide(Ada(), TaskOf("ada")), Code::kInsufficientPermissions);
}

TEST(DefaultPolicyTest, ADenialSaysWhatWasLacking) {
  const Policy policy = Policy::Default(1);
  EXPECT_EQ(policy.WhyDenied(Ada(), TaskOf("bob")), "the subject is not the owner");
  EXPECT_EQ(policy.WhyDenied(Ada(), TaskOf("")), "the resource has no owner");
  Question question = TaskOf("ada");
  question.tenant = "evil";
  EXPECT_EQ(policy.WhyDenied(Ada(), question), "the resource's tenant is not the token's");
  EXPECT_THAT(std::string(Policy::Default(2).WhyDenied(Ada(), TaskOf("ada"))),
              StartsWith("several issuers"));
}

TEST(CheckQuestionTest, AResourceIsATypeAndAnId) {
  Question question = TaskOf("ada");
  for (const char* good : {"task/1", "task/a/b/c", "t//", "task/%2f", "task/\xC3\xA9"}) {
    question.resource = good;
    EXPECT_TRUE(CheckQuestion(question).ok()) << good;
  }
  for (const char* bad : {"", "/", "task", "task/", "/1"}) {
    question.resource = bad;
    const absl::Status status = CheckQuestion(question);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()), StartsWith("resource: ")) << bad;
  }
}

TEST(CheckQuestionTest, AControlCharacterAnywhereNamesItsField) {
  const std::string nul("a\0/b", 4);
  Question question = TaskOf("ada");
  question.resource = nul;
  EXPECT_THAT(std::string(CheckQuestion(question).message()), StartsWith("resource: "));
  question = TaskOf("ada\n");
  EXPECT_THAT(std::string(CheckQuestion(question).message()), StartsWith("owner: "));
  question = TaskOf("ada");
  question.action = "\x7F";
  EXPECT_THAT(std::string(CheckQuestion(question).message()), StartsWith("action: "));
  question = TaskOf("ada");
  question.tenant = "\x1F";
  EXPECT_THAT(std::string(CheckQuestion(question).message()), StartsWith("tenant: "));
}

TEST(CheckQuestionTest, AFieldIs4KiBAtMost) {
  const std::string longest(4096, 'x');
  const std::string longer(4097, 'x');
  EXPECT_TRUE(CheckQuestion(TaskOf(longest)).ok());
  EXPECT_THAT(std::string(CheckQuestion(TaskOf(longer)).message()), HasSubstr("4096"));
}

}  // namespace
}  // namespace gatehouse::policy
