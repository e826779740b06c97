#include "server/jose/jwk.h"

#include <array>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/base/status_macros.h"
#include "server/base/text.h"
#include "server/jose/base64url.h"
#include "server/jose/jwt_verifier.h"

namespace gatehouse::jose {
namespace {

absl::StatusOr<std::string> Decoded(const JsonObject& jwk, absl::string_view name) {
  const std::optional<absl::string_view> text = FindString(jwk, name);
  if (!text.has_value()) {
    const bool certificate = FindMember(jwk, "x5c").has_value();
    return absl::InvalidArgumentError(
        absl::StrCat(name, " is missing or not a string",
                     certificate ? "; certificates (x5c) alone are not accepted" : ""));
  }
  std::optional<std::string> bytes = DecodeBase64Url(*text);
  if (!bytes.has_value()) return absl::InvalidArgumentError(absl::StrCat(name, " is no base64url"));
  return *std::move(bytes);
}

KeyOrError ReadEd25519(KeyLabel label, KeyKind /*kind*/, const JsonObject& jwk) {
  GH_ASSIGN_OR_RETURN(const std::string x, Decoded(jwk, "x"));
  return MakeEd25519Key(std::move(label), x);
}

KeyOrError ReadEc(KeyLabel label, KeyKind kind, const JsonObject& jwk) {
  GH_ASSIGN_OR_RETURN(const std::string x, Decoded(jwk, "x"));
  GH_ASSIGN_OR_RETURN(const std::string y, Decoded(jwk, "y"));
  return MakeEcKey(std::move(label), kind, x, y);
}

KeyOrError ReadRsa(KeyLabel label, KeyKind /*kind*/, const JsonObject& jwk) {
  GH_ASSIGN_OR_RETURN(const std::string n, Decoded(jwk, "n"));
  GH_ASSIGN_OR_RETURN(const std::string e, Decoded(jwk, "e"));
  return MakeRsaKey(std::move(label), n, e);
}

// Public keys only: a secret never comes from a JWK Set.
struct KeyType {
  absl::string_view kty;
  absl::string_view crv;  // empty: the type has none
  KeyKind kind;
  KeyOrError (*read)(KeyLabel label, KeyKind kind, const JsonObject& jwk);
};

constexpr std::array<KeyType, 5> kKeyTypes = {{
    {"OKP", "Ed25519", KeyKind::kEd25519, ReadEd25519},
    {"EC", "P-256", KeyKind::kEcP256, ReadEc},
    {"EC", "P-384", KeyKind::kEcP384, ReadEc},
    {"EC", "P-521", KeyKind::kEcP521, ReadEc},
    {"RSA", "", KeyKind::kRsa, ReadRsa},
}};

// Null without `name`; INVALID_ARGUMENT if it is there and no string.
absl::StatusOr<std::optional<absl::string_view>> OptionalString(const JsonObject& jwk,
                                                                absl::string_view name) {
  const std::optional<JsonValue> value = FindMember(jwk, name);
  if (!value.has_value()) return std::optional<absl::string_view>();
  const std::optional<absl::string_view> text = StringOf(*value);
  if (!text.has_value()) return absl::InvalidArgumentError(absl::StrCat(name, " is not a string"));
  return text;
}

absl::Status CheckNoPrivateMember(const JsonObject& jwk) {
  for (const absl::string_view name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}) {
    if (FindMember(jwk, name).has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("a private or symmetric key: it has the member ", name));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckKeyOps(const JsonObject& jwk) {
  const std::optional<JsonValue> value = FindMember(jwk, "key_ops");
  if (!value.has_value()) return absl::OkStatus();
  simdjson::dom::array operations;
  if (value->get(operations) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("key_ops is not an array");
  }
  bool verifies = false;
  for (const JsonValue operation : operations) {
    const std::optional<absl::string_view> name = StringOf(operation);
    if (!name.has_value()) return absl::InvalidArgumentError("key_ops holds more than strings");
    verifies = verifies || *name == "verify";
  }
  return verifies ? absl::OkStatus() : absl::InvalidArgumentError("key_ops without verify");
}

absl::Status CheckUse(const JsonObject& jwk) {
  GH_ASSIGN_OR_RETURN(const std::optional<absl::string_view> use, OptionalString(jwk, "use"));
  if (use.has_value() && *use != "sig") return absl::InvalidArgumentError("use is not sig");
  return CheckKeyOps(jwk);
}

absl::StatusOr<const KeyType*> FindKeyType(const JsonObject& jwk) {
  GH_ASSIGN_OR_RETURN(const std::optional<absl::string_view> kty, OptionalString(jwk, "kty"));
  GH_ASSIGN_OR_RETURN(const std::optional<absl::string_view> crv, OptionalString(jwk, "crv"));
  for (const KeyType& type : kKeyTypes) {
    if (kty == type.kty && (type.crv.empty() || crv == type.crv)) return &type;
  }
  return absl::InvalidArgumentError("kty or crv is missing or not supported");
}

// The one algorithm that the JWK names, or all of its kind.
absl::StatusOr<AlgorithmSet> ReadAlgorithms(const JsonObject& jwk, KeyKind kind) {
  GH_ASSIGN_OR_RETURN(const std::optional<absl::string_view> alg, OptionalString(jwk, "alg"));
  if (!alg.has_value()) return AlgorithmSet::Of(kind);
  const std::optional<Algorithm> algorithm = AlgorithmFromName(*alg);
  if (!algorithm.has_value() || KindOf(*algorithm) != kind) {
    return absl::InvalidArgumentError("alg is not supported or disagrees with the key");
  }
  return AlgorithmSet{*algorithm};
}

// Null without one. A key with a kid that no revocation can name could not be revoked.
absl::StatusOr<std::optional<absl::string_view>> ReadKid(const JsonObject& jwk) {
  GH_ASSIGN_OR_RETURN(const std::optional<absl::string_view> kid, OptionalString(jwk, "kid"));
  if (!kid.has_value()) return kid;
  if (HasControlCharacter(*kid)) return absl::InvalidArgumentError("kid holds a control character");
  if (kid->size() > kMaxIdBytes) {
    return absl::InvalidArgumentError(absl::StrCat("kid is longer than ", kMaxIdBytes, " bytes"));
  }
  return kid;
}

}  // namespace

KeyOrError ReadJwk(const JsonObject& jwk) {
  GH_RETURN_IF_ERROR(CheckNoPrivateMember(jwk));
  GH_RETURN_IF_ERROR(CheckUse(jwk));
  GH_ASSIGN_OR_RETURN(const KeyType* const type, FindKeyType(jwk));
  KeyLabel label;
  GH_ASSIGN_OR_RETURN(label.algorithms, ReadAlgorithms(jwk, type->kind));
  GH_ASSIGN_OR_RETURN(const std::optional<absl::string_view> kid, ReadKid(jwk));
  if (kid.has_value()) label.kid.emplace(*kid);
  return type->read(std::move(label), type->kind, jwk);
}

std::string KidForMessages(const JsonObject& jwk) {
  return std::string(FindString(jwk, "kid").value_or("").substr(0, 256));
}

}  // namespace gatehouse::jose
