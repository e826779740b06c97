// What a token costs in this process when it is seen for the first time, beside the
// bare OpenSSL operation with its key prepared beforehand. Only the ratios of one
// run mean something.

#include <openssl/rsa.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "server/jose/base64url.h"
#include "server/jose/jwks.h"
#include "server/jose/jwt_verifier.h"
#include "tests/support/token_maker.h"

namespace gatehouse::bench {
namespace {

using jose::Algorithm;
using jose::Bytes;

constexpr int kRounds = 41;
constexpr int kTokens = 100;  // a round's
// The reach of the whole first sight, of which this is the part of Parse and Verify.
constexpr double kMaxFactor = 1.1;
constexpr double kMaxMoreMicros = 3.0;

void Must(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "gatehouse-jose-bench: %s failed\n", what);
  std::abort();
}

// As many claims as Better Auth's token has with the recommended ones.
std::string ClaimsOf(int number) {
  return absl::StrFormat(
      R"({"iat":1795216315,"name":"Ada","email":"ada@example.com","emailVerified":false,)"
      R"("createdAt":"2026-11-20T23:11:55.503Z","updatedAt":"2026-11-20T23:11:55.503Z",)"
      R"("id":"benchmark-subject-%014d","sid":"session-%024d",)"
      R"("jti":"01234567-89ab-cdef-0123-%012d","roles":["user"],)"
      R"("sub":"benchmark-subject-%014d","exp":1795217215,"iss":"http://localhost:3000",)"
      R"("aud":"http://localhost:3000"})",
      number, number, number, number);
}

// The bare operation: hash and verify, on a context that is prepared.
class Bare {
 public:
  explicit Bare(const TokenMaker& maker)
      : algorithm_(maker.algorithm()),
        digest_context_(EVP_MD_CTX_new()),
        context_(EVP_PKEY_CTX_new_from_pkey(nullptr, maker.private_key(), nullptr)) {
    if (algorithm_ == Algorithm::kEdDsa) {
      Must(EVP_DigestVerifyInit_ex(digest_context_.get(), nullptr, nullptr, nullptr, nullptr,
                                   maker.private_key(), nullptr) == 1,
           "preparing");
      return;
    }
    Must(EVP_PKEY_verify_init(context_.get()) == 1 &&
             EVP_PKEY_CTX_set_signature_md(context_.get(), sha256_) == 1,
         "preparing");
    if (algorithm_ == Algorithm::kPs256) {
      Must(EVP_PKEY_CTX_set_rsa_padding(context_.get(), RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(context_.get(), RSA_PSS_SALTLEN_DIGEST) == 1,
           "preparing");
    }
  }

  // `signature` in OpenSSL's form.
  bool Verify(const std::string& input, const std::string& signature) {
    if (algorithm_ == Algorithm::kEdDsa) {
      return EVP_DigestVerifyInit_ex(digest_context_.get(), nullptr, nullptr, nullptr, nullptr,
                                     nullptr, nullptr) == 1 &&
             EVP_DigestVerify(digest_context_.get(), Bytes(signature), signature.size(),
                              Bytes(input), input.size()) == 1;
    }
    unsigned char digest[32];
    unsigned int size = 0;
    return EVP_DigestInit_ex2(digest_context_.get(), sha256_, nullptr) == 1 &&
           EVP_DigestUpdate(digest_context_.get(), input.data(), input.size()) == 1 &&
           EVP_DigestFinal_ex(digest_context_.get(), digest, &size) == 1 &&
           EVP_PKEY_verify(context_.get(), Bytes(signature), signature.size(), digest, size) == 1;
  }

 private:
  const Algorithm algorithm_;
  const EVP_MD* const sha256_ = jose::HashMethod(jose::Hash::kSha256);
  const jose::EvpMdCtx digest_context_;
  const jose::EvpPkeyCtx context_;
};

// JWS's r || s of P-256 as DER.
std::string ToDer(const std::string& raw) {
  std::string content;
  for (const absl::string_view half :
       {absl::string_view(raw).substr(0, 32), absl::string_view(raw).substr(32)}) {
    std::string number(half.substr(std::min<size_t>(half.find_first_not_of('\0'), 31)));
    if ((static_cast<unsigned char>(number[0]) & 0x80) != 0) number.insert(0, 1, '\0');
    content += '\x02';
    content += static_cast<char>(number.size());
    content += number;
  }
  return std::string("\x30") + static_cast<char>(content.size()) + content;
}

struct Token {
  std::string text;
  std::string input;
  std::string signature;  // in OpenSSL's form
};

std::vector<Token> MakeTokens(const TokenMaker& maker) {
  std::vector<Token> tokens;
  for (int i = 0; i < kTokens; ++i) {
    Token token;
    token.text = maker.Sign(ClaimsOf(i));
    token.input = token.text.substr(0, token.text.rfind('.'));
    token.signature =
        *jose::DecodeBase64Url(absl::string_view(token.text).substr(token.input.size() + 1));
    if (maker.algorithm() == Algorithm::kEs256) token.signature = ToDer(token.signature);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

// Of this thread: whoever else keeps the machine busy does not count.
double CpuMicros() {
  timespec now = {};
  Must(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0, "clock_gettime");
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

// Microseconds for each token.
double Time(const std::vector<Token>& tokens, const std::function<bool(const Token&)>& verify) {
  const double begin = CpuMicros();
  bool good = true;
  for (const Token& token : tokens) good = verify(token) && good;
  const double taken = CpuMicros() - begin;
  Must(good, "a signature");
  return taken / static_cast<double>(tokens.size());
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void Measure(Algorithm algorithm) {
  const TokenMaker maker(algorithm);
  const std::vector<Token> tokens = MakeTokens(maker);
  const auto parsed = jose::ParseJwks(maker.Jwks());
  Must(parsed.ok(), "reading the key");
  const jose::KeySet& keys = parsed->keys;
  jose::IssuerRules rules;
  rules.issuer = "http://localhost:3000";
  rules.audiences = {rules.issuer};
  rules.algorithms = {algorithm};
  Bare bare(maker);

  const auto parse = [](const Token& token) { return jose::UnverifiedJwt::Parse(token.text).ok(); };
  const auto whole = [&](const Token& token) {
    auto jwt = jose::UnverifiedJwt::Parse(token.text);
    if (!jwt.ok()) return false;
    const auto key = keys.Find(jwt->kid().value_or(""), jwt->algorithm());
    return jose::JwtVerifier::Verify(*std::move(jwt), rules, key).ok();
  };
  std::vector<double> bare_micros;
  std::vector<double> parse_micros;
  std::vector<double> whole_micros;
  std::vector<double> rest_micros;
  for (int round = 0; round < kRounds; ++round) {
    bare_micros.push_back(
        Time(tokens, [&](const Token& one) { return bare.Verify(one.input, one.signature); }));
    whole_micros.push_back(Time(tokens, whole));
    parse_micros.push_back(Time(tokens, parse));
    rest_micros.push_back(whole_micros.back() - bare_micros.back());
  }
  const double least = Median(bare_micros);
  const double ours = Median(whole_micros);
  const double allowed = kMaxFactor * least + kMaxMoreMicros;
  absl::PrintF("%-6s %8.2f %8.2f %8.2f %8.2f %8.2fx %8.2f %5.2fx\n", jose::NameOf(algorithm), least,
               Median(parse_micros), ours, Median(rest_micros), ours / least, allowed,
               ours / allowed);
}

}  // namespace
}  // namespace gatehouse::bench

int main() {
  absl::PrintF("%d rounds of %d tokens, medians, us of CPU a token\n", gatehouse::bench::kRounds,
               gatehouse::bench::kTokens);
  absl::PrintF("%-6s %8s %8s %8s %8s %9s %8s %6s\n", "", "OpenSSL", "Parse", "+Verify", "rest",
               "ratio", "allowed", "used");
  for (const auto algorithm :
       {gatehouse::jose::Algorithm::kRs256, gatehouse::jose::Algorithm::kPs256,
        gatehouse::jose::Algorithm::kEs256, gatehouse::jose::Algorithm::kEdDsa}) {
    gatehouse::bench::Measure(algorithm);
  }
  return 0;
}
