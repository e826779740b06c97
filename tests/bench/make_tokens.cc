#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/token_maker.h"

ABSL_FLAG(std::string, dir, "", "Existing folder for jwks.json and the token files");
ABSL_FLAG(int, count, 10000, "Distinct tokens of each algorithm");
ABSL_FLAG(std::string, issuer, "http://localhost:3000", "The iss and aud claims");
ABSL_FLAG(int, threads, 2, "Threads that sign");

namespace gatehouse::bench {
namespace {

int Fail(const std::string& why) {
  std::fprintf(stderr, "gatehouse-bench-tokens: %s\n", why.c_str());
  return 2;
}

// What Better Auth's JWT plugin puts into a token, and the session id, token id
// and roles that its users are told to add. Every token has its own of each.
std::string Claims(const std::string& issuer, int64_t now, int number) {
  const std::string subject = absl::StrFormat("benchmark-subject-%014d", number);
  return absl::StrFormat(
      R"({"iat":%d,"name":"Ada","email":"ada@example.com","emailVerified":false,)"
      R"("createdAt":"2026-11-20T23:11:55.503Z","updatedAt":"2026-11-20T23:11:55.503Z",)"
      R"("id":"%s","sid":"session-%024d","jti":"01234567-89ab-cdef-0123-%012d",)"
      R"("roles":["user"],"sub":"%s","exp":%d,"iss":"%s","aud":"%s"})",
      now, subject, number, number, subject, now + 3600, issuer, issuer);
}

// Lines "TOKEN SUBJECT".
std::vector<std::string> Lines(const TokenMaker& maker, const std::string& issuer, int count,
                               int threads) {
  const int64_t now = absl::ToUnixSeconds(absl::Now());
  std::vector<std::string> lines(static_cast<size_t>(count));
  std::vector<std::thread> signers;
  signers.reserve(static_cast<size_t>(threads));
  for (int first = 0; first < threads; ++first) {
    signers.emplace_back([&, first] {
      for (int i = first; i < count; i += threads) {
        lines[static_cast<size_t>(i)] =
            absl::StrFormat("%s benchmark-subject-%014d", maker.Sign(Claims(issuer, now, i)), i);
      }
    });
  }
  for (std::thread& signer : signers) signer.join();
  return lines;
}

// The same tokens with the signatures of others, kForgeries of each: well formed, of a
// known kid, and to be found out by nothing but the check of the signature.
std::vector<std::string> Forged(const std::vector<std::string>& lines) {
  constexpr size_t kForgeries = 4;
  std::vector<std::string> forged;
  for (size_t shift = 1; shift <= kForgeries; ++shift) {
    for (size_t i = 0; i < lines.size(); ++i) {
      const std::string& line = lines[i];
      const std::string& other = lines[(i + shift) % lines.size()];
      const size_t space = line.find(' ');
      const size_t from = other.rfind('.', other.find(' '));
      forged.push_back(line.substr(0, line.rfind('.', space)) +
                       other.substr(from, other.find(' ') - from) + line.substr(space));
    }
  }
  return forged;
}

bool Write(const std::string& path, const std::vector<std::string>& lines, size_t first,
           size_t count) {
  std::ofstream file(path);
  for (size_t i = first; i < first + count; ++i) file << lines[i] << '\n';
  file.close();
  return !file.fail();
}

int Run() {
  const std::string dir = absl::GetFlag(FLAGS_dir);
  const int count = absl::GetFlag(FLAGS_count);
  const int threads = absl::GetFlag(FLAGS_threads);
  if (dir.empty() || count < 1 || threads < 1) {
    return Fail("--dir is required, --count and --threads must be at least 1");
  }
  const TokenMaker eddsa(jose::Algorithm::kEdDsa);
  const TokenMaker rs256(jose::Algorithm::kRs256);
  std::ofstream jwks(dir + "/jwks.json");
  jwks << TokenMaker::JwksOf({&eddsa, &rs256}) << '\n';
  jwks.close();
  if (jwks.fail()) return Fail(dir + "/jwks.json: cannot be written");
  for (const auto& [name, maker] : {std::pair{"eddsa", &eddsa}, std::pair{"rs256", &rs256}}) {
    const std::string path = dir + "/" + name;
    const auto lines = Lines(*maker, absl::GetFlag(FLAGS_issuer), count + 1, threads);
    // The one that is repeated is not among the distinct ones, so that a server
    // can be warmed up with it.
    const auto forged = Forged(lines);
    if (!Write(path + "-one", lines, 0, 1) ||
        !Write(path + "-many", lines, 1, static_cast<size_t>(count)) ||
        !Write(path + "-forged", forged, 0, forged.size())) {
      return Fail(path + ": cannot be written");
    }
  }
  return 0;
}

}  // namespace
}  // namespace gatehouse::bench

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage(
      "gatehouse-bench-tokens: writes jwks.json and, of EdDSA and RS256, ALGORITHM-one (one\n"
      "token), ALGORITHM-many (--count others) and ALGORITHM-forged (all of them with\n"
      "signatures of others), in lines \"TOKEN SUBJECT\". Good for an hour.");
  if (absl::ParseCommandLine(argc, argv).size() > 1) {
    return gatehouse::bench::Fail("takes flags only; see --help");
  }
  return gatehouse::bench::Run();
}
