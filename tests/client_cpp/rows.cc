#include "tests/client_cpp/rows.h"

#include <algorithm>
#include <optional>

namespace gatehouse::client {
namespace {

using Operation = FilterCondition::Operation;
// true, false or unknown
using Truth = std::optional<bool>;

// Empty and NULL alike are not there.
std::string TextAt(const Json& row, const std::string& field) {
  if (field.rfind("attributes.", 0) == 0) {
    return Get(Get(row, "attributes"), field.substr(11)).string_value();
  }
  return Get(row, field).string_value();
}

bool Related(const Json& row, const FilterCondition& condition) {
  const Json& members = Get(Get(row, "relations"), condition.field.substr(10));
  const auto& list = members.list_value().values();
  return std::any_of(list.begin(), list.end(), [&](const Json& member) {
    return member.string_value() == condition.values.at(0);
  });
}

Truth Compare(const FilterCondition& condition, const std::string& text) {
  const double number = std::strtod(text.c_str(), nullptr);
  switch (condition.operation) {
    case Operation::kEquals:
      return text == condition.values.at(0);
    case Operation::kIn:
      return std::count(condition.values.begin(), condition.values.end(), text) > 0;
    case Operation::kPrefix:
      return text.rfind(condition.values.at(0), 0) == 0;
    case Operation::kLessThan:
      return number < condition.number;
    case Operation::kAtMost:
      return number <= condition.number;
    case Operation::kGreaterThan:
      return number > condition.number;
    case Operation::kAtLeast:
      return number >= condition.number;
    default:
      return std::nullopt;
  }
}

Truth Evaluate(const FilterCondition& condition, const Json& row);

// kAll ends at the first false, kAny at the first true; an unknown one leaves it open.
Truth Combine(const FilterCondition& condition, const Json& row, bool end) {
  Truth all = !end;
  for (const FilterCondition& inner : condition.inner) {
    const Truth one = Evaluate(inner, row);
    if (one == end) return end;
    if (!one.has_value()) all.reset();
  }
  return all;
}

Truth Evaluate(const FilterCondition& condition, const Json& row) {
  switch (condition.operation) {
    case Operation::kUnknown:
      return std::nullopt;
    case Operation::kAll:
      return Combine(condition, row, false);
    case Operation::kAny:
      return Combine(condition, row, true);
    case Operation::kNot: {
      const Truth inner = Evaluate(condition.inner.at(0), row);
      return inner.has_value() ? Truth(!*inner) : Truth();
    }
    case Operation::kIsFalse:
      return Evaluate(condition.inner.at(0), row) == false;
    case Operation::kPresent:
      return !TextAt(row, condition.field).empty();
    case Operation::kRelated:
      return Related(row, condition);
    default: {
      const std::string text = TextAt(row, condition.field);
      return text.empty() ? Truth() : Compare(condition, text);
    }
  }
}

}  // namespace

bool Selects(const gatehouse::Filter& filter, const Json& row) {
  if (filter.kind == gatehouse::Filter::Kind::kAll) return true;
  return filter.kind == gatehouse::Filter::Kind::kCondition &&
         Evaluate(filter.condition, row) == true;
}

}  // namespace gatehouse::client
