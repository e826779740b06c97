#pragma once

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gatehouse/v1/authorization_service.pb.h"
#include "server/policy/question.h"

namespace gatehouse::frontend {

// Makes the engine's questions from requests, one after the other, and keeps its
// memory between them. For one thread.
class QuestionReader {
 public:
  // What `request` asks: views into it and into this, until the next call.
  // INVALID_ARGUMENT, naming the field, if it is no question.
  absl::StatusOr<policy::Question> Read(const v1::AuthorizeRequest& request);
  absl::StatusOr<policy::Question> Read(const v1::Check& check);

 private:
  template <typename Message>
  absl::StatusOr<policy::Question> ReadFields(const Message& message);

  std::vector<absl::string_view> subjects_;
  std::vector<policy::Relation> relations_;
  std::vector<std::pair<absl::string_view, absl::string_view>> attributes_;
};

}  // namespace gatehouse::frontend
