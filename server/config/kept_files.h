#pragma once

#include <string>
#include <vector>

#include "server/config/config.h"

namespace gatehouse::config {

// The files that the server reads or keeps by `config`, which was read from `config_file`,
// besides the decision log.
std::vector<KeptFile> KeptFilesOf(const Config& config, const std::string& config_file);

// The first of `files` that is one with `path`, null if none is: by device and inode where
// both exist, else by where their links lead. Opens nothing.
const KeptFile* FindSame(const std::string& path, const std::vector<KeptFile>& files);

// Whether a log may be written to `log.path` and renamed to the names behind it: none of
// them is one of `log.kept`, nor two of them the same file. INVALID_ARGUMENT if not.
absl::Status CheckOwnFiles(const DecisionLog& log);

}  // namespace gatehouse::config
