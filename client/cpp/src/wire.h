#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/cpp/src/answer.h"
#include "client/cpp/src/question_key.h"
#include "client/cpp/src/view.h"
#include "gatehouse/client.h"

// Between our types and the messages of proto/gatehouse/v1, as bytes. The only place that
// knows protobuf.
namespace gatehouse::client {

// What a question that was sent came to.
struct Reply {
  // Of the token in a batch, else the one answer.
  AnswerPtr answer;
  // Of a batch, as many as there were checks.
  std::vector<AnswerPtr> answers;
  gatehouse::Filter filter;
  // The View's from before the request was sent.
  uint64_t generation = 0;
};
Reply ReplyOf(const Error& error, size_t checks);

struct Extras {
  bool explain = false;
  bool with_claims = false;
};

// Bytes came that are no answer.
Error Unreadable();

// What is wrong with the form of a question before it is sent; it names the field.
std::optional<Error> Malformed(const QuestionView& question);

std::string Encode(const QuestionView& question, const Extras& extras,
                   const std::optional<Revision>& required);
// `bytes` as the server sent them. What cannot be read is an error; what was not said
// denies.
Reply Decode(Method method, size_t checks, const std::string& bytes);

std::string EncodeRevoke(const RevocationTarget& target, const RevokeOptions& options);
std::optional<Revoked> DecodeRevoked(const std::string& bytes);
std::string EncodeReinstate(std::string_view id, std::string_view reason);
std::optional<Reinstated> DecodeReinstated(const std::string& bytes);

// `place` only in the first message of a stream.
std::string EncodeWatch(const std::optional<Revision>& place, int64_t ping);
struct WatchMessage {
  News news;
  int64_t ping = 0;
};
std::optional<WatchMessage> DecodeWatch(const std::string& bytes);

}  // namespace gatehouse::client
