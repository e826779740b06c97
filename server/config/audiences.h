#pragma once

#include <google/protobuf/repeated_field.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// Reads the `audiences` of callers and routes, of which there are not too many in all.
class Audiences {
 public:
  // Both outlive it.
  Audiences(const v1::Config& in, Findings& findings);

  // Those of the `kind` ("caller") at `path`, each of which must be one of some issuer's. What is
  // wrong goes to the findings.
  std::vector<std::string> Read(const google::protobuf::RepeatedPtrField<std::string>& given,
                                const std::string& path, absl::string_view kind);

 private:
  std::string NoSuchAudience(const std::string& audience, absl::string_view kind) const;
  void Count(const std::string& audience, const std::string& path);

  Findings& findings_;
  std::set<std::string> known_;
  std::set<std::string> used_;
};

}  // namespace gatehouse::config
