#include <string>

#include "absl/strings/str_cat.h"
#include "server/config/spiffe_id.h"
#include "server/frontend/forwarded_client_cert.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using gatehouse::frontend::ForwardedSpiffeId;
  using gatehouse::fuzz::Must;
  const absl::string_view header = gatehouse::fuzz::TextOf(data, size);
  const absl::string_view id = ForwardedSpiffeId(header);
  const std::string behind = absl::StrCat(header, ",By=a;Subject=\"b\";URI=spiffe://c/d");
  const absl::string_view last = ForwardedSpiffeId(behind);
  Must(last.empty() || last == "spiffe://c/d", "what the nearest proxy adds is what counts");
  if (id.empty()) return 0;
  Must(gatehouse::config::IsSpiffeId(id), "who is told of has a SPIFFE id");
  Must(id.data() >= header.data() && id.data() + id.size() <= header.data() + header.size(),
       "it stands in the header");
  Must(ForwardedSpiffeId(absl::StrCat(header, ";URI=", id)).empty(), "two URIs tell of nobody");
  Must(ForwardedSpiffeId(absl::StrCat(header, ",By=a")).empty(), "the last element counts");
  const std::string before = absl::StrCat("URI=spiffe://c/d,", header);
  Must(ForwardedSpiffeId(before) == id || before.size() > size_t{16} * 1024,
       "an element before changes nothing");
  return 0;
}
