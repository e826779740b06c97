#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "server/config/config.h"
#include "server/edge/gate.h"
#include "server/frontend/check_reply.h"
#include "server/frontend/check_request.h"
#include "server/frontend/reply.h"
#include "server/frontend/wire.h"
#include "server/jose/jwks.h"
#include "tests/bench/check_request.h"
#include "tests/support/fake_key_source.h"
#include "tests/support/token_maker.h"

ABSL_FLAG(std::vector<std::string>, configs, {},
          "Configurations with the routes of tests/bench/many_routes.py");
ABSL_FLAG(int, rounds, 21, "Rounds, of which the median counts");
ABSL_FLAG(int, calls, 20000, "Decisions in a round");

namespace gatehouse::bench {
namespace {

using policy::Route;

constexpr char kIssuer[] = "http://localhost:3000";
constexpr char kSubject[] = "benchmark-subject-00000000000000";

// This thread's CPU time, so that what else the machine does says little.
int64_t Nanos() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "gatehouse-gate-bench: %s\n", why.c_str());
  std::exit(2);
}

std::vector<Route> RoutesOf(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) Die(path + ": cannot be read");
  absl::StatusOr<config::Config> config = config::ParseConfig(text, path);
  if (!config.ok()) Die(std::string(config.status().message()));
  return std::move(config->routes);
}

// One who knows the tokens of one key.
class Known {
 public:
  Known() {
    auto parsed = jose::ParseJwks(maker_.Jwks());
    if (!parsed.ok()) Die("the key set is refused");
    auto source = std::make_unique<FakeKeySource>();
    source->Set(parsed->keys);
    engine::TrustedIssuer issuer;
    issuer.rules.issuer = kIssuer;
    issuer.rules.audiences = {kIssuer};
    issuer.rules.algorithms = {maker_.algorithm()};
    issuer.keys = std::move(source);
    std::vector<engine::TrustedIssuer> issuers;
    issuers.push_back(std::move(issuer));
    authorizer_ = std::make_unique<engine::Authorizer>(
        std::move(issuers), index_, SystemClock(),
        engine::Authorizer::Options{.render = frontend::RenderPrincipal});
  }

  std::string Token() const {
    const int64_t now = absl::ToUnixSeconds(SystemClock().Now());
    return maker_.Sign(absl::StrFormat(
        R"({"iat":%d,"exp":%d,"iss":"%s","aud":"%s","sub":"%s","roles":["user"],"jti":"t-1"})", now,
        now + 3600, kIssuer, kIssuer, kSubject));
  }
  engine::Authorizer& authorizer() { return *authorizer_; }
  const policy::Policy& policy() const { return policy_; }

 private:
  const TokenMaker maker_{jose::Algorithm::kEdDsa};
  revocation::RevocationIndex index_;
  std::unique_ptr<engine::Authorizer> authorizer_;
  const policy::Policy policy_ = policy::Policy::Default(1);
};

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// A path of `route`.
std::string PathOf(const Route& route) {
  return absl::StrReplaceAll(
      route.path,
      {{"{owner}", kSubject}, {"{id}", "doc-42"}, {"{name=**}", "a/b.txt"}, {"**", "logo.svg"}});
}

class GateBench {
 public:
  GateBench(Known& known, std::vector<Route> routes) : known_(known), token_(known.Token()) {
    absl::StatusOr<policy::RouteTable> table = policy::RouteTable::Compile(std::move(routes));
    if (!table.ok()) Die(std::string(table.status().message()));
    const size_t count = table->routes().size();
    gate_ = std::make_unique<edge::Gate>(*std::move(table),
                                         std::vector<engine::AudienceMask>(count), settings_);
  }

  size_t size() const { return gate_->routes().routes().size(); }

  // Prints what Decide costs for `path`, and returns its nanoseconds.
  double Measure(const std::string& what, const std::string& path, int status) {
    const absl::StatusOr<edge::Request> request = reader_.Read(BytesOf(path));
    if (!request.ok()) Die("no request");
    const double nanos = Time([&] {
      if (Decide(*request).status != status) Die(absl::StrCat(what, ": got another answer"));
    });
    Print(what, nanos);
    return nanos;
  }

  // Prints what is left of Check beside Decide and what gRPC does.
  void MeasureAll(const std::string& path) {
    const grpc::ByteBuffer bytes = BytesOf(path);
    const double read = Time([&] {
      if (!reader_.Read(bytes).ok()) Die("no request");
    });
    const absl::StatusOr<edge::Request> request = reader_.Read(bytes);
    if (!request.ok()) Die("no request");
    const edge::Answer answer = Decide(*request);
    const frontend::CheckNotes notes{.principal = &answer.examined.token->principal,
                                     .route = gate_->routes().routes()[0].path,
                                     .decision_id = "0123456789abcdef01234567"};
    const double encode = Time([&] {
      if (frontend::EncodeCheck(answer, settings_, notes).Length() == 0) Die("no reply");
    });
    Print(absl::StrFormat("CheckRequest of %d bytes read", bytes.Length()), read);
    Print("CheckResponse written", encode);
  }

  std::string PathOfOne(bool last) const {
    const std::vector<Route>& routes = gate_->routes().routes();
    const auto asks = [](const Route& route) {
      return route.needs == Route::Needs::kDecision && route.methods[0] == "GET";
    };
    return last ? PathOf(*std::find_if(routes.rbegin(), routes.rend(), asks))
                : PathOf(*std::find_if(routes.begin(), routes.end(), asks));
  }

  static void Print(const std::string& what, double nanos) {
    std::printf("%-56s %8.0f ns\n", what.c_str(), nanos);
  }

 private:
  grpc::ByteBuffer BytesOf(const std::string& path) const {
    return frontend::Serialize(MakeCheckRequest(token_, path));
  }

  edge::Answer Decide(const edge::Request& request) {
    return gate_->Decide(request, known_.authorizer(), known_.policy(), {}, scratch_);
  }

  static double Time(const std::function<void()>& body) {
    const int calls = absl::GetFlag(FLAGS_calls);
    std::vector<double> rounds(static_cast<size_t>(std::max(1, absl::GetFlag(FLAGS_rounds))));
    body();  // warms everything up
    for (double& round : rounds) {
      const int64_t begin = Nanos();
      for (int i = 0; i < calls; ++i) body();
      round = static_cast<double>(Nanos() - begin) / calls;
    }
    return Median(std::move(rounds));
  }

  Known& known_;
  const std::string token_;
  const edge::Settings settings_;
  std::unique_ptr<edge::Gate> gate_;
  edge::Gate::Scratch scratch_;
  frontend::CheckReader reader_;
};

int Run() {
  const std::vector<std::string> configs = absl::GetFlag(FLAGS_configs);
  if (configs.empty()) Die("--configs is required");
  Known known;
  double first = 0;
  double last = 0;
  for (const std::string& path : configs) {
    GateBench bench(known, RoutesOf(path));
    const auto name = [&](absl::string_view what) {
      return absl::StrFormat("%d routes, %s", bench.size(), what);
    };
    last = bench.Measure(name("the first one"), bench.PathOfOne(false), 200);
    if (first == 0) first = last;
    bench.Measure(name("the last one"), bench.PathOfOne(true), 200);
    bench.Measure(name("a public one"), "/public/kind-000/logo.svg", 200);
    bench.Measure(name("none"), absl::StrCat("/v1/", kSubject, "/kind-none/doc-42"), 403);
    if (&path == &configs.back()) bench.MeasureAll(bench.PathOfOne(true));
  }
  std::printf("the first of the most against the first of the fewest: %.2fx\n", last / first);
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-gate-bench: what it costs in process to decide on a request that a proxy asks\n"
      "about, with a token that is known, by how many routes there are.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    gatehouse::bench::Die("takes flags only; see --help");
  }
  return gatehouse::bench::Run();
}
