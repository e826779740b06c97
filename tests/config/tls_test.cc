#include "server/config/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/substitute.h"

namespace gatehouse::config {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// `listen` is on line 1, the callers begin on line 8.
constexpr char kRest[] = R"(
issuers:
  - issuer: i
    audiences: [todo]
    algorithms: [ES256]
    keys: {jwks_url: https://example.com/jwks}
revocations: {sqlite: {path: gatehouse.db}}
)";
constexpr char kTls[] = "tls: {cert_file: c, key_file: k}";
constexpr char kMutual[] = "tls: {cert_file: c, key_file: k, client_ca_file: a}";
constexpr char kBySpiffeId[] = "{name: api, spiffe_ids: \"spiffe://a.b/c\", may: [check]}";
constexpr char kByDns[] = "{name: api, dns_names: a.b, may: [check]}";
constexpr char kByToken[] = "{name: ops, token_file: t, may: [check]}";

absl::StatusOr<Config> Read(const std::string& listen, const std::string& callers) {
  return ParseConfig(absl::StrCat("listen: {", listen, "}", kRest, "callers: [", callers, "]\n"),
                     "/etc/g.yaml");
}

std::vector<std::string> Mistakes(const std::string& listen, const std::string& callers) {
  const auto config = Read(listen, callers);
  if (config.ok()) return {};
  return absl::StrSplit(config.status().message(), '\n');
}

TEST(TlsConfig, IsTakenOver) {
  const auto config = Read(
      "tls: {cert_file: tls/c, key_file: /k, client_ca_file: a}, forwarded_client_cert: {peers: "
      "\"spiffe://a.b/*\"}",
      R"({name: api, spiffe_ids: ["spiffe://a.b/c", "spiffe://a.b/d/*"], may: [check]},
          {name: web, dns_names: [A.b, c.D], token_file: t, may: [check]})");
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_TRUE(config->tls.has_value());
  EXPECT_EQ(config->tls->cert_file, "/etc/tls/c");
  EXPECT_EQ(config->tls->key_file, "/k");
  EXPECT_EQ(config->tls->client_ca_file, "/etc/a");
  EXPECT_EQ(config->tls->key_place, "/etc/g.yaml:1: listen.tls.key_file");
  ASSERT_TRUE(config->forwarded_client_cert.has_value());
  EXPECT_THAT(config->forwarded_client_cert->peers, ElementsAre("spiffe://a.b/*"));
  EXPECT_THAT(config->callers[0].spiffe_ids, ElementsAre("spiffe://a.b/c", "spiffe://a.b/d/*"));
  EXPECT_EQ(config->callers[0].token_file, "");
  EXPECT_EQ(config->callers[0].place, "/etc/g.yaml:8: callers[0]");
  EXPECT_THAT(config->callers[1].dns_names, ElementsAre("a.b", "c.d")) << "in lower case";
}

TEST(TlsConfig, WithoutClientCaThereIsNone) {
  const auto config = Read(kTls, kByToken);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->tls->client_ca_file, "");
  EXPECT_FALSE(config->forwarded_client_cert.has_value());
}

TEST(TlsConfig, NeedsCertificateAndKey) {
  EXPECT_THAT(Mistakes("tls: {}", kByToken),
              ElementsAre(StartsWith("/etc/g.yaml:1: listen.tls.cert_file: is required"),
                          StartsWith("/etc/g.yaml:1: listen.tls.key_file: is required")));
  EXPECT_THAT(Mistakes("tls: {cert_file: c, key_file: k, client_ca_file: ''}", kByToken),
              ElementsAre(HasSubstr("listen.tls.client_ca_file: must not be empty")));
}

TEST(TlsConfig, AKeyInTheFilesPlaceIsNotShown) {
  const std::string der = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";
  const std::string pem = absl::StrCat("-----BEGIN PRIVATE KEY----- ", der);
  for (const std::string& key : {der, pem}) {
    for (const char* given : {"cert_file: c, key_file: '$0'", "cert_file: '$0', key_file: k",
                              "cert_file: c, key_file: k, client_ca_file: '$0'"}) {
      const std::string tls = absl::StrCat("tls: {", absl::Substitute(given, key), "}");
      EXPECT_THAT(Mistakes(tls, kByToken),
                  ElementsAre(AllOf(HasSubstr("is the name of a file, and this is a key"),
                                    Not(HasSubstr("VpguoRK9")))));
    }
  }
}

TEST(TlsConfig, EncryptsWhatOtherMachinesReach) {
  const std::string everywhere = "grpc: \"0.0.0.0:7070\"";
  EXPECT_THAT(Mistakes(everywhere, kByToken),
              ElementsAre(AllOf(StartsWith("/etc/g.yaml:1: listen.grpc: other machines reach"),
                                HasSubstr("give listen.tls"))));
  EXPECT_THAT(Mistakes(absl::StrCat(everywhere, ", ", kTls), kByToken), IsEmpty());
  EXPECT_THAT(Mistakes(absl::StrCat(everywhere, ", ", kTls,
                                    ", forward_auth: [{address: \"0.0.0.0:1\", dialect: nginx}]"),
                       kByToken),
              ElementsAre(HasSubstr("listen.forward_auth[0].address: other machines reach")))
      << "that port has no TLS";
}

TEST(TlsConfig, CallersThatNobodyEverIsAreRefused) {
  EXPECT_THAT(Mistakes("", kBySpiffeId),
              ElementsAre(AllOf(StartsWith("/etc/g.yaml:8: callers[0].spiffe_ids: nobody is ever "
                                           "known by them"),
                                HasSubstr("listen.tls.client_ca_file, or"))));
  EXPECT_THAT(Mistakes(kTls, kBySpiffeId), ElementsAre(HasSubstr("callers[0].spiffe_ids: nobody")));
  EXPECT_THAT(Mistakes(kTls, kByDns),
              ElementsAre(StartsWith("/etc/g.yaml:8: callers[0].dns_names: nobody is ever known")));
  EXPECT_THAT(Mistakes("forwarded_client_cert: {}",
                       absl::StrCat(kBySpiffeId, ", {name: b, dns_names: b, may: [list]}")),
              ElementsAre(HasSubstr("callers[1].dns_names: nobody is ever known by them: "
                                    "listen.forwarded_client_cert tells of SPIFFE ids alone")));
  EXPECT_THAT(
      Mistakes(kMutual, absl::StrCat(kBySpiffeId, ", {name: b, dns_names: b, may: [list]}")),
      IsEmpty());
  EXPECT_THAT(Mistakes("forwarded_client_cert: {}", kBySpiffeId), IsEmpty());
}

TEST(ForwardedClientCertConfig, IsBelievedWhereNobodyElseCanWriteIt) {
  const std::string peers = "forwarded_client_cert: {peers: [\"spiffe://a.b/p\"]}";
  EXPECT_THAT(
      Mistakes("grpc: \"0.0.0.0:1\", plaintext_behind_mesh: true, forwarded_client_cert: {}",
               kBySpiffeId),
      ElementsAre(AllOf(StartsWith("/etc/g.yaml:1: listen.forwarded_client_cert: other "
                                   "machines reach 0.0.0.0"),
                        HasSubstr("could write x-forwarded-client-cert itself"))));
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", forwarded_client_cert: {}"), kBySpiffeId),
              ElementsAre(HasSubstr("listen.forwarded_client_cert: with listen.tls needs peers")));
  EXPECT_THAT(Mistakes(absl::StrCat(kTls, ", ", peers), kBySpiffeId),
              ElementsAre(HasSubstr("forwarded_client_cert.peers: are known by their certificates, "
                                    "which nothing asks for")));
  EXPECT_THAT(Mistakes(peers, kBySpiffeId),
              ElementsAre(HasSubstr("peers: are known by their certificates, and without "
                                    "listen.tls nobody shows one")));
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", ", peers), kBySpiffeId), IsEmpty());
  EXPECT_THAT(Mistakes(absl::StrCat("grpc: \"0.0.0.0:1\", ", kMutual, ", ", peers), kBySpiffeId),
              IsEmpty());
}

TEST(ForwardedClientCertConfig, NeedsSomebodyWhomItMakesKnown) {
  EXPECT_THAT(Mistakes("forwarded_client_cert: {}", kByToken),
              ElementsAre(HasSubstr("listen.forwarded_client_cert: makes nobody known")));
  EXPECT_THAT(Mistakes("forwarded_client_cert: {peers: []}", kBySpiffeId),
              ElementsAre(HasSubstr("forwarded_client_cert.peers: is empty")));
  EXPECT_THAT(Mistakes("forwarded_client_cert: {peers: [web]}", kBySpiffeId),
              ElementsAre(HasSubstr("forwarded_client_cert.peers[0]: \"web\" is no SPIFFE id"),
                          HasSubstr("forwarded_client_cert.peers: are known")));
}

TEST(CallersByCertificate, ShareNoNames) {
  const auto two = [](const std::string& first, const std::string& second) {
    return Mistakes(kMutual, absl::StrCat("{name: a, ", first, ", may: [list]}, {name: b, ", second,
                                          ", may: [list]}"));
  };
  EXPECT_THAT(two("spiffe_ids: \"spiffe://a.b/c\"", "spiffe_ids: [\"spiffe://a.b/c\"]"),
              ElementsAre(StartsWith("/etc/g.yaml:8: callers[1].spiffe_ids[0]: is "
                                     "callers[0].spiffe_ids[0] already (line 8)")));
  EXPECT_THAT(two("spiffe_ids: \"spiffe://a.b/*\"", "spiffe_ids: \"spiffe://a.b/*\""),
              ElementsAre(HasSubstr("callers[1].spiffe_ids[0]: is callers[0]")));
  EXPECT_THAT(
      two("dns_names: a.b", "dns_names: [c, A.B]"),
      ElementsAre(HasSubstr("callers[1].dns_names[1]: is callers[0].dns_names[0] already")));
  EXPECT_THAT(two("spiffe_ids: \"spiffe://a.b/*\"", "spiffe_ids: \"spiffe://a.b/c\""), IsEmpty());
}

TEST(CallersByCertificate, ListEachNameOnce) {
  EXPECT_THAT(
      Mistakes(kMutual, "{name: a, spiffe_ids: [\"spiffe://a.b\", \"spiffe://a.b\"], may: [list]}"),
      ElementsAre(HasSubstr("callers[0].spiffe_ids[1]: is listed twice")));
  EXPECT_THAT(Mistakes(kMutual, "{name: a, dns_names: [a.b, A.b], may: [list]}"),
              ElementsAre(HasSubstr("callers[0].dns_names[1]: is listed twice")));
  EXPECT_THAT(Mistakes(kMutual, "{name: a, spiffe_ids: [], dns_names: [], may: [list]}"),
              ElementsAre(HasSubstr("callers[0].spiffe_ids: is empty"),
                          HasSubstr("callers[0].dns_names: is empty")));
}

TEST(CallersByCertificate, NoPatternGoesWithAdmin) {
  const auto with = [](const std::string& id, const std::string& may) {
    return Mistakes(kMutual, absl::StrCat("{name: a, spiffe_ids: [\"spiffe://a.b/c\", \"", id,
                                          "\"], may: [", may, "]}"));
  };
  EXPECT_THAT(
      with("spiffe://a.b/c/*", "list, admin"),
      ElementsAre(HasSubstr("callers[0].spiffe_ids[1]: a pattern does not go with the right "
                            "\"admin\"")));
  EXPECT_THAT(with("spiffe://a.b/d", "list, admin"), IsEmpty());
  EXPECT_THAT(with("spiffe://a.b/c/*", "list"), IsEmpty());
}

TEST(CallersByCertificate, DnsNamesAreNames) {
  const auto why = [](const std::string& name) {
    const auto all =
        Mistakes(kMutual, absl::StrCat("{name: a, dns_names: [\"", name, "\"], may: [list]}"));
    return all.empty() ? "" : all.front();
  };
  EXPECT_EQ(why("a"), "");
  EXPECT_EQ(why("a-1.B_c.example"), "");
  EXPECT_THAT(why("*.example.com"),
              HasSubstr("callers[0].dns_names[0]: \"*.example.com\" is no DNS "
                        "name: a certificate's names are compared whole"));
  EXPECT_THAT(why("a.b:443"), HasSubstr("no port"));
  EXPECT_THAT(why("https://a.b"), HasSubstr("no scheme"));
  EXPECT_THAT(why("10.0.0.1"), HasSubstr("it is an address"));
  EXPECT_THAT(why(""), HasSubstr("it is empty"));
  EXPECT_THAT(why(std::string(254, 'a')), HasSubstr("253"));
  for (const char* bad : {"a.", ".a", "a..b", "a b", "a/b", "\\u00e4.b"}) {
    EXPECT_THAT(why(bad), HasSubstr("is no DNS name")) << bad;
  }
  EXPECT_THAT(why(std::string(64, 'a')), HasSubstr("is no DNS name"));
}

// Those ports look at tokens alone.
TEST(CallersByCertificate, AreNobodyOnHttpPortsWithoutAToken) {
  const std::string port = "forward_auth: [{address: \"127.0.0.1:0\", dialect: nginx";
  const std::string both = absl::StrCat(kBySpiffeId, ", ", kByToken);
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", ", port, ", caller: api}]"), both),
              ElementsAre(HasSubstr("forward_auth[0].caller: caller api is known by certificates "
                                    "alone")));
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", ", port, ", caller: ops}]"), both), IsEmpty());
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", ", port, "}]"), both), IsEmpty());
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", ", port, "}]"), kBySpiffeId),
              ElementsAre(HasSubstr("no caller has a token_file")));
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", oauth: true"), kBySpiffeId),
              ElementsAre(HasSubstr("listen.oauth: the clients of these endpoints are known by "
                                    "their tokens, and no caller has a token_file")));
  EXPECT_THAT(Mistakes(absl::StrCat(kMutual, ", oauth: true"), both), IsEmpty());
}

TEST(CallersByCertificate, AreInTheHashOfTheRules) {
  const auto hash = [](const std::string& fields) {
    return Read(kMutual, absl::StrCat("{name: a, may: [list], ", fields, "}"))->rules;
  };
  const std::string id = hash("spiffe_ids: \"spiffe://a.b/c\"");
  EXPECT_NE(hash("spiffe_ids: \"spiffe://a.b/d\""), id);
  EXPECT_NE(hash("spiffe_ids: \"spiffe://a.b/c\", dns_names: a"), id);
  EXPECT_NE(hash("spiffe_ids: \"spiffe://a.b/c\", dns_names: a"),
            hash("spiffe_ids: \"spiffe://a.b/c\", dns_names: b"));
  EXPECT_EQ(hash("spiffe_ids: [\"spiffe://a.b/c\"]"), id) << "in another form";
}

// A log that is written to there would be the end of them.
TEST(TlsConfig, ItsFilesAreNoDecisionLogs) {
  const auto log_to = [](const std::string& path) {
    const auto config =
        ParseConfig(absl::StrCat("listen: {", kMutual, "}", kRest, "callers: [", kBySpiffeId,
                                 "]\ndecision_log: {path: ", path, "}\n"),
                    "/etc/g.yaml");
    return config.ok() ? "" : std::string(config.status().message());
  };
  EXPECT_THAT(log_to("c"), HasSubstr("is listen.tls.cert_file"));
  EXPECT_THAT(log_to("k"), HasSubstr("is listen.tls.key_file"));
  EXPECT_THAT(log_to("a"), HasSubstr("is listen.tls.client_ca_file"));
  EXPECT_EQ(log_to("d"), "");
}

}  // namespace
}  // namespace gatehouse::config
