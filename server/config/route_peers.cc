#include "server/config/route_peers.h"

#include "server/config/spiffe_id.h"

namespace gatehouse::config {

std::vector<std::string> ReadPeers(const google::protobuf::RepeatedPtrField<std::string>& given,
                                   const std::string& path, Findings& findings) {
  if (given.empty() && findings.Given(path)) {
    findings.Wrong(path, "is empty; leave it out where any peer may ask");
  }
  return ReadSpiffeIds(given, path, findings);
}

}  // namespace gatehouse::config
