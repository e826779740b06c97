// A remembered check of the C++ client: the whole public call, for one thread and for two.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "client/cpp/src/core.h"
#include "gatehouse/v1/authorization_service.pb.h"

ABSL_FLAG(int, rounds, 11, "Rounds, of which the median counts");
ABSL_FLAG(int, calls, 500'000, "Checks in a round");
ABSL_FLAG(int, tokens, 5000, "At most so many tokens, each with two checks");
ABSL_FLAG(int, token_bytes, 700, "Length of a token");

namespace gatehouse::bench {
namespace {

constexpr double kReach = 5e6;
// For which that is asked: what is in a core's cache. Beyond it memory is what takes time.
constexpr int kTokensOfReach = 100;

// Allows everything, and keeps its stream live.
class AllowAll final : public client::Transport {
 public:
  struct Open final : Stream {
    explicit Open(Events given) : events(std::move(given)) {}
    void Send(std::string bytes) override {
      v1::WatchRequest request;
      request.ParseFromString(bytes);
      v1::WatchResponse reply;
      reply.set_revision(1);
      reply.set_store_id("s");
      reply.set_rules("r");
      reply.set_ping(request.ping());
      events.message(reply.SerializeAsString());
    }
    void Cancel() override {}
    const Events events;
  };

  void Call(client::Method, std::string, int64_t, Done done) override {
    v1::AuthorizeResponse reply;
    reply.mutable_decision()->set_effect(v1::EFFECT_ALLOW);
    reply.mutable_decision()->set_code(v1::CODE_OK);
    reply.mutable_decision()->set_http_status(200);
    reply.mutable_principal()->set_subject("yXsCycQIzcaH5whPjIJ1mL4o9tfOsWr2");
    reply.set_revision(1);
    reply.set_store_id("s");
    reply.set_rules("r");
    reply.mutable_remember_for()->set_seconds(3600);
    for (char tag = 'a'; tag < 'g'; ++tag) reply.add_tags(std::string(16, tag));
    done({}, reply.SerializeAsString());
  }
  std::shared_ptr<Stream> Watch(std::string first, Events events) override {
    auto stream = std::make_shared<Open>(std::move(events));
    stream->Send(std::move(first));
    return stream;
  }
  void Renew() override {}
  void Close() override {}
};

// This thread's CPU time.
int64_t Nanos() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

struct Questions {
  std::vector<std::string> tokens;
  std::vector<Check> checks;
};

Questions MakeQuestions(int tokens) {
  Questions questions;
  for (int i = 0; i < tokens; ++i) {
    std::string token(static_cast<size_t>(std::max(16, absl::GetFlag(FLAGS_token_bytes))), 'x');
    token.replace(token.size() - 8, 8, std::to_string(10'000'000 + i));
    questions.tokens.push_back(std::move(token));
  }
  questions.checks = {{"task/1234567", "read", "yXsCycQIzcaH5whPjIJ1mL4o9tfOsWr2", "acme"},
                      {"task/1234567", "update", "yXsCycQIzcaH5whPjIJ1mL4o9tfOsWr2", "acme"}};
  return questions;
}

// Nanoseconds of a check, on `threads` at once: the median of the rounds of the slowest.
double Time(Client& client, const Questions& questions, int threads) {
  const int calls = std::max(1, absl::GetFlag(FLAGS_calls));
  std::vector<double> rounds;
  for (int round = 0; round < std::max(1, absl::GetFlag(FLAGS_rounds)); ++round) {
    std::vector<double> each(static_cast<size_t>(threads));
    std::atomic<int> ready{0};
    std::atomic<int> wrong{0};
    std::vector<std::thread> running;
    for (int t = 0; t < threads; ++t) {
      running.emplace_back([&, t] {
        ++ready;
        while (ready < threads) std::this_thread::yield();
        const int64_t begin = Nanos();
        size_t next = static_cast<size_t>(t) * 7919;
        for (int i = 0; i < calls; ++i, next += 13) {
          const Answer answer = client.Authorize(questions.tokens[next % questions.tokens.size()],
                                                 questions.checks[next & 1]);
          if (!answer.allowed() || !answer.remembered()) ++wrong;
        }
        each[static_cast<size_t>(t)] = static_cast<double>(Nanos() - begin) / calls;
      });
    }
    for (std::thread& thread : running) thread.join();
    if (wrong > 0) {
      std::fprintf(stderr, "gatehouse-client-bench: %d checks were not remembered\n", wrong.load());
      std::exit(1);
    }
    rounds.push_back(*std::max_element(each.begin(), each.end()));
  }
  std::nth_element(rounds.begin(), rounds.begin() + static_cast<long>(rounds.size() / 2),
                   rounds.end());
  return rounds[rounds.size() / 2];
}

int Run() {
  Settings settings;
  settings.target = "localhost:1";
  settings.warn = [](const std::string&) {};
  settings.memory_entries = 1'000'000;
  settings.memory_mib = 4096;
  Client client(std::make_shared<client::Core>(settings, client::MakeClock(),
                                               std::make_unique<AllowAll>(), client::MakeChance()));
  bool reached = true;
  std::printf(
      "A remembered check of the C++ client, %d bytes of token; the reach is %.0f million "
      "a second and core\n",
      absl::GetFlag(FLAGS_token_bytes), kReach / 1e6);
  for (const int tokens : {1, kTokensOfReach, std::max(1, absl::GetFlag(FLAGS_tokens))}) {
    const Questions questions = MakeQuestions(tokens);
    for (const std::string& token : questions.tokens) {
      for (const Check& check : questions.checks) (void)client.Authorize(token, check);
    }
    for (const int threads : {1, 2}) {
      const double nanos = Time(client, questions, threads);
      std::printf("  %5d tokens, %d thread%s %8.1f ns  %6.2f million/s and core\n", tokens, threads,
                  threads == 1 ? ": " : "s:", nanos, 1e3 / nanos);
      if (tokens <= kTokensOfReach) reached = reached && 1e9 / nanos >= kReach;
    }
  }
  std::printf("  the reach is %s\n", reached ? "reached" : "missed");
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Measures a check that the C++ client remembers.");
  absl::ParseCommandLine(argc, argv);
  return gatehouse::bench::Run();
}
