#include "tests/bench/load_methods.h"

#include <fstream>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/check_request.h"

namespace gatehouse::bench {
namespace {

// The code, if it and the effect say the same.
v1::Code CodeOfDecision(const v1::Decision& decision) {
  return (decision.code() == v1::CODE_OK) == (decision.effect() == v1::EFFECT_ALLOW)
             ? decision.code()
             : v1::CODE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<std::vector<TokenLine>> ReadTokens(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  std::vector<TokenLine> lines;
  std::string line;
  while (std::getline(file, line)) {
    const size_t space = line.find(' ');
    if (space == std::string::npos || space == 0 || space + 1 == line.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", lines.size() + 1, ": not \"TOKEN SUBJECT\""));
    }
    lines.push_back({line.substr(0, space), line.substr(space + 1)});
  }
  if (lines.empty()) return absl::InvalidArgumentError(absl::StrCat(path, ": no tokens"));
  return lines;
}

size_t Picker::Next() {
  if (random_) {
    // xorshift64*: a few instructions, and the same for the same seed.
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return static_cast<size_t>(state_ * 0x2545F4914F6CDD1DULL) % count_;
  }
  const size_t picked = next_;
  next_ = next_ + 1 == count_ ? 0 : next_ + 1;
  return picked;
}

VerifyMethod::VerifyMethod(const std::vector<TokenLine>& tokens, Picker picker)
    : requests_(tokens.size()), picker_(picker) {
  for (size_t i = 0; i < tokens.size(); ++i) requests_[i].set_token(tokens[i].token);
}

v1::Code VerifyMethod::CodeOf(const Reply& reply) { return CodeOfDecision(reply.decision()); }

AuthorizeMethod::AuthorizeMethod(const std::vector<TokenLine>& tokens, Picker picker)
    : requests_(tokens.size()), picker_(picker) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    requests_[i].set_token(tokens[i].token);
    requests_[i].set_owner(tokens[i].subject);
    requests_[i].set_resource("note/42");
    requests_[i].set_action("read");
  }
}

v1::Code AuthorizeMethod::CodeOf(const Reply& reply) { return CodeOfDecision(reply.decision()); }

BatchMethod::BatchMethod(const std::vector<TokenLine>& tokens, int checks, Picker picker)
    : requests_(tokens.size()), checks_(checks), picker_(picker) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    requests_[i].set_token(tokens[i].token);
    for (int n = 0; n < checks; ++n) {
      v1::Check& check = *requests_[i].add_checks();
      check.set_resource(absl::StrFormat("note/benchmark-note-%014d", n));
      check.set_owner(tokens[i].subject);
      check.set_action("read");
    }
  }
}

v1::Code BatchMethod::CodeOf(const Reply& reply) const {
  if (CodeOfDecision(reply.decision()) != v1::CODE_OK || reply.decisions_size() != checks_) {
    return v1::CODE_UNSPECIFIED;
  }
  for (const v1::Decision& decision : reply.decisions()) {
    if (const v1::Code code = CodeOfDecision(decision); code != v1::CODE_OK) return code;
  }
  return v1::CODE_OK;
}

CheckMethod::CheckMethod(const std::vector<TokenLine>& tokens, Picker picker) : picker_(picker) {
  requests_.reserve(tokens.size());
  for (const TokenLine& line : tokens) {
    requests_.push_back(MakeCheckRequest(
        line.token, absl::StrCat("/v1/", line.subject, "/kind-025/doc-42?view=full&lang=en")));
  }
}

v1::Code CheckMethod::CodeOf(const Reply& reply) {
  const auto& metadata = reply.dynamic_metadata().fields();
  const auto said = metadata.find("code");
  v1::Code code = v1::CODE_UNSPECIFIED;
  if (said != metadata.end()) {
    v1::Code_Parse(absl::StrCat("CODE_", said->second.string_value()), &code);
  }
  const bool allows = reply.has_ok_response() && reply.status().code() == 0;
  return (code == v1::CODE_OK) == allows ? code : v1::CODE_UNSPECIFIED;
}

RevokeMethod::RevokeMethod(const std::string& issuer) {
  std::random_device random;
  prefix_ = absl::StrCat(absl::Hex(random()), absl::Hex(random()), "-");
  request_.mutable_token_id()->set_issuer(issuer);
  request_.set_reason("benchmark");
}

const v1::RevokeRequest& RevokeMethod::Next() {
  request_.mutable_token_id()->set_token_id(absl::StrCat(prefix_, count_++));
  return request_;
}

v1::Code RevokeMethod::CodeOf(const Reply& reply) {
  return reply.revocation().id().empty() ? v1::CODE_UNSPECIFIED : v1::CODE_OK;
}

}  // namespace gatehouse::bench
