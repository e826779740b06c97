#include "server/frontend/peer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace gatehouse::frontend {
namespace {

using config::Right;

// Callers by these names, each with what it is known by.
CallerTable Table() {
  std::vector<config::Caller> callers;
  const auto add = [&](const char* name, std::vector<std::string> ids,
                       std::vector<std::string> names = {}) {
    callers.push_back({.name = name,
                       .may = {Right::kVerify},
                       .audiences = {},
                       .spiffe_ids = std::move(ids),
                       .dns_names = std::move(names)});
  };
  add("api", {"spiffe://a.b/ns/todo/sa/api", "spiffe://a.b"});
  add("all", {"spiffe://a.b/*"});
  add("jobs", {"spiffe://a.b/ns/jobs/*", "spiffe://a.b/ns/jobs/sa/night/*"});
  add("night", {"spiffe://a.b/ns/jobs/sa/*"});
  add("web", {}, {"web.internal", "www.internal"});
  add("other", {}, {"other.internal"});
  auto table = CallerTable::Load(callers);
  EXPECT_TRUE(table.ok()) << table.status();
  return *std::move(table);
}

class Peers : public ::testing::Test {
 protected:
  static config::Config Config(bool tls, std::vector<std::string> peers = {}) {
    config::Config config;
    config.grpc = {"127.0.0.1", 0};
    if (tls) config.tls = config::Tls{.client_ca_file = "ca"};
    config.forwarded_client_cert = config::ForwardedClientCert{.peers = std::move(peers)};
    return config;
  }

  // The name of the caller; "-" for nobody.
  std::string Who(const PeerNames& names, const PeerTrust& trust = {}) const {
    const KnownPeer known = IdentifyPeer(table_, trust, metadata_, names);
    return known.caller == nullptr ? "-" : known.caller->name;
  }
  std::string ByUris(const std::vector<std::string>& uris, const PeerTrust& trust = {}) const {
    PeerNames names;
    for (const std::string& uri : uris) names.Add("peer_uri", uri);
    return Who(names, trust);
  }
  std::string ByDns(const std::vector<std::string>& dns) const {
    PeerNames names;
    for (const std::string& name : dns) names.Add("peer_dns", name);
    return Who(names);
  }
  std::string WhyNot(const PeerNames& names, const PeerTrust& trust = {}) const {
    const KnownPeer known = IdentifyPeer(table_, trust, metadata_, names);
    EXPECT_EQ(known.caller == nullptr, !known.why.empty());
    return absl::StrCat(known.why, "|", known.id, "|", known.dns);
  }
  void Forward(const char* value) { metadata_.emplace("x-forwarded-client-cert", value); }

  const CallerTable table_ = Table();
  CallerTable::Metadata metadata_;
};

TEST_F(Peers, AnExactIdGoesBeforeAPatternAndALongerPatternBeforeAShorter) {
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/todo/sa/api"}), "api");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/todo/sa/ap"}), "all");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/todo/sa/api/x"}), "all");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/jobs/x"}), "jobs");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/jobs/sa/x/y"}), "night");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/jobs/sa/night"}), "night");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/jobs/sa/night/x"}), "jobs");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/jobs"}), "all") << "no part of what is below itself";
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/jobs2/x"}), "all");
  EXPECT_EQ(ByUris({"spiffe://a.b"}), "api");
  EXPECT_EQ(ByUris({"spiffe://a.bc/ns"}), "-");
}

TEST_F(Peers, NoPatternTakesWhatIsNoSpiffeId) {
  for (const char* id : {"spiffe://a.b/", "spiffe://a.b/ns/jobs/", "spiffe://a.b/ns/jobs//x",
                         "spiffe://a.b/ns/jobs/../x", "spiffe://a.b/x?y", "spiffe://a.b/x y",
                         "spiffe://a.b/*", ""}) {
    EXPECT_EQ(ByUris({id}), "-") << id;
  }
  EXPECT_EQ(ByUris({std::string("spiffe://a.b/x\0y", 16)}), "-");
  EXPECT_EQ(ByUris({std::string("spiffe://a.b/ns/todo/sa/api\0", 28)}), "-");
}

TEST_F(Peers, ACertificateWithAUriHasOneAndIsKnownByThatAlone) {
  EXPECT_EQ(ByUris({"spiffe://a.b/x", "spiffe://a.b/x"}), "-");
  EXPECT_EQ(ByUris({"spiffe://a.b/x", "https://a.b/"}), "-");
  PeerNames names;
  names.Add("peer_dns", "web.internal");
  EXPECT_EQ(Who(names), "web");
  names.Add("peer_uri", "https://a.b/");
  EXPECT_EQ(Who(names), "-");
}

TEST_F(Peers, AllDnsNamesThatAreKnownAreOneCallers) {
  EXPECT_EQ(ByDns({"web.internal"}), "web");
  EXPECT_EQ(ByDns({"WEB.Internal"}), "web");
  EXPECT_EQ(ByDns({"x", "web.internal", "www.internal"}), "web");
  EXPECT_EQ(ByDns({"web.internal", "other.internal"}), "-");
  EXPECT_EQ(ByDns({"other.internal", "web.internal", "other.internal"}), "-");
  EXPECT_EQ(ByDns({"*.internal"}), "-");
  EXPECT_EQ(ByDns({"web.internal."}), "-");
  EXPECT_EQ(ByDns({std::string("web.internal\0", 13)}), "-");
  EXPECT_EQ(ByDns({std::string(300, 'a')}), "-");
  EXPECT_EQ(ByDns({""}), "-");
  EXPECT_EQ(ByDns({}), "-");
}

TEST_F(Peers, NothingElseInACertificateIsLookedAt) {
  PeerNames names;
  for (const char* property : {"x509_common_name", "x509_subject", "peer_email", "peer_ip",
                               "x509_subject_alternative_name", "peer_spiffe_id"}) {
    names.Add(property, "web.internal");
    names.Add(property, "spiffe://a.b/x");
  }
  EXPECT_EQ(Who(names), "-");
}

TEST_F(Peers, ASidecarOnLoopbackIsBelieved) {
  const PeerTrust trust(Config(/*tls=*/false));
  EXPECT_EQ(ByUris({}, trust), "-");
  Forward("URI=spiffe://a.b/ns/todo/sa/api");
  EXPECT_EQ(ByUris({}, trust), "api");
  EXPECT_EQ(ByUris({}), "-") << "without the setting";
  config::Config elsewhere = Config(/*tls=*/false);
  elsewhere.grpc.host = "10.0.0.1";
  EXPECT_EQ(ByUris({}, PeerTrust(elsewhere)), "-") << "where others reach it";
  elsewhere.grpc = {.unix_path = "/run/x"};
  EXPECT_EQ(ByUris({}, PeerTrust(elsewhere)), "api");
}

TEST_F(Peers, WithTlsListedPeersAloneAreBelieved) {
  const PeerTrust trust(Config(/*tls=*/true, {"spiffe://a.b/ns/edge/*", "spiffe://a.b/envoy"}));
  EXPECT_TRUE(trust.certificates());
  EXPECT_EQ(ByUris({"spiffe://a.b/envoy"}, trust), "all") << "it is itself";
  Forward("URI=spiffe://a.b/ns/todo/sa/api");
  EXPECT_EQ(ByUris({"spiffe://a.b/envoy"}, trust), "api");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/edge/x"}, trust), "api");
  EXPECT_EQ(ByUris({"spiffe://a.b/ns/edge"}, trust), "all");
  EXPECT_EQ(ByUris({"spiffe://a.b/envoy2"}, trust), "all");
  EXPECT_EQ(ByUris({"spiffe://a.b/envoy", "spiffe://a.b/envoy"}, trust), "-");
  EXPECT_EQ(ByUris({}, trust), "-");
  EXPECT_EQ(ByUris({}, PeerTrust(Config(/*tls=*/true))), "-") << "with TLS nobody is by default";
}

TEST_F(Peers, WhatAListedPeerTellsThatCannotBeReadMakesNobodyKnown) {
  const PeerTrust trust(Config(/*tls=*/true, {"spiffe://a.b/envoy"}));
  Forward("URI=\"spiffe://a.b/ns/todo/sa/api");
  EXPECT_EQ(ByUris({"spiffe://a.b/envoy"}, trust), "-") << "nor is it itself";
  metadata_.clear();
  Forward("URI=spiffe://a.b/ns/todo/sa/api");
  Forward("URI=spiffe://a.b/ns/todo/sa/api");
  EXPECT_EQ(ByUris({"spiffe://a.b/envoy"}, trust), "-") << "twice";
}

TEST_F(Peers, WhyNobodyIsKnownIsForTheLog) {
  const PeerTrust trust(Config(/*tls=*/true, {"spiffe://a.b/envoy"}));
  PeerNames names;
  EXPECT_EQ(WhyNot(names), "there is no token, and no certificate with a name||");
  names.Add("peer_dns", "x");
  EXPECT_EQ(WhyNot(names), "no caller has a DNS name of the certificate||x");
  names.Add("peer_dns", "web.internal");
  EXPECT_EQ(WhyNot(names), "||web.internal");
  names.Add("peer_dns", "other.internal");
  EXPECT_EQ(WhyNot(names), "the certificate has the DNS names of several callers||other.internal");
  names.Add("peer_uri", "spiffe://c");
  EXPECT_EQ(WhyNot(names), "no caller has the URI of the certificate|spiffe://c|");
  names.Add("peer_uri", "spiffe://c");
  EXPECT_EQ(WhyNot(names), "the certificate has several URIs||");

  PeerNames envoy;
  envoy.Add("peer_uri", "spiffe://a.b/envoy");
  EXPECT_EQ(WhyNot(envoy, trust), "|spiffe://a.b/envoy|") << "it is itself";
  Forward("URI=spiffe://c");
  EXPECT_EQ(WhyNot(envoy, trust),
            "no caller has the SPIFFE id in x-forwarded-client-cert|spiffe://c|");
  Forward("URI=spiffe://c");
  EXPECT_EQ(WhyNot(envoy, trust), "x-forwarded-client-cert came more than once||");
  metadata_.clear();
  Forward("By=spiffe://a.b/x");
  EXPECT_EQ(WhyNot(envoy, trust),
            "the last element of x-forwarded-client-cert has not one SPIFFE id, or the header is "
            "malformed||");
}

// They are known by certificates, and no token is.
TEST(CallersByCertificate, OpenThePortForNobody) {
  const CallerTable table = Table();
  EXPECT_FALSE(table.open());
  CallerTable::Memory memory;
  EXPECT_EQ(table.Identify({}, memory), nullptr);
  EXPECT_EQ(table.Identify({{"authorization", "Bearer "}}, memory), nullptr);
  EXPECT_EQ(table.FindByToken("", memory), nullptr);
  EXPECT_TRUE(CallerTable::Load({})->open());
}

TEST(CallersByCertificate, ChangeTheTable) {
  const auto table = [](const config::Caller& caller) { return *CallerTable::Load({caller}); };
  const config::Caller a{.name = "a", .may = {Right::kList}, .audiences = {}, .spiffe_ids = {"s"}};
  config::Caller b = a;
  EXPECT_TRUE(table(a).SameAs(table(b)));
  b.spiffe_ids = {"t"};
  EXPECT_FALSE(table(a).SameAs(table(b)));
  b = a;
  b.spiffe_ids = {"s/*"};
  EXPECT_FALSE(table(a).SameAs(table(b)));
  b = a;
  b.dns_names = {"d"};
  EXPECT_FALSE(table(a).SameAs(table(b)));
}

}  // namespace
}  // namespace gatehouse::frontend
