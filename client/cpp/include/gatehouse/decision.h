#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gatehouse/result.h"

namespace gatehouse {

namespace client {
struct AnswerData;
}  // namespace client

// Why, in public words. kUnspecified, "nothing said", is a denial.
enum class Code {
  kUnspecified,
  kOk,                       // 200
  kTokenMissing,             // 401
  kTokenInvalid,             // 401
  kTokenExpired,             // 401
  kTokenRevoked,             // 401
  kInsufficientPermissions,  // 403
};

// As it stands in the body of an HTTP error: "TOKEN_EXPIRED".
const char* CodeName(Code code);

// Who the token speaks for.
struct Principal {
  std::string issuer;
  // Is only itself under its issuer.
  std::string subject;
  // Empty, as the following ones, if the token names none.
  std::string tenant;
  std::vector<std::string> roles;
  std::vector<std::string> scopes;
  std::string session_id;
  std::string token_id;
  std::string client_id;
  std::string email;
  std::optional<std::chrono::system_clock::time_point> issue_time;
  std::optional<std::chrono::system_clock::time_point> expire_time;
  // The JSON text of the claims. Only with CallOptions::with_claims.
  std::string claims;
};

// One step of an explanation.
struct Step {
  std::string name;
  bool passed = false;
  std::string detail;
};

// What came of a question: a decision, or an error if there was none. Cheap to copy, and
// never changed. One that was default-made says nothing, and so allows nothing.
//
//   if (!answer.allowed()) return Respond(answer.http_status(), answer.detail());
class Answer {
 public:
  Answer() = default;

  // The one permission there is.
  bool allowed() const noexcept;
  // False: nothing was decided, and error() says why.
  bool decided() const noexcept;
  // What a web backend should answer with: 200, 401, 403; 503 if nothing was decided.
  int http_status() const noexcept;
  Code code() const noexcept;
  // One sentence for people; of an error, for them too: error().message is for the log.
  const std::string& detail() const noexcept;
  // Names the decision in the server's log. A remembered one has that of the first.
  const std::string& id() const noexcept;
  const std::vector<Step>& explanation() const noexcept;
  // nullptr unless the token is good. Lives as long as a copy of the answer does.
  const Principal* principal() const noexcept;
  const Error& error() const noexcept;
  // It was not asked for now, but remembered.
  bool remembered() const noexcept { return remembered_; }

  // For the client itself.
  Answer(std::shared_ptr<const client::AnswerData> data, bool remembered)
      : data_(std::move(data)), remembered_(remembered) {}
  const client::AnswerData& data() const noexcept;

 private:
  std::shared_ptr<const client::AnswerData> data_;
  bool remembered_ = false;
};

}  // namespace gatehouse
