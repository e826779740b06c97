#include "server/frontend/denial_log.h"

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/frontend/reply.h"

namespace gatehouse::frontend {

bool DenialLog::Admit(absl::string_view reason, int64_t& left_out) {
  const int64_t second = clock_.SteadyNanos() / 1'000'000'000;
  MutexLock lock(mu_);
  auto it = windows_.find(reason);
  if (it == windows_.end()) {
    // Reasons are made by us, so there are few; were there many, they share one.
    if (windows_.size() >= kMaxReasons) reason = "other";
    it = windows_.try_emplace(std::string(reason)).first;
  }
  Window& window = it->second;
  if (window.second != second) {
    window.second = second;
    window.written = 0;
  }
  if (window.written == kPerSecond) {
    ++window.left_out;
    return false;
  }
  ++window.written;
  left_out = std::exchange(window.left_out, 0);
  return true;
}

void DenialLog::Write(absl::string_view method, absl::string_view caller, absl::string_view id,
                      const engine::Examination& examined, const ByPolicy* by_policy) {
  int64_t left_out = 0;
  if (!Admit(by_policy != nullptr ? "the policy" : absl::string_view(examined.reason), left_out)) {
    return;
  }
  std::string token = "unknown";
  std::string issuer = "unknown";
  const auto name = [&](const uint8_t* identity, absl::string_view of) {
    token = absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(identity), 4));
    issuer = std::string(of);
  };
  if (examined.token != nullptr) {
    name(examined.token->identity.data(), examined.token->principal.issuer);
  } else if (examined.identity.has_value()) {
    name(examined.identity->data(),
         examined.issuer != nullptr ? examined.issuer->rules.issuer : "unknown");
  }
  if (by_policy == nullptr) {
    return log::Info("denied", {{"method", method},
                                {"caller", caller},
                                {"code", RowOf(examined.code).name},
                                {"reason", examined.reason},
                                {"token", token},
                                {"issuer", issuer},
                                {"decision", id},
                                {"left_out", left_out}});
  }
  const policy::Question& question = by_policy->question;
  log::Info("denied", {{"method", method},
                       {"caller", caller},
                       {"code", RowOf(policy::Code::kInsufficientPermissions).name},
                       {"reason", by_policy->policy.WhyDenied(examined.token->principal, question)},
                       {"token", token},
                       {"issuer", issuer},
                       {"resource", question.resource},
                       {"action", question.action},
                       {"denials", by_policy->denials},
                       {"decision", id},
                       {"left_out", left_out}});
}

}  // namespace gatehouse::frontend
