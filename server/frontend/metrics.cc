#include "server/frontend/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <utility>

#include "server/frontend/reply.h"
#include "server/version.h"

namespace gatehouse::frontend {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::vector<std::pair<std::string, std::string>>;

constexpr std::array<const char*, kMethods> kMethodNames = {"Verify",
                                                            "Authorize",
                                                            "BatchAuthorize",
                                                            "Filter",
                                                            "Check",
                                                            "Revoke",
                                                            "Reinstate",
                                                            "ListRevocations",
                                                            "ImportRevocations",
                                                            "BackupRevocations",
                                                            "Introspect",
                                                            "OAuthRevoke",
                                                            "ForwardAuth"};

// In the order of ShadowOutcome.
constexpr std::array<const char*, kShadowOutcomes> kShadowOutcomeNames = {"same", "would_allow",
                                                                          "would_deny"};

constexpr std::array<const char*, kStatuses> kStatusNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

MetricFamily Family(const char* name, const char* help, MetricType type) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  return family;
}

void AddValue(MetricFamily& family, double value, const Labels& labels = {}) {
  ClientMetric metric;
  for (const auto& [name, label] : labels) metric.label.push_back({name, label});
  (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
  family.metric.push_back(std::move(metric));
}

MetricFamily Single(const char* name, const char* help, MetricType type, double value) {
  MetricFamily family = Family(name, help, type);
  AddValue(family, value);
  return family;
}

void AddKeySets(const engine::Authorizer& authorizer, std::vector<MetricFamily>& out) {
  MetricFamily keys = Family("gatehouse_keys", "Keys in force, by issuer.", MetricType::Gauge);
  MetricFamily age = Family("gatehouse_keys_age_seconds",
                            "Since an issuer's keys were last read or confirmed; absent if they "
                            "never were, and for secrets.",
                            MetricType::Gauge);
  MetricFamily leaving =
      Family("gatehouse_keys_leaving",
             "Of the keys in force, those that have left the issuer's set.", MetricType::Gauge);
  MetricFamily fetches = Family("gatehouse_key_fetches_total", "Attempts to read an issuer's keys.",
                                MetricType::Counter);
  for (const engine::TrustedIssuer& issuer : authorizer.issuers()) {
    const keys::KeySourceState state = issuer.keys->State();
    const std::string& name = issuer.rules.issuer;
    AddValue(keys, static_cast<double>(state.key_count), {{"issuer", name}});
    AddValue(leaving, static_cast<double>(state.leaving_count), {{"issuer", name}});
    if (state.age.has_value()) {
      AddValue(age, absl::ToDoubleSeconds(*state.age), {{"issuer", name}});
    }
    AddValue(fetches, static_cast<double>(state.succeeded_fetches),
             {{"issuer", name}, {"result", "ok"}});
    AddValue(fetches, static_cast<double>(state.failed_fetches),
             {{"issuer", name}, {"result", "failed"}});
  }
  out.push_back(std::move(keys));
  out.push_back(std::move(leaving));
  if (!age.metric.empty()) out.push_back(std::move(age));
  out.push_back(std::move(fetches));
}

void AddDecisionLog(const DecisionLogCounters& counters, std::vector<MetricFamily>& out) {
  out.push_back(Single("gatehouse_decision_log_written_total",
                       "Decisions written to the decision log.", MetricType::Counter,
                       static_cast<double>(counters.written)));
  MetricFamily lost =
      Family("gatehouse_decision_log_lost_total",
             "Decisions that the decision log was to hold and does not: over the rate of "
             "denials, over what the queue holds, or the file failed.",
             MetricType::Counter);
  for (size_t i = 0; i < counters.lost.size(); ++i) {
    AddValue(lost, static_cast<double>(counters.lost[i]),
             {{"reason", std::string(kLostDecisionNames[i])}});
  }
  out.push_back(std::move(lost));
}

void AddStore(const revocation::StoreCounters& store, std::vector<MetricFamily>& out) {
  out.push_back(Single("gatehouse_revocations_cleaned_total",
                       "Revocations that have ended and left memory.", MetricType::Counter,
                       static_cast<double>(store.cleaned)));
  out.push_back(Single("gatehouse_revocations_ended_kept",
                       "Revocations that have ended, left memory, and are still listed.",
                       MetricType::Gauge, static_cast<double>(store.ended_kept)));
  MetricFamily errors = Family("gatehouse_revocation_write_errors_total",
                               "Transactions of the store that failed, or (busy) requests that "
                               "it did not take, by reason.",
                               MetricType::Counter);
  for (size_t i = 0; i < store.write_errors.size(); ++i) {
    AddValue(errors, static_cast<double>(store.write_errors[i]),
             {{"reason", std::string(revocation::kWriteErrorNames[i])}});
  }
  out.push_back(std::move(errors));
}

void AddWatch(const WatchMetrics& watch, std::vector<MetricFamily>& out) {
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    out.push_back(Single(name, help, MetricType::Counter, static_cast<double>(value)));
  };
  out.push_back(Single("gatehouse_watchers", "Streams of Watch that are open.", MetricType::Gauge,
                       watch.watchers));
  counter("gatehouse_watch_messages_total", "Messages sent to watchers, heartbeats included.",
          watch.messages);
  counter("gatehouse_watch_changes_total", "Changes in them.", watch.changes);
  counter("gatehouse_watch_fell_behind_total",
          "Times that a watcher was told that changes were left out.", watch.fell_behind);
  MetricFamily cut =
      Family("gatehouse_watchers_cut_off_total",
             "Watchers that the server ended or did not let in, by reason.", MetricType::Counter);
  AddValue(cut, static_cast<double>(watch.slow), {{"reason", "slow"}});
  AddValue(cut, static_cast<double>(watch.lost_right), {{"reason", "lost_right"}});
  AddValue(cut, static_cast<double>(watch.too_many), {{"reason", "too_many"}});
  out.push_back(std::move(cut));
}

}  // namespace

void ThreadMetrics::CountDecision(Method method, policy::Code code, std::optional<bool> cache_hit,
                                  int64_t nanos) {
  Add(decisions_[static_cast<size_t>(method)][static_cast<size_t>(code)]);
  if (cache_hit.has_value()) Add(*cache_hit ? cache_hits_ : cache_misses_);
  const auto bucket = std::lower_bound(kBuckets.begin(), kBuckets.end(), nanos);
  Add(latency_[static_cast<size_t>(bucket - kBuckets.begin())]);
  Add(latency_sum_nanos_, static_cast<uint64_t>(nanos));
}

void ThreadMetrics::CountFailure(Method method) { Add(failures_[static_cast<size_t>(method)]); }

void ThreadMetrics::CountCall(size_t caller, grpc::StatusCode status) {
  const auto code = std::min(static_cast<size_t>(status), size_t{kStatuses - 1});
  Add(calls_[std::min(caller, calls_.size() - 1)][code]);
}

ThreadMetrics* Metrics::AddThread() {
  MutexLock lock(mu_);
  return threads_.emplace_back(std::make_unique<ThreadMetrics>()).get();
}

void Metrics::CountRevocation(bool existed) {
  (existed ? repeated_revocations_ : revocations_).fetch_add(1, std::memory_order_relaxed);
}

void Metrics::CountReload(bool ok, absl::Time now) {
  (ok ? reloads_ : refused_reloads_).fetch_add(1, std::memory_order_relaxed);
  last_reload_ok_.store(ok, std::memory_order_relaxed);
  if (ok) reloaded_.store(absl::ToUnixSeconds(now), std::memory_order_relaxed);
}

void Metrics::AddReloads(std::vector<MetricFamily>& out) const {
  MetricFamily reloads =
      Family("gatehouse_config_reloads_total", "Attempts to reload the configuration, by result.",
             MetricType::Counter);
  AddValue(reloads, static_cast<double>(reloads_), {{"result", "ok"}});
  AddValue(reloads, static_cast<double>(refused_reloads_), {{"result", "refused"}});
  out.push_back(std::move(reloads));
  out.push_back(
      Single("gatehouse_config_last_reload_successful",
             "1 if the last configuration that was read is in force, 0 if it was refused.",
             MetricType::Gauge, last_reload_ok_ ? 1 : 0));
  out.push_back(Single("gatehouse_config_last_reload_timestamp_seconds",
                       "When the configuration in force was put in force.", MetricType::Gauge,
                       static_cast<double>(reloaded_)));
}

void Metrics::AddTls(std::vector<MetricFamily>& out) const {
  MetricFamily reloads = Family("gatehouse_tls_reloads_total",
                                "Attempts to put changed files of listen.tls in force, by result.",
                                MetricType::Counter);
  AddValue(reloads, static_cast<double>(tls_.reloads), {{"result", "ok"}});
  AddValue(reloads, static_cast<double>(tls_.refused_reloads), {{"result", "refused"}});
  out.push_back(std::move(reloads));
  MetricFamily left = Family("gatehouse_tls_certificate_days_left",
                             "Until the first certificate of a file of listen.tls that is in force "
                             "expires; negative when it has.",
                             MetricType::Gauge);
  const absl::Time now = clock_.Now();
  const auto add = [&](const char* file, int64_t until) {
    if (until == TlsMetrics::kNone) return;
    const absl::Duration rest = absl::FromUnixSeconds(until) - now;
    AddValue(left, absl::FDivDuration(rest, absl::Hours(24)), {{"file", file}});
  };
  add("certificate", tls_.certificate_until);
  add("client_ca", tls_.client_ca_until);
  if (left.metric.empty()) return;
  out.push_back(std::move(left));
  MetricFamily last = Family(
      "gatehouse_tls_last_reload_successful",
      "Whether the files of listen.tls, as they are now, are those in force.", MetricType::Gauge);
  AddValue(last, tls_.last_reload_ok ? 1 : 0);
  out.push_back(std::move(last));
}

std::vector<MetricFamily> Metrics::Collect() const {
  const std::shared_ptr<const Ruleset> rules = rulesets_.Current();
  const engine::Authorizer& authorizer = *rules->authorizer;
  ThreadMetrics sum;
  {
    MutexLock lock(mu_);
    const auto add = [](auto& to, const auto& from) {
      for (size_t i = 0; i < to.size(); ++i) {
        ThreadMetrics::Add(to[i], from[i].load(std::memory_order_relaxed));
      }
    };
    for (const auto& thread : threads_) {
      for (size_t m = 0; m < kMethods; ++m) add(sum.decisions_[m], thread->decisions_[m]);
      add(sum.checks_, thread->checks_);
      add(sum.failures_, thread->failures_);
      add(sum.refusals_, thread->refusals_);
      add(sum.shadow_, thread->shadow_);
      for (size_t c = 0; c < sum.calls_.size(); ++c) add(sum.calls_[c], thread->calls_[c]);
      ThreadMetrics::Add(sum.cold_calls_, thread->cold_calls_);
      add(sum.latency_, thread->latency_);
      ThreadMetrics::Add(sum.latency_sum_nanos_, thread->latency_sum_nanos_);
      ThreadMetrics::Add(sum.cache_hits_, thread->cache_hits_);
      ThreadMetrics::Add(sum.cache_misses_, thread->cache_misses_);
    }
  }

  std::vector<MetricFamily> out;
  MetricFamily decisions =
      Family("gatehouse_decisions_total",
             "Calls that were decided, by public code; a batch once, by its token's.",
             MetricType::Counter);
  for (const Method method :
       {Method::kVerify, Method::kAuthorize, Method::kBatchAuthorize, Method::kFilter,
        Method::kCheck, Method::kIntrospect, Method::kForwardAuth}) {
    for (size_t c = 0; c < policy::kCodes; ++c) {
      const auto m = static_cast<size_t>(method);
      AddValue(decisions, static_cast<double>(sum.decisions_[m][c]),
               {{"method", kMethodNames[m]},
                {"code", std::string(RowOf(static_cast<policy::Code>(c)).name)}});
    }
  }
  out.push_back(std::move(decisions));

  MetricFamily checks = Family("gatehouse_batch_checks_total",
                               "Checks in calls of BatchAuthorize, each by its own public code.",
                               MetricType::Counter);
  for (size_t c = 0; c < policy::kCodes; ++c) {
    AddValue(checks, static_cast<double>(sum.checks_[c]),
             {{"code", std::string(RowOf(static_cast<policy::Code>(c)).name)}});
  }
  out.push_back(std::move(checks));

  MetricFamily failures =
      Family("gatehouse_undecided_total",
             "Calls that ended without a decision: with a gRPC status other than OK, or with "
             "400 or 503 inside of Check's reply.",
             MetricType::Counter);
  for (size_t m = 0; m < kMethods; ++m) {
    AddValue(failures, static_cast<double>(sum.failures_[m]), {{"method", kMethodNames[m]}});
  }
  out.push_back(std::move(failures));

  MetricFamily refusals = Family("gatehouse_refused_total", "Calls that were not begun, by reason.",
                                 MetricType::Counter);
  AddValue(refusals, static_cast<double>(sum.refusals_[static_cast<size_t>(Refusal::kOverload)]),
           {{"reason", "overload"}});
  AddValue(refusals, static_cast<double>(sum.refusals_[static_cast<size_t>(Refusal::kDeadline)]),
           {{"reason", "deadline"}});
  out.push_back(std::move(refusals));

  MetricFamily shadow = Family("gatehouse_shadow_decisions_total",
                               "Decisions that the shadow policy was tried on, by what it would "
                               "have done.",
                               MetricType::Counter);
  for (size_t i = 0; i < kShadowOutcomes; ++i) {
    AddValue(shadow, static_cast<double>(sum.shadow_[i]), {{"outcome", kShadowOutcomeNames[i]}});
  }
  out.push_back(std::move(shadow));
  AddDecisionLog(decision_log_, out);

  MetricFamily calls = Family("gatehouse_calls_total",
                              "Calls, by caller and gRPC status; caller \"\" is an unknown one.",
                              MetricType::Counter);
  const std::vector<std::string> callers = numbers_.names();
  const auto add_calls = [&](size_t number, const std::string& caller) {
    for (size_t s = 0; s < kStatuses; ++s) {
      const uint64_t count = sum.calls_[number][s];
      if (count == 0 && s != 0) continue;
      AddValue(calls, static_cast<double>(count), {{"caller", caller}, {"code", kStatusNames[s]}});
    }
  };
  for (size_t c = 0; c < callers.size(); ++c) add_calls(c, callers[c]);
  add_calls(CallerNumbers::kCapacity, "");
  out.push_back(std::move(calls));

  MetricFamily latency = Family("gatehouse_decision_duration_seconds",
                                "From a request's arrival in the server to its reply's hand-over.",
                                MetricType::Histogram);
  ClientMetric histogram;
  uint64_t cumulative = 0;
  for (size_t i = 0; i < ThreadMetrics::kBuckets.size(); ++i) {
    cumulative += sum.latency_[i];
    histogram.histogram.bucket.push_back(
        {cumulative, static_cast<double>(ThreadMetrics::kBuckets[i]) * 1e-9});
  }
  cumulative += sum.latency_.back();
  histogram.histogram.sample_count = cumulative;
  histogram.histogram.sample_sum = static_cast<double>(sum.latency_sum_nanos_) * 1e-9;
  latency.metric.push_back(std::move(histogram));
  out.push_back(std::move(latency));

  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    out.push_back(Single(name, help, MetricType::Counter, static_cast<double>(value)));
  };
  const auto gauge = [&](const char* name, const char* help, double value) {
    out.push_back(Single(name, help, MetricType::Gauge, value));
  };
  gauge("gatehouse_cold_calls", "Calls that wait for their turn to have a token verified.",
        static_cast<double>(sum.cold_calls_));
  counter("gatehouse_token_cache_hits_total",
          "Decisions from memory: on a token that was verified or refused before.",
          sum.cache_hits_);
  counter("gatehouse_token_cache_misses_total",
          "Decisions on a token of which nothing was remembered.", sum.cache_misses_);
  gauge("gatehouse_token_cache_bytes", "Memory that the remembered tokens take, as measured.",
        static_cast<double>(authorizer.cache().bytes()));
  gauge("gatehouse_token_cache_entries", "Remembered tokens.",
        static_cast<double>(authorizer.cache().size()));
  counter("gatehouse_revocations_total", "Revocations written since the start.", revocations_);
  counter("gatehouse_repeated_revocations_total", "Revocations of what was revoked already.",
          repeated_revocations_);
  counter("gatehouse_failed_revocations_total",
          "Revocations, reinstatements and imports that the store refused.", failed_revocations_);
  counter("gatehouse_reinstatements_total", "Revocations taken back since the start.",
          reinstatements_);
  counter("gatehouse_imported_revocations_total", "Revocations of other stores written.",
          imported_);
  gauge("gatehouse_revocation_bytes", "Memory that the revocations in force take.",
        static_cast<double>(index_.bytes()));
  // Before the first clean-up there is no such time.
  if (index_.cleaned_until() > absl::UnixEpoch()) {
    gauge("gatehouse_revocations_cleaned_until_seconds",
          "Since 1970: revocations that ended before this are no longer in force.",
          absl::ToDoubleSeconds(index_.cleaned_until() - absl::UnixEpoch()));
  }
  gauge("gatehouse_revocation_entries", "Tags with a revocation, ended ones included.",
        static_cast<double>(index_.size()));
  gauge("gatehouse_revocation_revision", "Of the list of revocations.",
        static_cast<double>(index_.revision()));
  AddStore(store_, out);
  AddWatch(watch_, out);
  AddKeySets(authorizer, out);
  AddReloads(out);
  AddTls(out);
  MetricFamily build = Family("gatehouse_build_info", "Which build this is.", MetricType::Gauge);
  AddValue(build, 1, {{"version", kVersion}});
  out.push_back(std::move(build));
  return out;
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(Collect()); }

}  // namespace gatehouse::frontend
