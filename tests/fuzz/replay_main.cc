// Runs a fuzz target over the files of a corpus, without libFuzzer:
//   replay FOLDER_OR_FILE...
// Fails when there is nothing to run.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "tests/fuzz/property.h"

namespace {

void Replay(const std::filesystem::path& file) {
  // Before it runs, so that the input which aborts is named.
  std::printf("%s\n", file.c_str());
  (void)std::fflush(stdout);
  std::ifstream in(file, std::ios::binary);
  gatehouse::fuzz::Must(in.good(), "the file can be read");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  // Exactly as long as the input, so that AddressSanitizer sees a read behind it.
  const auto bytes = std::make_unique<uint8_t[]>(text.size());
  std::copy(text.begin(), text.end(), bytes.get());
  LLVMFuzzerTestOneInput(bytes.get(), text.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      files.emplace_back(argv[i]);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  for (const auto& file : files) Replay(file);
  std::printf("%zu inputs\n", files.size());
  return files.empty() ? 1 : 0;
}
