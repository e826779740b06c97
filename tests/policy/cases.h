#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/policy/policy.h"
#include "tests/policy/random_policy.h"

namespace gatehouse::policy {

// The engine, asked about a row.
Code Ask(const Policy& policy, const Principal& who, const Row& row, const std::string& type,
         const std::string& action);

// All that the engine says about a row, a task.
struct Told {
  bool allowed = false;
  std::string why_not;
  std::vector<RuleVerdict> rules;
};
Told AskAll(const Policy& policy, const Principal& who, const Row& row, const std::string& action);

// The ids of those rows, tasks, on which the engine says yes.
std::set<std::string> AllowedRows(const Policy& policy, const Principal& who,
                                  const std::vector<Row>& rows, const std::string& action);

// Cases by kind of rule and of condition and by verdict: a test that only ever sees
// denials proves little.
class Tally {
 public:
  void Count(const Definition& policy, const std::string& action, bool allowed);

  // Prints the table; the least share of either verdict in any line. 0 if one of the kinds
  // that RandomPolicies makes was never seen.
  double Report() const;

 private:
  void Add(const char* list, const Rule& rule, bool allowed);
  void Add(const std::string& kind, bool allowed);

  std::map<std::string, std::pair<int, int>> counts_;
};

// Cases by how many of the rows were allowed.
class Shares {
 public:
  void Count(size_t allowed, size_t rows);

  int cases() const { return all_ + none_ + some_; }
  // Prints them; the least share of the three.
  double Report(const char* what) const;

 private:
  int all_ = 0;
  int none_ = 0;
  int some_ = 0;
};

}  // namespace gatehouse::policy
