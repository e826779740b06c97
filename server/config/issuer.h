#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "gatehouse/config/v1/config.pb.h"
#include "server/config/config.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// What the rules of one part of the file need to know of the rest.
struct Surroundings {
  std::string folder;                  // of the file; relative paths begin there
  std::optional<absl::Duration> keep;  // revocations.keep, if that is right
};

// The issuer at `path`, with defaults. What is wrong goes to `findings`, and then
// the value is of no use.
Issuer ReadIssuer(const v1::Issuer& in, const std::string& path, const Surroundings& around,
                  Findings& findings);

// The issuers of the configuration `path`, whatever is wrong with the rest of it. Errors as of
// LoadConfig.
absl::StatusOr<std::vector<Issuer>> LoadIssuers(const std::string& path);

// Whether the name of a claim is perhaps meant as a path: "realm_access.roles" is
// the name of one claim, "/realm_access/roles" a path.
bool LooksLikeDottedPath(absl::string_view name);

absl::Duration ToDuration(const google::protobuf::Duration& duration);

// `path` from `folder`; itself when it is absolute.
std::string Resolve(const std::string& folder, const std::string& path);

// False, with the reason in `findings`, when the required text at `path` is
// missing or empty.
bool RequireText(const std::string& text, const std::string& path, Findings& findings);

}  // namespace gatehouse::config
