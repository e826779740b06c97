#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "server/engine/authorizer.h"
#include "server/frontend/reply.h"
#include "server/jose/jwks.h"
#include "tests/bench/bare_verify.h"
#include "tests/support/fake_key_source.h"
#include "tests/support/token_maker.h"

ABSL_FLAG(int, rounds, 21, "Rounds, of which the median counts");
ABSL_FLAG(int, tokens, 500, "Distinct tokens of each algorithm in a round");
ABSL_FLAG(int, many, 100000, "Distinct tokens in the memory");

namespace gatehouse::bench {
namespace {

using engine::Authorizer;
using engine::Examination;
using jose::Algorithm;
using policy::Code;

// How many tokens are timed together.
constexpr size_t kTurn = 20;
constexpr char kIssuer[] = "http://localhost:3000";

int64_t Nanos() { return SystemClock().SteadyNanos(); }

int Fail(const char* why) {
  std::fprintf(stderr, "gatehouse-engine-bench: %s\n", why);
  return 2;
}

[[noreturn]] void Die(const char* why) {
  std::fprintf(stderr, "gatehouse-engine-bench: %s\n", why);
  std::abort();
}

// What Better Auth's JWT plugin issues with the claims that its users are told to
// add; 430 bytes under EdDSA. `padding`: of a claim that nobody reads.
std::string Claims(int number, size_t padding = 0) {
  const int64_t now = absl::ToUnixSeconds(SystemClock().Now());
  std::string claims = absl::StrFormat(
      R"({"iat":%d,"sub":"user-%014d","exp":%d,"iss":"%s","aud":"%s","roles":["user"],)"
      R"("sid":"session-%014d","jti":"token-%014d","org":"acme-%06d")",
      now, number, now + 3600, kIssuer, kIssuer, number, number, number % 1000);
  if (padding > 0) absl::StrAppendFormat(&claims, R"(,"name":"%s")", std::string(padding, 'n'));
  return claims + "}";
}

std::vector<std::string> Sign(const TokenMaker& maker, int count, size_t padding = 0) {
  std::vector<std::string> tokens(static_cast<size_t>(count));
  constexpr int kThreads = 2;
  std::vector<std::thread> threads;
  for (int first = 0; first < kThreads; ++first) {
    threads.emplace_back([&, first] {
      for (int i = first; i < count; i += kThreads) {
        tokens[static_cast<size_t>(i)] = maker.Sign(Claims(i, padding));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return tokens;
}

std::unique_ptr<Authorizer> Build(const TokenMaker& maker, const revocation::RevocationIndex& index,
                                  size_t cache_bytes) {
  auto parsed = jose::ParseJwks(maker.Jwks());
  if (!parsed.ok()) Die("the key set is refused");
  auto source = std::make_unique<FakeKeySource>();
  source->Set(parsed->keys);
  engine::TrustedIssuer issuer;
  issuer.rules.issuer = kIssuer;
  issuer.rules.audiences = {kIssuer};
  issuer.rules.algorithms = {maker.algorithm()};
  issuer.rules.claims.tenant = "org";
  issuer.keys = std::move(source);
  std::vector<engine::TrustedIssuer> issuers;
  issuers.push_back(std::move(issuer));
  return std::make_unique<Authorizer>(
      std::move(issuers), index, SystemClock(),
      Authorizer::Options{.cache_bytes = cache_bytes, .render = frontend::RenderPrincipal});
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// Nanoseconds for each of `count` numbers, from `from`.
template <typename Body>
double Time(size_t from, size_t count, const Body& body) {
  const int64_t begin = Nanos();
  for (size_t i = from; i < from + count; ++i) body(i);
  return static_cast<double>(Nanos() - begin) / static_cast<double>(count);
}

void MustBe(const Examination& out, bool hit) {
  if (out.code != Code::kOk || out.cache_hit != hit) Die("a good token got another answer");
}

// An index with entries, so that a look-up is one.
void Fill(revocation::RevocationIndex& index) {
  std::vector<std::pair<revocation::Tag, revocation::Marks>> tags;
  tags.reserve(1000);
  for (int i = 0; i < 1000; ++i) {
    tags.emplace_back(
        revocation::MakeTag(revocation::TagKind::kSession, kIssuer, absl::StrCat("gone", i)),
        revocation::Marks{.issued_until = revocation::Marks::kEverything});
  }
  index.OnStep({.tags = tags, .changes = {}, .revision = 1});
}

void BenchFirstSight(const TokenMaker& maker, const revocation::RevocationIndex& index) {
  const auto tokens = Sign(maker, absl::GetFlag(FLAGS_tokens));
  const BareVerifier bare(maker);
  std::vector<BareInput> inputs;
  inputs.reserve(tokens.size());
  for (const std::string& token : tokens) inputs.push_back(BareInputOf(token));
  std::vector<double> bares;
  std::vector<double> firsts;
  std::vector<double> others;
  for (int round = 0; round < absl::GetFlag(FLAGS_rounds) + 1; ++round) {
    const auto authorizer = Build(maker, index, size_t{64} << 20);
    // Short turns, so that what else the machine does meets few of them.
    for (size_t from = 0; from + kTurn <= tokens.size(); from += kTurn) {
      const double plain = Time(from, kTurn, [&](size_t i) {
        if (!bare.Verify(inputs[i])) Die("OpenSSL refuses a good signature");
      });
      const double first =
          Time(from, kTurn, [&](size_t i) { MustBe(authorizer->Examine(tokens[i]), false); });
      if (round == 0) continue;  // warms everything up
      bares.push_back(plain);
      firsts.push_back(first);
      others.push_back(first - 1.1 * plain);
    }
  }
  const std::string name(jose::NameOf(maker.algorithm()));
  std::printf("%-44s %9.2f us\n", (name + " bare OpenSSL").c_str(), Median(bares) / 1000);
  std::printf("%-44s %9.2f us\n", (name + " first sight").c_str(), Median(firsts) / 1000);
  std::printf("%-44s %9.2f us   (reach: 3)\n", (name + " first sight - 1.1 x bare").c_str(),
              Median(others) / 1000);
}

void BenchParts(const TokenMaker& maker) {
  const auto tokens = Sign(maker, absl::GetFlag(FLAGS_tokens));
  const auto parsed_keys = jose::ParseJwks(maker.Jwks());
  if (!parsed_keys.ok()) Die("the key set is refused");
  const auto key = parsed_keys->keys.keys()[0];
  engine::TrustedIssuer issuer;
  issuer.rules.issuer = kIssuer;
  issuer.rules.audiences = {kIssuer};
  issuer.rules.algorithms = {maker.algorithm()};
  issuer.rules.claims.tenant = "org";
  std::vector<double> joses;
  std::vector<double> renders;
  std::vector<double> knows;
  for (const std::string& token : tokens) {
    const int64_t begin = Nanos();
    auto parsed = jose::UnverifiedJwt::Parse(token);
    const auto verified = jose::JwtVerifier::Verify(*std::move(parsed), issuer.rules, key);
    const int64_t verify = Nanos();
    policy::Principal principal = policy::PrincipalOf(*verified);
    const std::string rendered = frontend::RenderPrincipal(principal);
    const int64_t render = Nanos();
    const auto known =
        engine::MakeKnownToken(token, *verified, issuer, 0, std::move(principal), rendered);
    const int64_t know = Nanos();
    joses.push_back(static_cast<double>(verify - begin));
    renders.push_back(static_cast<double>(render - verify));
    knows.push_back(static_cast<double>(know - render));
  }
  const std::string name(jose::NameOf(maker.algorithm()));
  std::printf("%-44s %9.2f us\n", (name + "   of it: Parse and Verify").c_str(),
              Median(joses) / 1000);
  std::printf("%-44s %9.2f us\n", (name + "   of it: render the principal").c_str(),
              Median(renders) / 1000);
  std::printf("%-44s %9.2f us\n", (name + "   of it: tags and the entry").c_str(),
              Median(knows) / 1000);
}

// Nanoseconds a call and thread, when `threads` of them ask for one token.
double Hits(Authorizer& authorizer, const std::string& token, int threads) {
  constexpr int kCalls = 100'000;
  std::atomic<int> ready = 0;
  std::vector<double> nanos(static_cast<size_t>(threads));
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      ready.fetch_add(1);
      while (ready.load() < threads) std::this_thread::yield();
      const int64_t begin = Nanos();
      for (int i = 0; i < kCalls; ++i) MustBe(authorizer.Examine(token), true);
      nanos[static_cast<size_t>(t)] = static_cast<double>(Nanos() - begin) / kCalls;
    });
  }
  for (std::thread& thread : running) thread.join();
  return Median(nanos);
}

void BenchHits(const TokenMaker& maker, const revocation::RevocationIndex& index) {
  const auto authorizer = Build(maker, index, size_t{64} << 20);
  const std::string token = maker.Sign(Claims(1));
  MustBe(authorizer->Examine(token), false);
  for (const int threads : {1, 2}) {
    std::vector<double> hits;
    for (int round = 0; round < absl::GetFlag(FLAGS_rounds); ++round) {
      hits.push_back(Hits(*authorizer, token, threads));
    }
    std::printf("%-44s %9.3f us   (reach: 1)\n",
                absl::StrFormat("repeated token, %d thread(s)", threads).c_str(),
                Median(hits) / 1000);
  }
}

size_t HeapBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void BenchMany(const TokenMaker& maker, const revocation::RevocationIndex& index, size_t padding) {
  const auto tokens = Sign(maker, absl::GetFlag(FLAGS_many), padding);
  size_t length = 0;
  for (const std::string& token : tokens) length += token.size();
  length /= tokens.size();
  const auto authorizer = Build(maker, index, size_t{1} << 30);
  MustBe(authorizer->Examine(tokens[0]), false);  // what is made but once
  const size_t before = HeapBytes();
  const size_t counted = authorizer->cache().bytes();
  for (size_t i = 1; i < tokens.size(); ++i) MustBe(authorizer->Examine(tokens[i]), false);
  const auto entries = static_cast<double>(tokens.size() - 1);
  const double each = static_cast<double>(HeapBytes() - before) / entries;
  const double told = static_cast<double>(authorizer->cache().bytes() - counted) / entries;

  // In no order, and each sent anew, as a request brings it: its text is at hand, its
  // entry is wherever it was left.
  std::vector<double> hits;
  std::vector<std::string> turn(kTurn);
  size_t next = 0;
  for (size_t done = 0; done + kTurn <= tokens.size(); done += kTurn) {
    for (std::string& token : turn) {
      next = (next + 7919) % tokens.size();
      token = tokens[next];
    }
    hits.push_back(Time(0, kTurn, [&](size_t i) { MustBe(authorizer->Examine(turn[i]), true); }));
  }
  const std::string name(jose::NameOf(maker.algorithm()));
  std::printf("%-44s %9zu\n", (name + " bytes of a token").c_str(), length);
  std::printf("%-44s %9.0f      (reach: %.0f)\n",
              absl::StrFormat("%s bytes in memory each, of %d", name, tokens.size()).c_str(), each,
              1.5 * static_cast<double>(length) + 512);
  std::printf("%-44s %9.0f\n", (name + " bytes each, as the memory counts").c_str(), told);
  std::printf("%-44s %9.3f us   (reach: 1)\n", (name + " repeated, each of them").c_str(),
              Median(hits) / 1000);
}

int Run() {
  revocation::RevocationIndex index;
  Fill(index);
  const TokenMaker eddsa(Algorithm::kEdDsa);
  const TokenMaker rs256(Algorithm::kRs256);
  for (const TokenMaker* maker : {&rs256, &eddsa}) {
    BenchFirstSight(*maker, index);
    BenchParts(*maker);
  }
  BenchHits(eddsa, index);
  BenchMany(eddsa, index, 0);
  BenchMany(rs256, index, 350);
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-engine-bench: what a token costs in process, the first time and again, beside\n"
      "the bare OpenSSL operation, and what it takes of memory.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    return gatehouse::bench::Fail("takes flags only; see --help");
  }
  return gatehouse::bench::Run();
}
