#include "server/config/shadow.h"

#include "absl/strings/str_cat.h"
#include "server/config/policy.h"

namespace gatehouse::config {

ShadowPolicy ReadShadow(const v1::ShadowPolicy& in, const std::string& folder, Findings& findings,
                        Config& config) {
  ShadowPolicy out;
  if (in.has_policy()) {
    out.policy = ReadPolicy(in.policy(), "shadow.policy", folder, findings, config);
  } else {
    findings.Wrong("shadow.policy", "is required: the policy to be tried");
  }
  if (!findings.Given("shadow.percent")) return out;
  if (in.percent() < 1 || in.percent() > 100) {
    findings.Wrong("shadow.percent", absl::StrCat("must be from 1 to 100, but is ", in.percent(),
                                                  "; leave `shadow` out to try no policy"));
  }
  out.percent = static_cast<int>(in.percent());
  return out;
}

}  // namespace gatehouse::config
