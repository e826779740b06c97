#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/string_view.h"
#include "server/config/config.h"
#include "server/config/findings.h"
#include "server/config/yaml_tree.h"
#include "server/policy/policy.h"
#include "server/policy/sql.h"

ABSL_FLAG(std::string, config, "", "Configuration with the policy of tests/bench/big_policy.py");
ABSL_FLAG(int, rounds, 21, "Rounds, of which the median counts");
ABSL_FLAG(int, calls, 20000, "Decisions in a round");

namespace gatehouse::bench {
namespace {

using policy::Code;
using policy::Policy;
using policy::Principal;
using policy::Question;

// This thread's CPU time, so that what else the machine does says little.
int64_t Nanos() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "gatehouse-policy-bench: %s\n", why.c_str());
  std::exit(2);
}

// The median over the rounds of the nanoseconds that `body` takes, called `calls` times.
double Time(int calls, const std::function<void()>& body) {
  std::vector<double> rounds(static_cast<size_t>(std::max(1, absl::GetFlag(FLAGS_rounds))));
  body();  // warms everything up
  for (double& round : rounds) {
    const int64_t begin = Nanos();
    for (int i = 0; i < calls; ++i) body();
    round = static_cast<double>(Nanos() - begin) / calls;
  }
  std::nth_element(rounds.begin(), rounds.begin() + static_cast<long>(rounds.size() / 2),
                   rounds.end());
  return rounds[rounds.size() / 2];
}

void Print(const char* what, double value, const char* unit, const char* reach = "") {
  std::printf("%-44s %10.3f %s%s\n", what, value, unit, reach);
}

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) Die(path + ": cannot be read");
  return text;
}

Policy Compile(const config::Config& config) {
  if (!config.policy.has_value()) Die("--config: has no policy");
  absl::StatusOr<Policy> policy =
      Policy::Compile(*config.policy, {config.issuers.front().rules.issuer});
  if (!policy.ok()) Die(std::string(policy.status().message()));
  return *std::move(policy);
}

config::Config Parse(const std::string& text, const std::string& path) {
  absl::StatusOr<config::Config> config = config::ParseConfig(text, path);
  if (!config.ok()) Die(std::string(config.status().message()));
  return *std::move(config);
}

void BenchLoad(const std::string& text, const std::string& path) {
  constexpr double kMillis = 1e6;
  const config::Config config = Parse(text, path);
  size_t actions = 0;
  for (const policy::Resource& one : config.policy->resources) actions += one.actions.size();
  std::printf("%zu resource types, %zu actions, %zu roles, %zu bytes\n",
              config.policy->resources.size(), actions, config.policy->roles.size(), text.size());
  Print("load: from YAML to a compiled policy",
        Time(1, [&] { Compile(Parse(text, path)); }) / kMillis, "ms", "   (reach: 100)");
  Print("  of it: read the YAML",
        Time(1,
             [&] {
               config::Findings findings(path);
               if (!config::ParseYaml(text, findings)) Die("no YAML");
             }) /
            kMillis,
        "ms");
  Print("  of it: compile", Time(1, [&] { Compile(config); }) / kMillis, "ms");
}

struct Case {
  const char* name;
  Principal who;
  Question question;
  Code expected;
};

void BenchDecide(const Policy& policy, const std::vector<Case>& cases) {
  for (const Case& one : cases) {
    const double nanos = Time(absl::GetFlag(FLAGS_calls), [&] {
      // Each answer is looked at, so that none is left out.
      if (policy.Decide(one.who, one.question) != one.expected) Die(one.name);
    });
    Print(one.name, nanos, "ns", "   (reach: 1000)");
  }
}

void BenchFilter(const Policy& policy, const Principal& who) {
  constexpr double kMicros = 1e3;
  const policy::Table* const table = policy.TableOf("note");
  if (table == nullptr) Die("note has no table");
  const int calls = std::max(1, absl::GetFlag(FLAGS_calls) / 10);
  for (const char* action : {"read", "close"}) {
    const std::string name = std::string("Filter of note ") + action;
    Print(name.c_str(),
          Time(calls,
               [&] {
                 const auto filter = policy.Filter(who, "note", action);
                 if (filter.is(policy::Truth::kFalse)) Die(name);
               }) /
              kMicros,
          "us");
    Print((name + ", and its SQL").c_str(),
          Time(calls,
               [&] {
                 const auto sql = policy::ToSql(policy.Filter(who, "note", action), *table,
                                                policy::Dialect::kSqlite);
                 if (!sql.ok()) Die(name);
               }) /
              kMicros,
          "us");
  }
}

int Run() {
  const std::string path = absl::GetFlag(FLAGS_config);
  if (path.empty()) Die("--config is required");
  const std::string text = TextOf(path);
  BenchLoad(text, path);

  const config::Config config = Parse(text, path);
  const Policy policy = Compile(config);
  Principal user;
  user.issuer = config.issuers.front().rules.issuer;
  user.subject = "user-00000000000042";
  user.tenant = "acme-000001";
  user.roles = {"user"};
  Principal boss = user;
  boss.roles = {"boss"};
  const std::vector<std::string> editors = {
      "user-1", "user-2", "user-3", "user-4", "user-5",
      "user-6", "user-7", "user-8", "user-9", std::string(user.subject)};
  const std::vector<absl::string_view> subjects(editors.begin(), editors.end());
  const std::vector<policy::Relation> relations = {{"viewer", {}}, {"editor", subjects}};
  const std::vector<std::pair<absl::string_view, absl::string_view>> attributes = {
      {"status", "open"}, {"locked", "yes"}};
  const auto ask = [&](absl::string_view action) {
    return Question{.resource = "note/benchmark-note-000000000000042",
                    .owner = user.subject,
                    .action = action,
                    .tenant = user.tenant,
                    .relations = relations,
                    .attributes = attributes};
  };
  BenchDecide(policy,
              {{"owner", user, ask("own"), Code::kOk},
               {"role, through two includes", boss, ask("manage"), Code::kOk},
               {"relation, the last of 10", user, ask("edit"), Code::kOk},
               {"denied by a condition", user, ask("close"), Code::kInsufficientPermissions},
               {"unknown action", user, ask("burn"), Code::kInsufficientPermissions}});
  BenchFilter(policy, user);
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-policy-bench: how long a large policy takes to load, and then to decide by, in\n"
      "process.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    gatehouse::bench::Die("takes flags only; see --help");
  }
  return gatehouse::bench::Run();
}
