#include "server/config/listen.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/suggestion.h"
#include "server/config/connections.h"
#include "server/config/endpoint.h"
#include "server/config/issuer.h"
#include "server/config/tls.h"

namespace gatehouse::config {
namespace {

using Dialect = ForwardAuth::Dialect;

constexpr std::array<std::pair<Dialect, absl::string_view>, 3> kDialects = {{
    {Dialect::kNginx, "nginx"},
    {Dialect::kTraefik, "traefik"},
    {Dialect::kCaddy, "caddy"},
}};

using Parse = absl::StatusOr<Endpoint> (*)(absl::string_view text);

Endpoint ReadEndpoint(const std::string& text, const std::string& path, uint16_t standard_port,
                      Findings& findings, Parse parse = &ParseEndpoint) {
  Endpoint standard{.host = "127.0.0.1", .port = standard_port};
  if (!findings.Given(path)) return standard;
  auto endpoint = parse(text);
  if (endpoint.ok()) return *std::move(endpoint);
  findings.Wrong(path, endpoint.status().message());
  return standard;
}

std::string DidYouMean(const std::string& name, const std::vector<std::string>& known) {
  const std::string meant = Nearest(name, known);
  return meant.empty() ? absl::StrCat("; known are ", absl::StrJoin(known, ", "))
                       : absl::StrCat("; did you mean \"", meant, "\"?");
}

class ListenReader {
 public:
  ListenReader(const v1::Config& in, const std::string& folder, Config& out, Findings& findings)
      : in_(in), folder_(folder), out_(out), findings_(findings) {}

  void Read() {
    const v1::Listen& listen = in_.listen();
    out_.grpc = ReadEndpoint(listen.grpc(), "listen.grpc", 7070, findings_, &ParseSocketEndpoint);
    out_.http = ReadEndpoint(listen.http(), "listen.http", 7071, findings_);
    if (out_.grpc.port == out_.http.port && out_.grpc.port != 0) {
      findings_.Wrong(
          findings_.Given("listen.http") ? "listen.http" : "listen.grpc",
          absl::StrCat("listen.grpc and listen.http must not share port ", out_.grpc.port));
    }
    ReadTls(in_, folder_, out_, findings_);
    CheckReach(out_.grpc, "listen.grpc", /*encrypted=*/listen.has_tls());
    CheckDevelopment();
    ReadHealth();
    CheckIssuers();
    out_.connections = ReadConnections(listen.connections(), findings_);
    WarnOfEndlessConnections();
    out_.drain = ReadDrain(listen, findings_);
    ReadOAuth();
    for (int i = 0; i < listen.forward_auth_size(); ++i) {
      ReadForwardAuth(listen.forward_auth(i), absl::StrCat("listen.forward_auth[", i, "]"));
    }
  }

 private:
  static std::string Reachable(const Endpoint& endpoint) {
    return absl::StrCat("other machines reach ", log::Escape(endpoint.host, 64),
                        ", no loopback address");
  }

  // Of a port that takes tokens.
  void CheckReach(const Endpoint& endpoint, const std::string& path, bool encrypted = false) {
    if (endpoint.IsLocal()) return;
    if (in_.callers().empty()) {
      findings_.Wrong(path, absl::StrCat(Reachable(endpoint),
                                         ", and without callers everybody there has all rights: "
                                         "name who may call under callers, or listen on "
                                         "127.0.0.1"));
    }
    if (!encrypted && !in_.listen().plaintext_behind_mesh()) {
      findings_.Wrong(path, absl::StrCat(Reachable(endpoint),
                                         ", and nothing encrypts the tokens on their way: where a "
                                         "mesh does, say listen.plaintext_behind_mesh: true; else ",
                                         path == "listen.grpc" ? "give listen.tls, or " : "",
                                         "listen on 127.0.0.1"));
    }
  }

  void CheckDevelopment() {
    if (out_.grpc.IsLocal()) return;
    for (int i = 0; i < in_.issuers_size(); ++i) {
      if (!in_.issuers(i).has_development()) continue;
      findings_.Wrong(
          absl::StrCat("issuers[", i, "].development"),
          absl::StrCat("an issuer for development does not go with listen.grpc where ",
                       Reachable(out_.grpc), ": take the issuer out, or listen on 127.0.0.1"));
    }
  }

  // A certificate is asked for once, when a connection begins.
  void WarnOfEndlessConnections() {
    if (out_.connections.max_age > absl::ZeroDuration()) return;
    if (!out_.tls.has_value() || out_.tls->client_ca_file.empty()) return;
    out_.warnings.push_back(findings_.Sentence(
        "listen.connections.max_age",
        "with listen.tls.client_ca_file lets a connection outlive the certificate and the root "
        "that it began with, for ever: give it an end"));
  }

  // Whoever reaches it may ask how the server is: no reach is too far.
  void ReadHealth() {
    const std::string path = "listen.health";
    if (!findings_.Given(path)) return;
    const Endpoint health =
        ReadEndpoint(in_.listen().health(), path, 0, findings_, &ParseSocketEndpoint);
    CheckTaken(health, path);
    out_.health = health;
  }

  // They would say of a probe's name what is meant of an issuer.
  void CheckIssuers() {
    for (int i = 0; i < in_.issuers_size(); ++i) {
      const std::string& name = in_.issuers(i).issuer();
      if (name != "liveness" && name != "readiness") continue;
      findings_.Wrong(
          absl::StrCat("issuers[", i, "].issuer"),
          absl::StrCat("\"", name, "\" is what grpc.health.v1 calls the server itself"));
    }
  }

  void ReadOAuth() {
    out_.oauth = in_.listen().oauth();
    if (!out_.oauth) return;
    if (in_.callers().empty()) {
      findings_.Wrong("listen.oauth",
                      "needs callers, who are the clients of these endpoints: name them under "
                      "callers");
    } else {
      CheckTokens("listen.oauth", "the clients of these endpoints are known by their tokens");
      CheckReach(out_.http, findings_.Given("listen.http") ? "listen.http" : "listen.oauth");
    }
  }

  void ReadForwardAuth(const v1::ForwardAuth& in, const std::string& path) {
    ForwardAuth out;
    if (RequireText(in.address(), path + ".address", findings_)) {
      out.address = ReadEndpoint(in.address(), path + ".address", 0, findings_);
      CheckTaken(out.address, path + ".address");
      CheckReach(out.address, path + ".address");
    }
    if (RequireText(in.dialect(), path + ".dialect", findings_)) {
      out.dialect = ReadDialect(in.dialect(), path + ".dialect");
    }
    if (findings_.Given(path + ".caller") &&
        RequireText(in.caller(), path + ".caller", findings_)) {
      CheckCaller(in.caller(), out.address, path + ".caller");
      out.caller = in.caller();
    } else if (!out_.callers.empty()) {
      CheckTokens(path, "whoever asks here is known by a caller's token");
    }
    out_.forward_auth.push_back(std::move(out));
  }

  // Certificates are looked at on the gRPC port alone.
  void CheckTokens(const std::string& path, absl::string_view why) {
    if (std::any_of(out_.callers.begin(), out_.callers.end(),
                    [](const Caller& caller) { return !caller.token_file.empty(); })) {
      return;
    }
    findings_.Wrong(path, absl::StrCat(why, ", and no caller has a token_file"));
  }

  Dialect ReadDialect(const std::string& name, const std::string& path) {
    std::vector<std::string> known;
    known.reserve(kDialects.size());
    for (const auto& [dialect, its_name] : kDialects) {
      if (its_name == name) return dialect;
      known.emplace_back(its_name);
    }
    findings_.Wrong(path, absl::StrCat("unknown dialect \"", log::Escape(name, 64), "\"",
                                       DidYouMean(name, known)));
    return Dialect::kNginx;
  }

  // Two ports of one number on different addresses are more often a mistake than meant.
  void CheckTaken(const Endpoint& address, const std::string& path) {
    if (address.port == 0 && address.unix_path.empty()) return;
    const auto taken = [&](const Endpoint& other, absl::string_view name) {
      if (other.port != address.port || other.unix_path != address.unix_path) return false;
      const std::string what =
          address.port == 0 ? "the socket" : absl::StrCat("port ", address.port);
      findings_.Wrong(path, absl::StrCat("must not share ", what, " with ", name));
      return true;
    };
    if (taken(out_.grpc, "listen.grpc") || taken(out_.http, "listen.http")) return;
    if (out_.health.has_value() && taken(*out_.health, "listen.health")) return;
    for (size_t i = 0; i < out_.forward_auth.size(); ++i) {
      const std::string name = absl::StrCat("listen.forward_auth[", i, "].address");
      if (taken(out_.forward_auth[i].address, name)) return;
    }
  }

  void CheckCaller(const std::string& name, const Endpoint& address, const std::string& path) {
    if (!address.IsLocal()) {
      findings_.Wrong(path, absl::StrCat(Reachable(address),
                                         ", and whoever reaches it would be taken for this caller: "
                                         "leave caller out, and have the proxy send its token in "
                                         "X-Gatehouse-Caller"));
      return;
    }
    const auto found = std::find_if(out_.callers.begin(), out_.callers.end(),
                                    [&](const Caller& caller) { return caller.name == name; });
    if (found == out_.callers.end()) {
      findings_.Wrong(path, NoSuchCaller(name));
    } else if (std::find(found->may.begin(), found->may.end(), Right::kCheck) == found->may.end()) {
      findings_.Wrong(path, absl::StrCat("caller ", log::Escape(name, 64),
                                         " has no right \"check\"; list it under its may"));
    } else if (found->token_file.empty()) {
      findings_.Wrong(path, absl::StrCat("caller ", log::Escape(name, 64),
                                         " is known by certificates alone, which are not looked "
                                         "at here: name a caller with a token_file"));
    }
  }

  std::string NoSuchCaller(const std::string& name) const {
    if (out_.callers.empty()) return "there are no callers; leave it out, or name them";
    std::vector<std::string> names;
    names.reserve(out_.callers.size());
    for (const Caller& caller : out_.callers) names.push_back(caller.name);
    const std::string meant = Nearest(name, names);
    return absl::StrCat("there is no caller \"", log::Escape(name, 64), "\"",
                        meant.empty() ? "" : absl::StrCat("; did you mean \"", meant, "\"?"));
  }

  const v1::Config& in_;
  const std::string& folder_;
  Config& out_;
  Findings& findings_;
};

}  // namespace

absl::string_view NameOf(ForwardAuth::Dialect dialect) {
  for (const auto& [known, name] : kDialects) {
    if (known == dialect) return name;
  }
  return "";
}

void ReadListen(const v1::Config& in, const std::string& folder, Config& out, Findings& findings) {
  ListenReader(in, folder, out, findings).Read();
}

}  // namespace gatehouse::config
