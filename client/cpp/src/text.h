#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::client {

bool IsUtf8(std::string_view text);
// For messages: what controls a terminal becomes "?", and what is long is cut.
std::string Printable(std::string_view text);
// A gRPC target on this machine: "unix:...", localhost, 127.0.0.0/8 or [::1] with a port,
// perhaps behind "dns:" and the like.
bool IsOnThisMachine(std::string_view target);
// What is wrong with the form of a target, as "has no port".
std::optional<std::string> WrongTarget(std::string_view target);

}  // namespace gatehouse::client
