#include <cstdlib>
#include <exception>
#include <iostream>

#include "client/cli/commands.h"

int main(int argc, char** argv) {
  // Errors are told in our own words; the library would print its own beside them.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe)
  try {
    const int code = gatehouse::cli::Run(argc, argv);
    if (std::cout.flush()) return code;
    std::cerr << "gatehouse: the output could not be written\n";
  } catch (const std::exception&) {
    std::cerr << "gatehouse: out of memory or an unforeseen failure\n";
  }
  return gatehouse::cli::kUnknown;
}
