#pragma once

#include <google/protobuf/message.h>

#include <CLI/App.hpp>

#include "client/cli/commands.h"
#include "gatehouse/v1/decision.pb.h"

namespace gatehouse::cli {

// The exit code of a decision: kYes for allow with OK, kNo for deny with a known
// reason, kUnknown for everything else: nothing said, values of another version, or
// two that contradict each other.
int ExitCodeOf(const v1::Decision& decision);

// Adds --explain.
void AddExplain(CLI::App& subcommand, bool& explain);

// Writes `reply`, whose decision and principal these are, as `output` says. Returns
// the decision's exit code, kUnknown if the reply could not be written; kUnknown is
// explained on standard error.
int PrintReply(const google::protobuf::Message& reply, const v1::Decision& decision,
               const v1::Principal& principal, Output output);

}  // namespace gatehouse::cli
