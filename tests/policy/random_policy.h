#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "server/policy/columns.h"
#include "server/policy/definition.h"
#include "server/policy/policy.h"

namespace gatehouse::policy {

inline constexpr char kIssuer[] = "https://issuer.example";
inline constexpr char kOtherIssuer[] = "https://other.example";

// A row of the backend's table, as its columns hold it. Empty stands for NULL half of
// the time.
struct Row {
  std::string id;
  std::string owner = {};
  std::string tenant = {};
  std::vector<std::pair<std::string, std::string>> attributes = {};
  // Every relation of the policy, with its subjects: a backend gives them all.
  std::vector<std::pair<std::string, std::vector<std::string>>> relations = {};
};

// Whether a column of integers gives `id` back as it was.
bool IsPlainInteger(const std::string& id);

// Small worlds in which rules collide often. Seeded: the same each time.
class RandomPolicies {
 public:
  explicit RandomPolicies(uint32_t seed) : random_(seed) {}

  Definition NextPolicy();
  Principal NextPrincipal();
  Row NextRow(int number);

  // The table that the rows stand in.
  static Table TableOfRows();

 private:
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(random_); }
  bool OneIn(int n) { return Below(n) == 0; }
  const std::string& OneOf(const std::vector<std::string>& list) {
    return list[static_cast<size_t>(Below(static_cast<int>(list.size())))];
  }
  // One of the list mostly, else one that is easily mistaken.
  const std::string& Text(const std::vector<std::string>& list);
  Who NextWho(bool is_deny);
  Condition NextCondition(int depth);
  std::vector<Rule> NextRules(int count, bool is_deny);

  std::mt19937 random_;
};

}  // namespace gatehouse::policy
