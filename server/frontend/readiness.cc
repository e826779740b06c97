#include "server/frontend/readiness.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::frontend {
namespace {

// ", leaving in 42 s", or of several ", 1 of them leaving, in 42 s".
std::string LeavingWords(const keys::KeySourceState& state) {
  if (!state.next_end.has_value()) return "";
  const int64_t seconds = std::max<int64_t>(0, absl::ToInt64Seconds(*state.next_end));
  if (state.key_count == 1) return absl::StrCat(", leaving in ", seconds, " s");
  return absl::StrCat(", ", state.leaving_count, " of them leaving, ",
                      state.leaving_count == 1 ? "in " : "the first in ", seconds, " s");
}

}  // namespace

Readiness::~Readiness() { Stop(); }

void Readiness::Start(Report report, std::function<void()> each_look) {
  thread_ = std::thread([this, report = std::move(report), each_look = std::move(each_look)] {
    Watch(report, each_look);
  });
}

void Readiness::Stop() {
  {
    MutexLock lock(mu_);
    stop_ = true;
  }
  stop_changed_.NotifyAll();
  if (thread_.joinable()) thread_.join();
  ready_.store(false, std::memory_order_release);
}

bool Readiness::TellIssuers(const Report& report, Said& said) const {
  const std::shared_ptr<const Ruleset> rules = rulesets_.Current();
  bool any = false;
  for (const engine::TrustedIssuer& issuer : rules->authorizer->issuers()) {
    const bool has_keys = issuer.keys->State().has_keys;
    any = any || has_keys;
    const auto [place, is_new] = said.try_emplace(issuer.rules.issuer, has_keys);
    if (!is_new && place->second == has_keys) continue;
    place->second = has_keys;
    report(issuer.rules.issuer, has_keys);
  }
  for (auto place = said.begin(); place != said.end();) {
    if (rules->authorizer->FindIssuer(place->first) != nullptr) {
      ++place;
      continue;
    }
    report(place->first, std::nullopt);
    place = said.erase(place);
  }
  return any;
}

void Readiness::Watch(const Report& report, const std::function<void()>& each_look) {
  Said said;
  bool said_ready = false;
  report("", false);
  MutexLock lock(mu_);
  while (!stop_) {
    const bool any = TellIssuers(report, said);
    if (each_look) each_look();
    if (any && !said_ready) {
      said_ready = true;
      log::Info("ready");
      ready_.store(true, std::memory_order_release);
      report("", true);
    }
    stop_changed_.WaitFor(mu_, std::chrono::milliseconds(100));
  }
}

std::string Readiness::Text() const {
  std::string text = ready() ? "ready\n" : "not ready\n";
  const std::shared_ptr<const Ruleset> rules = rulesets_.Current();
  for (const engine::TrustedIssuer& issuer : rules->authorizer->issuers()) {
    const keys::KeySourceState state = issuer.keys->State();
    absl::StrAppend(&text, "issuer ", log::Escape(issuer.rules.issuer), ": ");
    if (state.has_keys) {
      absl::StrAppend(&text, state.key_count, state.key_count == 1 ? " key" : " keys",
                      LeavingWords(state));
      if (state.from_disk) {
        absl::StrAppend(&text, " from the copy on disk, fetched ",
                        absl::FormatTime(state.last_success, absl::UTCTimeZone()));
      }
    } else {
      absl::StrAppend(&text,
                      state.last_success == absl::InfinitePast() ? "no keys yet" : "no keys");
    }
    if (!state.last_error.empty()) {
      absl::StrAppend(&text, "; last attempt failed: ", log::Escape(state.last_error));
    }
    text += '\n';
  }
  return text;
}

}  // namespace gatehouse::frontend
