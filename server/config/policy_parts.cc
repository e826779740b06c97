#include "server/config/policy_parts.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"

namespace gatehouse::config {
namespace {

bool IsAtOrIn(absl::string_view path, absl::string_view outer) {
  return absl::StartsWith(path, outer) &&
         (path.size() == outer.size() || path[outer.size()] == '.');
}

}  // namespace

policy::Definition PolicyParts::Together() {
  policy::Definition out;
  for (const PolicyPart& part : parts_) {
    for (const policy::Role& role : part.definition.roles) {
      if (IsFirst(part, "roles.", role.name)) out.roles.push_back(role);
    }
    for (const policy::Resource& resource : part.definition.resources) {
      if (IsFirst(part, "resources.", resource.type)) out.resources.push_back(resource);
    }
  }
  return out;
}

void PolicyParts::Wrong(const policy::Finding& one) const {
  if (const PolicyPart* part = PartOf(one.path); part != nullptr) {
    part->findings->Wrong(part->prefix + one.path, one.what);
  } else {
    findings_.Wrong(field_, absl::StrCat(one.path, " ", one.what));
  }
}

std::string PolicyParts::Sentence(const policy::Finding& one) const {
  const PolicyPart* part = PartOf(one.path);
  return part != nullptr ? part->findings->Sentence(part->prefix + one.path, one.what)
                         : findings_.Sentence(field_, absl::StrCat(one.path, " ", one.what));
}

bool PolicyParts::IsFirst(const PolicyPart& part, absl::string_view kind, const std::string& name) {
  const std::string path = absl::StrCat(kind, log::Escape(name, 64));
  owners_.emplace(path, &part);
  const auto [first, is_new] = firsts_.emplace(absl::StrCat(kind, name), &part);
  const PolicyPart& before = *first->second;
  if (is_new || &before == &part) return true;
  part.findings->Wrong(part.prefix + path,
                       absl::StrCat("stands in two files; first in ",
                                    before.findings->PlaceOf(before.prefix + path)));
  return false;
}

const PolicyPart* PolicyParts::PartOf(const std::string& path) const {
  if (parts_.size() == 1) return &parts_.front();
  const PolicyPart* found = nullptr;
  size_t longest = 0;
  for (const auto& [name, part] : owners_) {
    if (name.size() <= longest || !IsAtOrIn(path, name)) continue;
    longest = name.size();
    found = part;
  }
  return found;
}

}  // namespace gatehouse::config
