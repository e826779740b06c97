#include "server/config/rules_hash.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/jose/openssl.h"

namespace gatehouse::config {
namespace {

std::string Serialize(const google::protobuf::MessageLite& message) {
  std::string out;
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);  // maps in the order of their keys
    message.SerializeToCodedStream(&coded);
  }
  return out;
}

void AppendPart(absl::string_view part, std::string& out) {
  absl::StrAppend(&out, part.size(), ":", part);
}

// The same on every replica, as Abseil's hashes are not.
uint64_t Fnv1a(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

std::string CanonicalForm(const google::protobuf::MessageLite& message,
                          const std::vector<std::string>& given) {
  // Numbers are sorted in no time, and of a large policy there are many paths.
  std::vector<uint64_t> paths;
  paths.reserve(given.size());
  for (const std::string& one : given) {
    // What a short form leaves out. The message itself tells of the members of lists.
    const bool left_out =
        absl::EndsWith(one, ".who") || absl::EndsWith(one, ".name") || absl::EndsWith(one, "]");
    if (!left_out) paths.push_back(Fnv1a(one));
  }
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  std::string out;
  AppendPart(Serialize(message), out);
  for (const uint64_t path : paths) absl::StrAppend(&out, absl::Hex(path, absl::kZeroPad16));
  return out;
}

std::string RulesHash(const v1::Config& message, const Findings& findings,
                      const std::string& policy) {
  v1::Config rules;
  *rules.mutable_issuers() = message.issuers();
  *rules.mutable_callers() = message.callers();
  std::string all;
  std::vector<std::string> given = findings.GivenUnder("issuers[");
  for (std::string& one : findings.GivenUnder("callers[")) given.push_back(std::move(one));
  AppendPart(CanonicalForm(rules, given), all);
  AppendPart(policy, all);
  const auto hash = jose::Sha256(all);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(hash.data()), hash.size() / 2));
}

}  // namespace gatehouse::config
