#pragma once

#include <CLI/App.hpp>

#include "client/cli/commands.h"

// The subcommands of `gatehouse revocations`, as in commands.h.
namespace gatehouse::cli {

void AddExport(CLI::App& revocations, Action& action);
void AddImport(CLI::App& revocations, Action& action);
void AddBackup(CLI::App& revocations, Action& action);

// How many a page of the list holds at most.
inline constexpr int kPage = 1000;

// The last line of an exported list: {"end_of_list":{"revocations":N, ...}}. A list without
// it may have been cut off.
inline constexpr char kEndOfList[] = "end_of_list";
inline constexpr char kRevocations[] = "revocations";

}  // namespace gatehouse::cli
