#include "server/policy/role_cycles.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace gatehouse::policy {
namespace {

// Tarjan's algorithm: roles that include each other stand together on the stack when the
// first of them is left. Without recursion, since a chain of roles may be long.
class Search {
 public:
  explicit Search(const std::map<std::string, std::vector<std::string>>& includes) {
    std::map<std::string, size_t> numbers;
    names_.reserve(includes.size());
    for (const auto& [role, included] : includes) {
      numbers.emplace(role, numbers.size());
      names_.push_back(role);
    }
    nodes_.resize(names_.size());
    for (const auto& [role, included] : includes) {
      Node& node = nodes_[numbers[role]];
      node.next.reserve(included.size());
      for (const std::string& one : included) {
        // One that includes nothing is in no cycle.
        if (const auto it = numbers.find(one); it != numbers.end()) node.next.push_back(it->second);
      }
    }
  }

  std::set<std::string> Run() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].order == 0) Visit(i);
    }
    return std::move(found_);
  }

 private:
  struct Node {
    std::vector<size_t> next;
    size_t looked_at = 0;  // how many of `next`
    size_t order = 0;      // in which it was met, from 1 on
    size_t least = 0;      // order of those that it leads back to
    bool on_stack = false;
  };

  void Enter(size_t i) {
    nodes_[i].order = nodes_[i].least = ++met_;
    nodes_[i].on_stack = true;
    stack_.push_back(i);
    path_.push_back(i);
  }

  void Visit(size_t first) {
    Enter(first);
    while (!path_.empty()) {
      const size_t i = path_.back();
      Node& node = nodes_[i];
      if (node.looked_at == node.next.size()) {
        Leave(i);
        continue;
      }
      const size_t next = node.next[node.looked_at++];
      if (nodes_[next].order == 0) {
        Enter(next);
      } else if (nodes_[next].on_stack) {
        node.least = std::min(node.least, nodes_[next].order);
      }
    }
  }

  void Leave(size_t i) {
    const Node& node = nodes_[i];
    path_.pop_back();
    if (!path_.empty()) {
      Node& before = nodes_[path_.back()];
      before.least = std::min(before.least, node.least);
    }
    if (node.least != node.order) return;
    const bool alone = stack_.back() == i;
    const bool includes_itself =
        !alone || std::find(node.next.begin(), node.next.end(), i) != node.next.end();
    while (true) {
      const size_t one = stack_.back();
      stack_.pop_back();
      nodes_[one].on_stack = false;
      if (includes_itself) found_.insert(names_[one]);
      if (one == i) return;
    }
  }

  std::vector<std::string> names_;
  std::vector<Node> nodes_;
  std::vector<size_t> stack_;
  std::vector<size_t> path_;
  size_t met_ = 0;
  std::set<std::string> found_;
};

}  // namespace

std::set<std::string> RolesThatIncludeThemselves(
    const std::map<std::string, std::vector<std::string>>& includes) {
  return Search(includes).Run();
}

}  // namespace gatehouse::policy
