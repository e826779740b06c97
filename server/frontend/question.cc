#include "server/frontend/question.h"

#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"

namespace gatehouse::frontend {
namespace {

constexpr int kMaxFacts = 64;
constexpr int kMaxSubjects = 1000;

absl::Status TooMany(absl::string_view field, int most) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": more than ", most));
}

}  // namespace

absl::StatusOr<policy::Question> QuestionReader::Read(const v1::AuthorizeRequest& request) {
  return ReadFields(request);
}

absl::StatusOr<policy::Question> QuestionReader::Read(const v1::Check& check) {
  return ReadFields(check);
}

template <typename Message>
absl::StatusOr<policy::Question> QuestionReader::ReadFields(const Message& request) {
  if (request.relations_size() > kMaxFacts) return TooMany("relations", kMaxFacts);
  if (request.attributes_size() > kMaxFacts) return TooMany("attributes", kMaxFacts);
  attributes_.clear();
  for (const auto& [name, value] : request.attributes()) attributes_.emplace_back(name, value);
  subjects_.clear();
  relations_.clear();
  for (const auto& [name, subjects] : request.relations()) {
    if (subjects.subjects_size() > kMaxSubjects) return TooMany("relations", kMaxSubjects);
    subjects_.insert(subjects_.end(), subjects.subjects().begin(), subjects.subjects().end());
  }
  // Only now: the list may have moved while it grew.
  size_t first = 0;
  for (const auto& [name, subjects] : request.relations()) {
    const auto count = static_cast<size_t>(subjects.subjects_size());
    relations_.push_back({name, absl::MakeConstSpan(subjects_).subspan(first, count)});
    first += count;
  }
  const policy::Question question{.resource = request.resource(),
                                  .owner = request.owner(),
                                  .action = request.action(),
                                  .tenant = request.tenant(),
                                  .relations = relations_,
                                  .attributes = attributes_};
  GH_RETURN_IF_ERROR(policy::CheckQuestion(question));
  return question;
}

}  // namespace gatehouse::frontend
