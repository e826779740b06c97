#include "client/cpp/src/answer.h"

#include "gatehouse/decision.h"

namespace gatehouse {
namespace client {
namespace {

const AnswerData& NothingSaid() {
  static const AnswerPtr nothing = AnswerOf({ErrorCode::kUnknown, "nothing was asked"});
  return *nothing;
}

}  // namespace

AnswerPtr AnswerOf(Error error) {
  auto data = std::make_shared<AnswerData>();
  data->detail = "No decision can be made now";
  data->error = std::move(error);
  return data;
}

size_t BytesOf(const AnswerData& answer) {
  size_t bytes = sizeof(AnswerData) + sizeof(Facts) + answer.detail.size() + answer.id.size();
  if (answer.facts != nullptr) {
    bytes += answer.facts->tags.size() * sizeof(Tag) + answer.facts->store_id.size() +
             answer.facts->rules.size();
  }
  if (answer.principal != nullptr) {
    const Principal& who = *answer.principal;
    bytes += sizeof(Principal) + who.issuer.size() + who.subject.size() + who.tenant.size() +
             who.session_id.size() + who.token_id.size() + who.client_id.size() + who.email.size();
    for (const auto* list : {&who.roles, &who.scopes}) {
      for (const std::string& one : *list) bytes += sizeof(std::string) + one.size();
    }
  }
  return bytes;
}

}  // namespace client

const char* CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "OK";
    case Code::kTokenMissing:
      return "TOKEN_MISSING";
    case Code::kTokenInvalid:
      return "TOKEN_INVALID";
    case Code::kTokenExpired:
      return "TOKEN_EXPIRED";
    case Code::kTokenRevoked:
      return "TOKEN_REVOKED";
    case Code::kInsufficientPermissions:
      return "INSUFFICIENT_PERMISSIONS";
    case Code::kUnspecified:
      break;
  }
  return "UNSPECIFIED";
}

const client::AnswerData& Answer::data() const noexcept {
  return data_ == nullptr ? client::NothingSaid() : *data_;
}
bool Answer::allowed() const noexcept { return data_ != nullptr && data_->allow; }
bool Answer::decided() const noexcept { return !data().error.has_value(); }
int Answer::http_status() const noexcept { return data().http_status; }
Code Answer::code() const noexcept { return data().code; }
const std::string& Answer::detail() const noexcept { return data().detail; }
const std::string& Answer::id() const noexcept { return data().id; }
const std::vector<Step>& Answer::explanation() const noexcept { return data().explanation; }
const Principal* Answer::principal() const noexcept { return data().principal.get(); }
const Error& Answer::error() const noexcept {
  static const Error none{ErrorCode::kUnknown, "there is no error: a decision was made"};
  return data().error.has_value() ? *data().error : none;
}

}  // namespace gatehouse
