#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "server/base/text.h"
#include "server/jose/base64url.h"
#include "server/jose/jwks.h"
#include "server/jose/jwt_verifier.h"
#include "tests/fuzz/property.h"

namespace gatehouse::fuzz {
namespace {

using Key = std::shared_ptr<const jose::VerificationKey>;

void CheckKey(const jose::KeySet& set, const Key& key) {
  Must(!key->name().empty() && key->name().size() <= jose::kMaxIdBytes &&
           !HasControlCharacter(key->name()),
       "a key has a name to be revoked by");
  const auto digest = jose::DecodeBase64Url(key->thumbprint());
  Must(digest.has_value() && digest->size() == 32, "a thumbprint is a SHA-256");
  Must(!key->retired(), "a fresh key is in force");
  const jose::SigningInput input("header.payload");
  for (const jose::Algorithm algorithm : jose::Algorithms()) {
    if (!key->Accepts(algorithm)) continue;
    Must(!jose::IsSymmetric(algorithm), "no secret comes out of a JWK Set");
    Must(jose::KindOf(algorithm) == key->kind(), "a key accepts algorithms of its kind alone");
    if (key->kid().has_value()) {
      Must(set.Find(*key->kid(), algorithm) == key, "a kid names one key");
    }
    const auto candidates = set.Candidates(algorithm);
    Must(!candidates.empty() && candidates.size() <= 16, "an algorithm has 1 to 16 candidates");
    for (const size_t size : {size_t{0}, size_t{64}, size_t{96}, size_t{132}, size_t{256}}) {
      Must(!key->Verify(algorithm, input, std::string(size, '\0')), "zeros are no signature");
    }
  }
}

void CheckSet(const jose::ParsedKeySet& parsed) {
  const auto& keys = parsed.keys.keys();
  std::set<std::string> different;
  for (const Key& key : keys) {
    CheckKey(parsed.keys, key);
    different.insert(key->name() + " " + key->thumbprint());
  }
  Must(different.size() <= 256, "a set holds 256 keys at most");
  for (const jose::RefusedKey& refused : parsed.refused) {
    Must(!refused.reason.empty() && refused.kid.size() <= 256, "a refusal has a reason");
  }
  const jose::KeySet again = parsed.keys.Succeed(parsed.keys);
  Must(again.keys() == keys, "a set that succeeds itself keeps its keys");
  const jose::KeySet none = jose::KeySet({}).Succeed(again);
  Must(none.empty() &&
           std::all_of(keys.begin(), keys.end(), [](const Key& key) { return key->retired(); }),
       "a key that left the set is retired");
}

}  // namespace
}  // namespace gatehouse::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text = gatehouse::fuzz::TextOf(data, size);
  const auto parsed = gatehouse::jose::ParseJwks(text);
  if (parsed.ok()) {
    gatehouse::fuzz::CheckSet(*parsed);
  } else {
    gatehouse::fuzz::Must(!parsed.status().message().empty(), "a refusal has a reason");
  }
  return 0;
}
