#include "server/config/tls.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/read_file.h"
#include "server/config/issuer.h"
#include "server/config/spiffe_id.h"

namespace gatehouse::config {
namespace {

constexpr char kTls[] = "listen.tls";
constexpr char kForwarded[] = "listen.forwarded_client_cert";

class TlsReader {
 public:
  TlsReader(const v1::Config& in, const std::string& folder, Config& out, Findings& findings)
      : in_(in), folder_(folder), out_(out), findings_(findings) {}

  void Read() {
    if (in_.listen().has_tls()) ReadFiles(in_.listen().tls());
    if (in_.listen().has_forwarded_client_cert()) {
      ReadForwarded(in_.listen().forwarded_client_cert());
    }
    CheckCallers();
  }

 private:
  void ReadFiles(const v1::Tls& in) {
    const std::string path = kTls;
    const auto read = [&](const std::string& text, const std::string& field) {
      if (!RequireText(text, field, findings_)) return std::string();
      if (!HoldsDer(text)) return Resolve(folder_, text);
      findings_.Wrong(field,
                      "is the name of a file, and this is a key or certificate itself, not shown "
                      "here: put it into a file and name that");
      return std::string();
    };
    const auto place = [&](const char* field) { return findings_.PlaceOf(path + field); };
    const bool has_roots = findings_.Given(path + ".client_ca_file");
    out_.tls =
        Tls{.cert_file = read(in.cert_file(), path + ".cert_file"),
            .key_file = read(in.key_file(), path + ".key_file"),
            .client_ca_file = has_roots ? read(in.client_ca_file(), path + ".client_ca_file") : "",
            .cert_place = place(".cert_file"),
            .key_place = place(".key_file"),
            .client_ca_place = place(".client_ca_file")};
  }

  bool asks_for_certificates() const {
    return in_.listen().has_tls() && !in_.listen().tls().client_ca_file().empty();
  }

  void ReadForwarded(const v1::ForwardedClientCert& in) {
    const std::string path = kForwarded;
    const std::string peers = path + ".peers";
    out_.forwarded_client_cert =
        ForwardedClientCert{.peers = ReadSpiffeIds(in.peers(), peers, findings_)};
    if (in.peers().empty() && findings_.Given(peers)) {
      findings_.Wrong(peers, "is empty; name the peers that are believed");
    } else if (!in_.listen().has_tls()) {
      CheckPlaintext(in, path);
    } else if (in.peers().empty()) {
      findings_.Wrong(path,
                      "with listen.tls needs peers: the SPIFFE ids, by their own certificates, of "
                      "those whose word is taken for who calls");
    } else if (!asks_for_certificates()) {
      findings_.Wrong(peers,
                      "are known by their certificates, which nothing asks for: give "
                      "listen.tls.client_ca_file");
    }
    const bool anybody =
        std::any_of(in_.callers().begin(), in_.callers().end(),
                    [](const v1::Caller& caller) { return !caller.spiffe_ids().empty(); });
    if (!anybody) {
      findings_.Wrong(path,
                      "makes nobody known, since no caller has spiffe_ids: give them, or leave it "
                      "out");
    }
  }

  void CheckPlaintext(const v1::ForwardedClientCert& in, const std::string& path) {
    if (!out_.grpc.IsLocal()) {
      findings_.Wrong(path, absl::StrCat("other machines reach ", log::Escape(out_.grpc.host, 64),
                                         ", no loopback address, and each of them could write "
                                         "x-forwarded-client-cert itself: listen on 127.0.0.1 or "
                                         "a Unix socket, or give listen.tls and peers"));
    } else if (!in.peers().empty()) {
      findings_.Wrong(path + ".peers",
                      "are known by their certificates, and without listen.tls nobody shows one: "
                      "leave them out, and whoever reaches the port is believed");
    }
  }

  // What a caller names must be what somebody can be known by.
  void CheckCallers() {
    for (int i = 0; i < in_.callers_size(); ++i) {
      const v1::Caller& caller = in_.callers(i);
      const std::string path = absl::StrCat("callers[", i, "]");
      if (!caller.spiffe_ids().empty() && !asks_for_certificates() &&
          !in_.listen().has_forwarded_client_cert()) {
        findings_.Wrong(path + ".spiffe_ids", Never("listen.tls.client_ca_file, or "
                                                    "listen.forwarded_client_cert where a sidecar "
                                                    "ends the mesh's TLS"));
      }
      if (caller.dns_names().empty() || asks_for_certificates()) continue;
      findings_.Wrong(path + ".dns_names",
                      in_.listen().has_forwarded_client_cert()
                          ? "nobody is ever known by them: listen.forwarded_client_cert tells of "
                            "SPIFFE ids alone"
                          : Never("listen.tls.client_ca_file"));
    }
  }

  static std::string Never(absl::string_view what) {
    return absl::StrCat("nobody is ever known by them, since no certificate is asked for: give ",
                        what);
  }

  const v1::Config& in_;
  const std::string& folder_;
  Config& out_;
  Findings& findings_;
};

}  // namespace

void ReadTls(const v1::Config& in, const std::string& folder, Config& out, Findings& findings) {
  TlsReader(in, folder, out, findings).Read();
}

}  // namespace gatehouse::config
