#pragma once

#include <string>
#include <vector>

#include "gatehouse/config/v1/config.pb.h"
#include "server/config/findings.h"

namespace gatehouse::config {

// A file that holds roles and resources, and where they stand in it.
struct PolicyFile {
  Findings findings;
  v1::Policy message = {};
};

// The file that `in.path` names (relative to `folder`), or in the order of their names
// the *.yaml and *.yml of the folder that it names: hidden ones and those of subfolders
// are left out. `path` is where `in` stands ("policy"). `paths` gets the file, or the
// folder and each file in it. What is wrong with `in.path` goes to `findings`, and
// then none is returned; what is wrong with the form of a file goes to the file's own.
std::vector<PolicyFile> LoadPolicyFiles(const v1::Policy& in, const std::string& path,
                                        const std::string& folder, Findings& findings,
                                        std::vector<std::string>& paths);

}  // namespace gatehouse::config
