#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/cpp/src/memory.h"

namespace gatehouse::client {

constexpr int64_t kNow = 100;
constexpr int64_t kLater = 200;

inline Tag TagOf(int number) {
  Tag tag{};
  std::memcpy(tag.data(), &number, sizeof number);
  return tag;
}

inline AnswerPtr AnswerWith(const std::vector<int>& tags, size_t size = 0) {
  auto facts = std::make_shared<Facts>();
  for (const int tag : tags) facts->tags.push_back(TagOf(tag));
  auto answer = std::make_shared<AnswerData>();
  answer->facts = facts;
  answer->detail = std::string(size, 'x');
  return answer;
}

// What is given outlives the result.
inline QuestionView ViewOf(std::string_view token, const Check* check = nullptr) {
  return {check == nullptr ? Method::kVerify : Method::kAuthorize, token, check,
          check == nullptr ? size_t{0} : size_t{1}};
}

inline void Insert(Memory& memory, const QuestionView& question, const AnswerPtr& answer,
                   int64_t until = kLater) {
  memory.Insert(HashOf(question), question, answer, kNow, until);
}
inline AnswerPtr Find(Memory& memory, const QuestionView& question, int64_t now = kNow) {
  return memory.Find(HashOf(question), question, now);
}

}  // namespace gatehouse::client
