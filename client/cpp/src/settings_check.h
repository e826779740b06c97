#pragma once

#include <optional>
#include <string>

#include "gatehouse/settings.h"

namespace gatehouse::client {

// What is wrong with them, files included; nullopt: nothing is.
std::optional<Error> Wrong(const Settings& settings);

// A small file's bytes, or why it cannot be read, as "there is no such file".
Result<std::string> ReadFile(const std::string& path);

// The secret in a token file's bytes, which must be one word. `error` names the setting.
Result<std::string> SecretIn(const std::string& bytes, const std::string& path);

}  // namespace gatehouse::client
