#include "server/config/issuer.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/base/log.h"
#include "server/config/issuer_keys.h"

namespace gatehouse::config {
namespace {

using jose::Algorithm;

constexpr absl::Duration kMaxSkew = absl::Seconds(60);

class IssuerReader {
 public:
  IssuerReader(const v1::Issuer& in, std::string path, const Surroundings& around,
               Findings& findings)
      : in_(in), path_(std::move(path)), around_(around), findings_(findings) {}

  Issuer Read() {
    Issuer out;
    RequireText(in_.issuer(), path_ + ".issuer", findings_);
    out.rules.issuer = in_.issuer();
    out.rules.audiences = Audiences();
    const bool algorithms_known = ReadAlgorithms(out.rules.algorithms);
    out.keys = ReadKeys(in_.keys(), path_ + ".keys", around_, findings_);
    if (algorithms_known) CheckAlgorithmsOf(in_.keys(), out.rules.algorithms, path_, findings_);
    out.rules.claims = ReadClaims();
    out.rules.required_claims = RequiredClaims();
    if (findings_.Given(path_ + ".types")) out.rules.types = Types();
    out.rules.max_token_lifetime = MaxTokenLifetime(out.rules.max_token_lifetime);
    out.rules.skew = Skew(out.rules.skew);
    out.rules.allow_missing_iat = in_.allow_missing_iat();
    if (in_.has_development()) {
      out.development_key_file = Development(out.rules.algorithms, algorithms_known);
    }
    return out;
  }

 private:
  std::vector<std::string> Audiences() {
    const std::string path = path_ + ".audiences";
    if (in_.audiences().empty()) {
      findings_.Wrong(path, "needs at least one audience; a token for anybody is refused");
    }
    for (int i = 0; i < in_.audiences_size(); ++i) {
      RequireText(in_.audiences(i), absl::StrCat(path, "[", i, "]"), findings_);
    }
    return {in_.audiences().begin(), in_.audiences().end()};
  }

  // False if some are wrong, so that what is said about the rest would be a guess.
  bool ReadAlgorithms(std::vector<Algorithm>& out) {
    const std::string path = path_ + ".algorithms";
    if (in_.algorithms().empty()) {
      findings_.Wrong(path,
                      absl::StrCat("needs at least one of ", jose::Describe(jose::Algorithms())));
      return false;
    }
    bool right = true;
    for (int i = 0; i < in_.algorithms_size(); ++i) {
      const std::string inner = absl::StrCat(path, "[", i, "]");
      const auto algorithm = jose::AlgorithmFromName(in_.algorithms(i));
      if (!algorithm.has_value()) {
        findings_.Wrong(inner,
                        absl::StrCat("unknown algorithm \"", log::Escape(in_.algorithms(i), 64),
                                     "\"; known are ", jose::Describe(jose::Algorithms())));
        right = false;
      } else if (std::find(out.begin(), out.end(), *algorithm) != out.end()) {
        findings_.Wrong(
            inner, absl::StrCat(
                       jose::NameOf(*algorithm), " is listed twice",
                       *algorithm == Algorithm::kEdDsa ? " (EdDSA and Ed25519 are the same)" : ""));
        right = false;
      } else {
        out.push_back(*algorithm);
      }
    }
    return right;
  }

  jose::ClaimPath ReadClaimPath(const std::string& path, const std::string& text) {
    absl::StatusOr<jose::ClaimPath> claim = jose::ClaimPath::Parse(text);
    if (claim.ok()) return *std::move(claim);
    findings_.Wrong(path, claim.status().message());
    return {};
  }

  jose::ClaimNames ReadClaims() {
    jose::ClaimNames names;
    const std::string path = path_ + ".claims";
    const auto take = [&](absl::string_view field, const std::string& value,
                          jose::ClaimPath& name) {
      const std::string inner = absl::StrCat(path, ".", field);
      if (!findings_.Given(inner)) return;
      if (value.empty()) {
        findings_.Wrong(inner,
                        absl::StrCat("must not be empty; leave it out for \"", name.text(), "\""));
      }
      name = ReadClaimPath(inner, value);
    };
    take("roles", in_.claims().roles(), names.roles);
    take("scopes", in_.claims().scopes(), names.scopes);
    take("session", in_.claims().session(), names.session);
    take("client", in_.claims().client(), names.client);
    if (findings_.Given(path + ".scopes")) names.scopes_fallback = {};
    names.tenant = ReadClaimPath(path + ".tenant", in_.claims().tenant());
    return names;
  }

  std::vector<jose::ClaimPath> RequiredClaims() {
    std::vector<jose::ClaimPath> required;
    for (int i = 0; i < in_.required_claims_size(); ++i) {
      const std::string inner = absl::StrCat(path_, ".required_claims[", i, "]");
      const std::string& text = in_.required_claims(i);
      if (!RequireText(text, inner, findings_)) continue;
      if (std::any_of(required.begin(), required.end(),
                      [&](const jose::ClaimPath& other) { return other == text; })) {
        findings_.Wrong(inner, absl::StrCat("\"", log::Escape(text, 64), "\" is listed twice"));
      }
      required.push_back(ReadClaimPath(inner, text));
    }
    return required;
  }

  std::vector<jose::TokenType> Types() {
    std::vector<jose::TokenType> types;
    const std::string path = path_ + ".types";
    if (in_.types().empty()) {
      findings_.Wrong(path, "must not be empty; leave it out for [JWT, at+jwt]");
    }
    for (int i = 0; i < in_.types_size(); ++i) {
      const std::string inner = absl::StrCat(path, "[", i, "]");
      const std::optional<jose::TokenType> type = jose::TokenTypeFromName(in_.types(i));
      if (!type.has_value()) {
        findings_.Wrong(inner, absl::StrCat("must be JWT or at+jwt, not \"",
                                            log::Escape(in_.types(i), 64), "\""));
      } else if (std::find(types.begin(), types.end(), *type) != types.end()) {
        findings_.Wrong(inner, absl::StrCat(jose::NameOf(*type), " is listed twice"));
      } else {
        types.push_back(*type);
      }
    }
    return types;
  }

  absl::Duration MaxTokenLifetime(absl::Duration standard) {
    const std::string path = path_ + ".max_token_lifetime";
    const bool given = in_.has_max_token_lifetime();
    const absl::Duration lifetime = given ? ToDuration(in_.max_token_lifetime()) : standard;
    if (lifetime <= absl::ZeroDuration()) {
      findings_.Wrong(path, "must be longer than zero");
    } else if (around_.keep.has_value() && lifetime > *around_.keep) {
      findings_.Wrong(
          path,
          absl::StrCat("is ", absl::FormatDuration(lifetime), given ? "" : " unless given",
                       ", longer than revocations.keep (", absl::FormatDuration(*around_.keep),
                       "): a token would outlive its revocation"));
    }
    return lifetime;
  }

  absl::Duration Skew(absl::Duration standard) {
    if (!in_.has_skew()) return standard;
    const absl::Duration skew = ToDuration(in_.skew());
    if (skew > kMaxSkew) {
      findings_.Wrong(path_ + ".skew",
                      absl::StrCat("must be at most 60s, but is ", absl::FormatDuration(skew)));
    }
    return skew;
  }

  std::string Development(const std::vector<Algorithm>& algorithms, bool algorithms_known) {
    const std::string path = path_ + ".development";
    const std::string& file = in_.development().private_key_file();
    RequireText(file, path + ".private_key_file", findings_);
    if (in_.keys().source_case() != v1::Keys::SOURCE_NOT_SET && !in_.keys().has_jwks_file()) {
      findings_.Wrong(path,
                      "an issuer for development needs keys.jwks_file, the public half of "
                      "its private key");
    } else if (algorithms_known && std::find(algorithms.begin(), algorithms.end(),
                                             Algorithm::kEdDsa) == algorithms.end()) {
      findings_.Wrong(path_ + ".algorithms",
                      "must hold EdDSA, since development.private_key_file is an Ed25519 key");
    }
    return Resolve(around_.folder, file);
  }

  const v1::Issuer& in_;
  const std::string path_;
  const Surroundings& around_;
  Findings& findings_;
};

}  // namespace

Issuer ReadIssuer(const v1::Issuer& in, const std::string& path, const Surroundings& around,
                  Findings& findings) {
  return IssuerReader(in, path, around, findings).Read();
}

bool LooksLikeDottedPath(absl::string_view name) {
  return absl::StrContains(name, '.') && !absl::StrContains(name, '/');
}

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string Resolve(const std::string& folder, const std::string& path) {
  return (std::filesystem::path(folder) / path).string();
}

bool RequireText(const std::string& text, const std::string& path, Findings& findings) {
  if (!text.empty()) return true;
  findings.Wrong(path, findings.Given(path) ? "must not be empty" : "is required");
  return false;
}

}  // namespace gatehouse::config
