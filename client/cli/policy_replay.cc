#include <unistd.h>

#include <array>
#include <iostream>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/arguments.h"
#include "client/cli/line_reader.h"
#include "client/cli/logged_decision.h"
#include "client/cli/output.h"
#include "client/cli/policy.h"
#include "server/base/json_writer.h"
#include "server/base/status_macros.h"
#include "server/policy/deciding_rule.h"

namespace gatehouse::cli {
namespace {

struct Arguments {
  std::string config = "gatehouse.yaml";
  std::vector<std::string> files;
};

// A kind of line that is counted and not decided.
struct Skipped {
  LineKind kind;
  const char* key;    // in JSON
  const char* words;  // behind a number
};
constexpr std::array<Skipped, 6> kSkipped = {{
    {LineKind::kWithoutFacts, "without_facts", "without facts"},
    {LineKind::kToken, "token", "about the token"},
    {LineKind::kOtherMethod, "other_method", "of other methods"},
    {LineKind::kIssuer, "issuer", "by an issuer that the configuration does not have"},
    {LineKind::kClaim, "claim", "without a claim that the policy tests"},
    {LineKind::kText, "text", "asked with what is no UTF-8"},
}};

const char* Word(bool allow) { return allow ? "allow" : "deny"; }

class Replay {
 public:
  Replay(const LoadedPolicy& loaded, Output output)
      : loaded_(loaded), output_(output), reader_(loaded), watched_(isatty(STDERR_FILENO) != 0) {}

  absl::Status File(const std::string& path) {
    GH_ASSIGN_OR_RETURN(LineReader lines, LineReader::Open(path));
    while (true) {
      GH_ASSIGN_OR_RETURN(const LineReader::Next next, lines.Read());
      if (next == LineReader::Next::kEnd) break;
      Line(path, lines, next);
      if (watched_ && lines.bytes() >= shown_ + kShowEach) ShowProgress(path, lines.bytes());
    }
    HideProgress();
    shown_ = 0;
    return absl::OkStatus();
  }

  // Says what was found. Returns the exit code.
  int Finish() const {
    if (Count(LineKind::kDamaged) > 0 && Count(LineKind::kDamaged) == lines_) {
      return Fail(absl::StrCat(first_damaged_, ": is no line of a decision log, and so are all"));
    }
    output_ == Output::kJson ? SumUpAsJson() : SumUpAsText();
    if (Count(LineKind::kDecision) == 0) {
      return Fail("no decision was replayed, so nothing is known of the policy");
    }
    return would_allow_ + would_deny_ == 0 ? kYes : kNo;
  }

 private:
  static constexpr int64_t kShowEach = int64_t{16} * 1024 * 1024;

  int64_t Count(LineKind kind) const { return counts_[static_cast<size_t>(kind)]; }

  void Line(const std::string& path, const LineReader& lines, LineReader::Next next) {
    ++lines_;
    const LineKind kind =
        next == LineReader::Next::kTooLong ? LineKind::kDamaged : reader_.Read(lines.line(), line_);
    ++counts_[static_cast<size_t>(kind)];
    if (kind == LineKind::kLost) {
      constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
      lost_ = line_.lost > kMost - lost_ ? kMost : lost_ + line_.lost;
    }
    if (kind == LineKind::kDamaged && first_damaged_.empty()) {
      first_damaged_ = absl::StrCat(Printable(path), ":", lines.number());
    }
    if (kind == LineKind::kDecision) DecideAgain();
  }

  void DecideAgain() {
    const absl::Status believed = loaded_.KeepAsserted(line_.asked.who);
    if (!believed.ok()) {
      if (line_.asked.expect_allow) Differs(false, std::string(believed.message()));
      return;
    }
    const policy::Principal who = line_.asked.who.ToPrincipal();
    line_.asked.With([&](const policy::Question& question) {
      const policy::Code code = loaded_.policy.Decide(who, question);
      const bool allowed = code == policy::Code::kOk;
      if (allowed == line_.asked.expect_allow) return;
      Differs(allowed, policy::DecidingRule(loaded_.policy, who, question, code));
    });
  }

  void Differs(bool allowed, const std::string& rule) {
    ++(allowed ? would_allow_ : would_deny_);
    HideProgress();
    Tell(allowed, rule);
  }

  void Tell(bool allowed, const std::string& rule) const {
    const config::PolicyTest& asked = line_.asked;
    if (output_ == Output::kText) {
      std::cout << VerdictWord(!allowed) << " -> " << VerdictWord(allowed) << "  "
                << Printable(absl::StrCat(asked.who.subject, " ", asked.action, " ", asked.resource,
                                          "  (", line_.time, ", ", line_.id, ")"))
                << "\n      was:      " << Printable(line_.rule)
                << "\n      would be: " << Printable(rule) << "\n";
      return;
    }
    std::string out;
    JsonWriter json(out);
    json.BeginObject();
    json.Member("time", line_.time);
    json.Member("id", line_.id);
    json.Member("issuer", asked.who.issuer);
    json.Member("subject", asked.who.subject);
    json.Member("resource", asked.resource);
    json.Member("action", asked.action);
    json.Member("was", Word(!allowed));
    json.Member("was_rule", line_.rule);
    json.Member("would_be", Word(allowed));
    json.Member("would_be_rule", rule);
    json.EndObject();
    std::cout << out << "\n";
  }

  void SumUpAsText() const {
    const int64_t replayed = Count(LineKind::kDecision);
    std::cout << replayed << " decisions replayed: " << replayed - would_allow_ - would_deny_
              << " unchanged, " << would_allow_ << " would be allowed, " << would_deny_
              << " would be denied\n";
    std::vector<std::string> skipped;
    skipped.reserve(kSkipped.size());
    int64_t sum = 0;
    for (const Skipped& one : kSkipped) {
      if (Count(one.kind) == 0) continue;
      sum += Count(one.kind);
      skipped.push_back(absl::StrCat(Count(one.kind), " ", one.words));
    }
    if (sum > 0) {
      std::cout << sum << " cannot be replayed: " << absl::StrJoin(skipped, ", ") << "\n";
    }
    if (Count(LineKind::kDamaged) > 0) {
      std::cout << Count(LineKind::kDamaged) << " damaged lines, the first at " << first_damaged_
                << "\n";
    }
    if (lost_ > 0) std::cout << lost_ << " decisions are missing in the log\n";
  }

  void SumUpAsJson() const {
    std::string out;
    JsonWriter json(out);
    const auto number = [&](absl::string_view key, int64_t value) {
      json.Key(key);
      json.Int(value);
    };
    const int64_t replayed = Count(LineKind::kDecision);
    json.BeginObject();
    number("replayed", replayed);
    number("unchanged", replayed - would_allow_ - would_deny_);
    number("would_allow", would_allow_);
    number("would_deny", would_deny_);
    json.Key("not_replayable");
    json.BeginObject();
    for (const Skipped& one : kSkipped) number(one.key, Count(one.kind));
    json.EndObject();
    number("damaged", Count(LineKind::kDamaged));
    json.Member("first_damaged", first_damaged_);
    number("lost", lost_);
    json.EndObject();
    std::cout << out << "\n";
  }

  void ShowProgress(const std::string& path, int64_t bytes) {
    shown_ = bytes;
    std::cerr << "\r" << Printable(path) << ": " << bytes / (int64_t{1024} * 1024) << " MiB, "
              << lines_ << " lines" << std::flush;
  }
  void HideProgress() const {
    if (shown_ > 0) std::cerr << "\r\x1b[K" << std::flush;
  }

  const LoadedPolicy& loaded_;
  const Output output_;
  DecisionReader reader_;
  const bool watched_;
  LoggedDecision line_;
  std::array<int64_t, kLineKinds> counts_{};
  int64_t lines_ = 0;
  int64_t would_allow_ = 0;
  int64_t would_deny_ = 0;
  int64_t lost_ = 0;
  std::string first_damaged_;
  int64_t shown_ = 0;  // bytes of the file, when the progress was shown
};

int RunReplay(const Arguments& arguments, Output output) {
  const auto loaded = LoadPolicy(arguments.config);
  if (!loaded.ok()) return Fail(PrintableLines(loaded.status().message()));
  Replay replay(*loaded, output);
  for (const std::string& file : arguments.files) {
    if (const absl::Status status = replay.File(file); !status.ok()) {
      return Fail(Printable(status.message()));
    }
  }
  return replay.Finish();
}

}  // namespace

void AddPolicyReplay(CLI::App& policy, Action& action) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* const command = policy.add_subcommand(
      "replay", "Decide a server's logged decisions again, and show what would change");
  AddConfig(*command, arguments->config);
  command
      ->add_option("logs", arguments->files,
                   "Files that a server's `decision_log` has written; - is standard input")
      ->required()
      ->type_name("FILE...");
  AddExamples(
      *command,
      "  gatehouse policy replay decisions.jsonl --config new.yaml\n"
      "  zcat decisions.*.gz | gatehouse policy replay - --config new.yaml\n",
      "0 nothing would change, 1 something would, 2 no decision was replayed, failed or wrong "
      "usage");
  command->callback([arguments, &action] {
    action = [arguments](const Options& options) { return RunReplay(*arguments, options.output); };
  });
}

}  // namespace gatehouse::cli
