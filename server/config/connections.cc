#include "server/config/connections.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/config/issuer.h"

namespace gatehouse::config {
namespace {

constexpr absl::Duration kLeastAge = absl::Seconds(1);
constexpr absl::Duration kMostAge = absl::Hours(24);
constexpr absl::Duration kMostAgeGrace = absl::Hours(1);
constexpr absl::Duration kMostDrain = absl::Minutes(10);
constexpr uint32_t kMostStreams = 10'000;

struct Range {
  absl::Duration least;
  absl::Duration most;
  absl::string_view also;  // what else may be said
};

absl::Duration Read(const google::protobuf::Duration& given, const std::string& path,
                    const Range& range, absl::Duration otherwise, Findings& findings) {
  if (!findings.Given(path)) return otherwise;
  const absl::Duration value = ToDuration(given);
  if (value >= range.least && value <= range.most) return value;
  const bool from_zero = range.least == absl::ZeroDuration();
  findings.Wrong(path,
                 absl::StrCat("must be from ", from_zero ? "0s" : absl::FormatDuration(range.least),
                              " to ", absl::FormatDuration(range.most), range.also, ", but is ",
                              absl::FormatDuration(value)));
  return otherwise;
}

}  // namespace

Connections ReadConnections(const v1::Connections& in, Findings& findings) {
  Connections out;
  const std::string age = "listen.connections.max_age";
  if (findings.Given(age) && ToDuration(in.max_age()) == absl::ZeroDuration()) {
    out.max_age = absl::ZeroDuration();
  } else {
    out.max_age =
        Read(in.max_age(), age, {kLeastAge, kMostAge, ", or 0s for no end"}, out.max_age, findings);
  }
  out.max_age_grace = Read(in.max_age_grace(), "listen.connections.max_age_grace",
                           {kLeastAge, kMostAgeGrace, ""}, out.max_age_grace, findings);
  const std::string streams = "listen.connections.max_streams";
  if (findings.Given(streams)) {
    if (in.max_streams() < 1 || in.max_streams() > kMostStreams) {
      findings.Wrong(
          streams, absl::StrCat("must be from 1 to ", kMostStreams, ", but is ", in.max_streams()));
    } else {
      out.max_streams = static_cast<int>(in.max_streams());
    }
  }
  return out;
}

absl::Duration ReadDrain(const v1::Listen& in, Findings& findings) {
  return Read(in.drain(), "listen.drain", {absl::ZeroDuration(), kMostDrain, ""}, absl::Seconds(10),
              findings);
}

}  // namespace gatehouse::config
