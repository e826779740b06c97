#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gatehouse/decision.h"

namespace gatehouse::client {

// What a change names that makes an answer no longer count. The server's hashes, so any
// of their bytes will do as a hash.
using Tag = std::array<char, 16>;

struct TagHash {
  size_t operator()(const Tag& tag) const noexcept {
    size_t hash = 0;
    std::memcpy(&hash, tag.data(), sizeof hash);
    return hash;
  }
};

// How long an answer counts; one for all of a batch.
struct Facts {
  std::vector<Tag> tags;
  int64_t revision = 0;
  std::string store_id;
  std::string rules;
  int64_t remember_for = 0;  // ns
};

// An answer. Never changed once it is shared.
struct AnswerData {
  bool allow = false;
  Code code = Code::kUnspecified;
  int http_status = 503;
  std::string detail;
  std::string id;
  std::vector<Step> explanation;
  std::shared_ptr<const Principal> principal;
  std::shared_ptr<const Facts> facts;
  // Set: nothing was decided.
  std::optional<Error> error;
};

using AnswerPtr = std::shared_ptr<const AnswerData>;

AnswerPtr AnswerOf(Error error);
// About what it takes in memory.
size_t BytesOf(const AnswerData& answer);

}  // namespace gatehouse::client
