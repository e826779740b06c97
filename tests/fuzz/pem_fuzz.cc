#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/tls/pem.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gatehouse::fuzz::Must;
  const absl::string_view text = gatehouse::fuzz::TextOf(data, size);
  const auto blocks = gatehouse::tls::SplitPem(text);
  if (!blocks.ok()) return 0;
  Must(!gatehouse::tls::SplitPem(absl::StrCat(text, "\nx")).ok(), "garbage behind it is seen");
  // Written anew, it says the same.
  std::string again;
  int encrypted = 0;
  for (const auto& block : *blocks) {
    if (block.encrypted) ++encrypted;
    if (block.encrypted) continue;
    Must(!block.label.empty() && !block.der.empty() && block.line > 0, "no block is empty");
    absl::StrAppend(&again, "-----BEGIN ", block.label, "-----\n",
                    absl::Base64Escape(block.der.Reveal()), "\n-----END ", block.label, "-----\n");
  }
  const auto same = gatehouse::tls::SplitPem(again);
  Must(same.ok() && same->size() + static_cast<size_t>(encrypted) == blocks->size(),
       "blocks that are written anew are the same ones");
  return 0;
}
