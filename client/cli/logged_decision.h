#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "client/cli/policy.h"
#include "server/config/policy_tests.h"
#include "server/jose/json.h"

namespace gatehouse::cli {

// What a line of a decision log is to those who want to decide it again.
enum class LineKind {
  kDecision,      // everything that it was decided on is there
  kWithoutFacts,  // the server left them out
  kToken,         // it was about the token
  kOtherMethod,   // neither Authorize nor BatchAuthorize
  kIssuer,        // by an issuer that the configuration does not have
  kClaim,         // the policy tests a claim that was not looked at then
  kText,          // asked with bytes that are no text
  kLost,          // says how many decisions are missing
  kDamaged,       // none of these
};
inline constexpr int kLineKinds = 9;

struct LoggedDecision {
  std::string time;
  std::string id;
  std::string rule;
  config::PolicyTest asked;  // expect_allow: the verdict
  int64_t lost = 0;
};

// Reads the lines of a decision log for one policy. For one thread.
class DecisionReader {
 public:
  // `loaded` outlives the reader.
  explicit DecisionReader(const LoadedPolicy& loaded);

  // `line` is followed by jose::kJsonPadding bytes. `out` is whole only for kDecision.
  LineKind Read(absl::string_view line, LoggedDecision& out);

 private:
  LineKind Sort(const jose::JsonObject& object, LoggedDecision& out) const;
  bool KnowsItsClaims(const config::PolicyTest& asked) const;

  const LoadedPolicy& loaded_;
  // The claims that the rules of an action test, by resource type and action.
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> claims_;
  jose::JsonParser parser_;
  jose::JsonDocument document_;
};

}  // namespace gatehouse::cli
