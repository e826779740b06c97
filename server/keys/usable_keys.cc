#include "server/keys/usable_keys.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/base/status_macros.h"

namespace gatehouse::keys {
namespace {

constexpr size_t kMaxDescribed = 5;

}  // namespace

absl::StatusOr<UsableKeys> ReadUsableKeys(absl::string_view jwks,
                                          const std::vector<jose::Algorithm>& algorithms) {
  GH_ASSIGN_OR_RETURN(jose::ParsedKeySet parsed, jose::ParseJwks(jwks));
  std::vector<std::shared_ptr<const jose::VerificationKey>> good;
  std::vector<jose::RefusedKey> left_out = std::move(parsed.refused);
  for (const auto& key : parsed.keys.keys()) {
    if (std::any_of(algorithms.begin(), algorithms.end(),
                    [&](jose::Algorithm algorithm) { return key->Accepts(algorithm); })) {
      good.push_back(key);
    } else {
      left_out.push_back(
          {key->kid().value_or(""), absl::StrCat("its algorithm ", key->algorithms().Describe(),
                                                 " is not among the issuer's algorithms")});
    }
  }
  return UsableKeys{jose::KeySet(std::move(good)), std::move(left_out)};
}

std::string WhyNone(const UsableKeys& usable) {
  if (usable.left_out.empty()) return "holds no keys";
  return absl::StrCat("holds no key that can be used: ", Describe(usable.left_out));
}

std::string Describe(const std::vector<jose::RefusedKey>& left_out) {
  std::string text;
  for (size_t i = 0; i < left_out.size() && i < kMaxDescribed; ++i) {
    const jose::RefusedKey& key = left_out[i];
    absl::StrAppend(&text, i == 0 ? "" : "; ",
                    key.kid.empty() ? std::string("a key without kid")
                                    : absl::StrCat("key \"", log::Escape(key.kid, 64), "\""),
                    ": ", key.reason);
  }
  if (left_out.size() > kMaxDescribed) {
    absl::StrAppend(&text, "; and ", left_out.size() - kMaxDescribed, " more");
  }
  return text;
}

}  // namespace gatehouse::keys
