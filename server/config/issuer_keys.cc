#include "server/config/issuer_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/keys/url.h"

namespace gatehouse::config {
namespace {

using Source = v1::Keys::SourceCase;

constexpr absl::string_view kOneKeySource =
    "needs exactly one of jwks_url, jwks_file, secret_env, secret_file, issuer_url";
constexpr absl::string_view kDiscoveryPath = "/.well-known/openid-configuration";
constexpr absl::Duration kMostGrace = absl::Hours(1);
constexpr absl::Duration kLeastAge = absl::Minutes(1);
constexpr absl::Duration kMostAge = absl::Hours(24);

bool IsVariableName(absl::string_view name) {
  return !name.empty() && !absl::ascii_isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

// A host alone, as it stands in a URL: no scheme, port or path.
bool IsHost(const std::string& text) {
  const auto url = keys::ParseUrl(absl::StrCat("https://", text));
  return !text.empty() && url.ok() && absl::EqualsIgnoreCase(url->host, text);
}

class KeysReader {
 public:
  KeysReader(const v1::Keys& in, const std::string& path, const Surroundings& around,
             Findings& findings)
      : in_(in), path_(path), around_(around), findings_(findings) {}

  Keys Read() {
    CheckBelonging();
    switch (in_.source_case()) {
      case Source::kJwksUrl:
        return Url("jwks_url", in_.jwks_url());
      case Source::kIssuerUrl:
        return Url("issuer_url", in_.issuer_url());
      case Source::kJwksFile:
        RequireText(in_.jwks_file(), At("jwks_file"), findings_);
        return KeysFile{.path = Resolve(around_.folder, in_.jwks_file()),
                        .place = findings_.PlaceOf(At("jwks_file")),
                        .grace = Grace()};
      case Source::kSecretEnv:
        return Secret(SecretPlace::Kind::kEnv, "secret_env", in_.secret_env(),
                      "previous_secret_env", in_.previous_secret_env());
      case Source::kSecretFile:
        return Secret(SecretPlace::Kind::kFile, "secret_file", in_.secret_file(),
                      "previous_secret_file", in_.previous_secret_file());
      case Source::SOURCE_NOT_SET:
        findings_.Wrong(path_, kOneKeySource);
        return {};
    }
    return {};
  }

 private:
  std::string At(absl::string_view field) const { return absl::StrCat(path_, ".", field); }

  // A field that would do nothing is a mistake: somebody counts on it.
  void CheckBelonging() {
    const Source source = in_.source_case();
    if (source == Source::SOURCE_NOT_SET) return;
    const bool url = source == Source::kJwksUrl || source == Source::kIssuerUrl;
    const bool file = source == Source::kJwksFile;
    Only("previous_secret_env", source == Source::kSecretEnv, "secret_env");
    Only("previous_secret_file", source == Source::kSecretFile, "secret_file");
    Only("jwks_hosts", source == Source::kIssuerUrl, "issuer_url");
    Only("http_behind_mesh", url, "jwks_url or issuer_url");
    Only("ca_file", url, "jwks_url or issuer_url");
    Only("max_age", url, "jwks_url or issuer_url");
    Only("grace", url || file, "jwks_url, issuer_url or jwks_file");
  }
  void Only(absl::string_view field, bool belongs, absl::string_view beside) {
    if (belongs || !findings_.Given(At(field))) return;
    findings_.Wrong(At(field), absl::StrCat("stands only beside ", beside));
  }

  KeysUrl Url(absl::string_view field, const std::string& url) {
    KeysUrl out;
    out.url = url;
    out.discover = in_.has_issuer_url();
    out.http_behind_mesh = in_.http_behind_mesh();
    std::string wrong = keys::WhyNoKeyUrl(url, out.http_behind_mesh);
    if (wrong.empty() && out.discover && absl::StrContains(url, '?')) {
      wrong = "must not hold a query (?...): the path of the discovery document is added to it";
    }
    if (wrong.empty() && out.discover && absl::EndsWith(url, kDiscoveryPath)) {
      wrong = absl::StrCat("must not end with ", kDiscoveryPath,
                           ", which is added to it; for the key set's own address take jwks_url");
    }
    if (!wrong.empty()) findings_.Wrong(At(field), wrong);
    out.jwks_hosts = JwksHosts();
    if (findings_.Given(At("ca_file"))) {
      RequireText(in_.ca_file(), At("ca_file"), findings_);
      if (wrong.empty() && !absl::StartsWithIgnoreCase(url, "https:")) {
        findings_.Wrong(At("ca_file"), absl::StrCat("needs https in ", field,
                                                    ": over http nobody vouches for the host"));
      }
      out.ca_file = Resolve(around_.folder, in_.ca_file());
      out.ca_file_place = findings_.PlaceOf(At("ca_file"));
    }
    out.max_age = MaxAge();
    out.grace = Grace();
    return out;
  }

  std::vector<std::string> JwksHosts() {
    for (int i = 0; i < in_.jwks_hosts_size(); ++i) {
      if (IsHost(in_.jwks_hosts(i))) continue;
      findings_.Wrong(absl::StrCat(At("jwks_hosts"), "[", i, "]"),
                      "must be a host's name alone, such as keys.example.com");
    }
    return {in_.jwks_hosts().begin(), in_.jwks_hosts().end()};
  }

  KeysSecret Secret(SecretPlace::Kind kind, absl::string_view field, const std::string& name,
                    absl::string_view previous_field, const std::string& previous) {
    KeysSecret out{.current = Place(kind, field, name), .previous = {}};
    if (!findings_.Given(At(previous_field))) return out;
    out.previous = Place(kind, previous_field, previous);
    if (out.previous->name == out.current.name) {
      findings_.Wrong(At(previous_field), absl::StrCat("must not be the same as ", field));
    }
    return out;
  }

  SecretPlace Place(SecretPlace::Kind kind, absl::string_view field, const std::string& name) {
    const std::string path = At(field);
    SecretPlace out{.kind = kind, .name = name, .place = findings_.PlaceOf(path)};
    if (kind == SecretPlace::Kind::kFile) {
      RequireText(name, path, findings_);
      out.name = Resolve(around_.folder, name);
    } else if (!IsVariableName(name)) {
      findings_.Wrong(path,
                      "must be the name of an environment variable (letters, digits and _); "
                      "the secret itself has no place in this file");
    }
    return out;
  }

  absl::Duration MaxAge() {
    if (!in_.has_max_age()) return kMostAge;
    const absl::Duration age = ToDuration(in_.max_age());
    if (age < kLeastAge || age > kMostAge) {
      findings_.Wrong(At("max_age"), absl::StrCat("must be 1m at least and 24h at most, but is ",
                                                  absl::FormatDuration(age)));
    }
    return age;
  }

  absl::Duration Grace() {
    if (!in_.has_grace()) return absl::Minutes(1);
    const absl::Duration grace = ToDuration(in_.grace());
    if (grace < absl::ZeroDuration() || grace > kMostGrace) {
      findings_.Wrong(At("grace"),
                      absl::StrCat("must be 1h at most, but is ", absl::FormatDuration(grace)));
    }
    return grace;
  }

  const v1::Keys& in_;
  const std::string& path_;
  const Surroundings& around_;
  Findings& findings_;
};

}  // namespace

Keys ReadKeys(const v1::Keys& in, const std::string& path, const Surroundings& around,
              Findings& findings) {
  return KeysReader(in, path, around, findings).Read();
}

void CheckAlgorithmsOf(const v1::Keys& in, const std::vector<jose::Algorithm>& algorithms,
                       const std::string& issuer_path, Findings& findings) {
  if (in.source_case() == Source::SOURCE_NOT_SET) return;
  const bool secret = in.has_secret_env() || in.has_secret_file();
  const std::string path = issuer_path + ".algorithms";
  const auto hmac = std::find_if(algorithms.begin(), algorithms.end(), jose::IsSymmetric);
  if (secret && !std::all_of(algorithms.begin(), algorithms.end(), jose::IsSymmetric)) {
    findings.Wrong(path, "must be HS256, HS384 or HS512 alone, since the issuer's key is a secret");
  } else if (!secret && hmac != algorithms.end()) {
    findings.Wrong(path, absl::StrCat(jose::NameOf(*hmac),
                                      " needs keys.secret_env or keys.secret_file; a JWKS holds "
                                      "public keys, and anybody could sign with those"));
  }
}

}  // namespace gatehouse::config
