#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace gatehouse::policy {

// The subjects that a row relates to a resource: `editor`: u1, u2.
struct Relation {
  absl::string_view name;
  absl::Span<const absl::string_view> subjects = {};
};

// What the caller asks about. Views into the request. All but the action are facts
// from the backend's database, never from the caller of the backend.
struct Question {
  absl::string_view resource;    // "type/id"
  absl::string_view owner = {};  // empty matches nobody
  absl::string_view action = {};
  absl::string_view tenant = {};  // empty: the resource has none
  absl::Span<const Relation> relations = {};
  absl::Span<const std::pair<absl::string_view, absl::string_view>> attributes = {};
};

// INVALID_ARGUMENT, naming the field, if `question` is none: a resource without
// '/', with an empty type or id, or any field with a control character or beyond
// 4 KiB. Not a denial: the caller made a mistake.
absl::Status CheckQuestion(const Question& question);

}  // namespace gatehouse::policy
