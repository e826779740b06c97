#include "server/config/policy_tests.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gatehouse/config/v1/policy_tests.pb.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"
#include "server/config/findings.h"
#include "server/config/issuer.h"
#include "server/config/yaml_to_message.h"
#include "server/config/yaml_tree.h"
#include "server/jose/claims.h"

namespace gatehouse::config {
namespace {

class TestReader {
 public:
  TestReader(const std::vector<Issuer>& issuers, Findings& findings)
      : issuers_(issuers), findings_(findings) {}

  PolicyTest Read(const v1::PolicyTest& in, const std::string& path) {
    PolicyTest out;
    out.line = findings_.LineOf(path);
    ReadUser(in.who(), path + ".who", out.who);
    RequireText(in.resource(), path + ".resource", findings_);
    RequireText(in.action(), path + ".action", findings_);
    out.resource = in.resource();
    out.action = in.action();
    out.owner = in.owner();
    out.tenant = in.tenant();
    for (const auto& [name, subjects] : in.relations()) {
      out.relations.emplace_back(
          name, std::vector<std::string>(subjects.subjects().begin(), subjects.subjects().end()));
    }
    out.attributes.assign(in.attributes().begin(), in.attributes().end());
    if (in.expect() != "allow" && in.expect() != "deny") {
      findings_.Wrong(path + ".expect", "must be allow or deny");
    }
    out.expect_allow = in.expect() == "allow";
    out.name = in.name();
    if (out.name.empty()) {
      out.name = absl::StrCat(in.who().subject(), " ", in.action(), " ", in.resource());
    }
    const absl::Status good =
        out.With([](const policy::Question& question) { return policy::CheckQuestion(question); });
    if (!good.ok() && !out.resource.empty()) findings_.Wrong(path, good.message());
    return out;
  }

 private:
  void ReadUser(const v1::PolicyUser& in, const std::string& path, PolicyUser& out) {
    RequireText(in.subject(), path + ".subject", findings_);
    out.subject = in.subject();
    out.tenant = in.tenant();
    out.roles.assign(in.roles().begin(), in.roles().end());
    out.scopes.assign(in.scopes().begin(), in.scopes().end());
    out.claims.assign(in.claims().begin(), in.claims().end());
    const auto issuer = std::find_if(issuers_.begin(), issuers_.end(), [&](const Issuer& one) {
      return in.issuer().empty() ? issuers_.size() == 1 : one.rules.issuer == in.issuer();
    });
    if (issuer == issuers_.end()) {
      findings_.Wrong(path + ".issuer",
                      absl::StrCat(in.issuer().empty() ? "is required with several issuers"
                                                       : "is no issuer of the configuration",
                                   ": must be one of ", IssuerNames()));
      return;
    }
    out.issuer = issuer->rules.issuer;
    const absl::Status kept = out.KeepAsserted(issuer->rules.may_assert);
    if (!kept.ok()) findings_.Wrong(path + ".tenant", kept.message());
  }

  std::string IssuerNames() const {
    return absl::StrJoin(
        issuers_, ", ", [](std::string* out, const Issuer& one) { out->append(one.rules.issuer); });
  }

  const std::vector<Issuer>& issuers_;
  Findings& findings_;
};

}  // namespace

absl::Status PolicyUser::KeepAsserted(const jose::MayAssert& may) {
  jose::Claims read;
  read.tenant = tenant;
  read.roles = std::move(roles);
  read.scopes = std::move(scopes);
  const absl::Status status = jose::KeepAsserted(may, read);
  roles = std::move(read.roles);
  scopes = std::move(read.scopes);
  return status;
}

policy::Principal PolicyUser::ToPrincipal() const {
  policy::Principal out;
  out.subject = subject;
  out.issuer = issuer;
  out.tenant = tenant;
  out.roles.assign(roles.begin(), roles.end());
  out.scopes.assign(scopes.begin(), scopes.end());
  out.claims.assign(claims.begin(), claims.end());
  out.opaque_claims.assign(opaque_claims.begin(), opaque_claims.end());
  return out;
}

absl::StatusOr<std::vector<PolicyTest>> LoadPolicyTests(const std::string& path,
                                                        const std::vector<Issuer>& issuers) {
  GH_ASSIGN_OR_RETURN(const std::string text, ReadSmallFileOrPipe(path, kMaxYamlBytes));
  Findings findings(path);
  const auto root = ParseYaml(text, findings);
  if (!root.has_value()) return findings.ToStatus();
  v1::PolicyTests message;
  YamlToMessage(*root, message, findings);
  if (message.tests().empty()) findings.Wrong("tests", "needs at least one test");
  TestReader reader(issuers, findings);
  std::vector<PolicyTest> out;
  out.reserve(static_cast<size_t>(message.tests_size()));
  for (int i = 0; i < message.tests_size(); ++i) {
    out.push_back(reader.Read(message.tests(i), absl::StrCat("tests[", i, "]")));
  }
  GH_RETURN_IF_ERROR(findings.ToStatus());
  return out;
}

}  // namespace gatehouse::config
