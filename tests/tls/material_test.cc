#include "server/tls/material.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "tests/tls/certificate_maker.h"

namespace gatehouse::tls {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

CertificateMaker::Form Good() {
  return {.alternative_names = "DNS:localhost",
          .begin = kNow - absl::Hours(1),
          .end = kNow + absl::Hours(48)};
}

class TlsMaterial : public ::testing::Test {
 protected:
  TlsMaterial() {
    std::string name = std::filesystem::temp_directory_path() / "gatehouse-tls-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Put(Authority().Issue(Good()));
    Put("ca", Authority().pem());
  }
  ~TlsMaterial() override { std::filesystem::remove_all(folder_); }

  // To make keys takes time.
  static CertificateMaker& Authority() {
    static auto* const made =
        new CertificateMaker("root", kNow - absl::Hours(1), kNow + absl::Hours(100));
    return *made;
  }

  void Put(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(folder_ / name) << text;
    EXPECT_EQ(chmod((folder_ / name).c_str(), mode), 0);
  }
  void Put(const CertificateAndKey& pair) const {
    Put("crt", pair.certificate);
    Put("key", pair.key);
  }
  Files All() const {
    return {.certificate = {.path = folder_ / "crt", .place = "g.yaml:1: cert_file"},
            .key = {.path = folder_ / "key", .place = "g.yaml:2: key_file"},
            .client_ca = NamedFile{.path = folder_ / "ca", .place = "g.yaml:3: client_ca_file"}};
  }
  // With the folder's name taken out.
  std::vector<std::string> Faults(absl::Time now = kNow) const {
    const auto loaded = Load(All(), now);
    if (loaded.ok()) return {};
    const std::string message =
        absl::StrReplaceAll(loaded.status().message(), {{folder_.string() + "/", ""}});
    return absl::StrSplit(message, '\n');
  }

  std::filesystem::path folder_;
};

TEST_F(TlsMaterial, IsWhatTheFilesHold) {
  const auto loaded = Load(All(), kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const Material& material = **loaded;
  std::ifstream file(folder_ / "crt");
  EXPECT_EQ(material.chain, std::string(std::istreambuf_iterator<char>(file), {}));
  EXPECT_EQ(material.client_ca, Authority().pem());
  EXPECT_THAT(std::string(material.key.Reveal()), HasSubstr("BEGIN PRIVATE KEY"));
  EXPECT_EQ(material.certificate_until, kNow + absl::Hours(48));
  EXPECT_EQ(material.client_ca_until, kNow + absl::Hours(100));
  EXPECT_THAT(material.warnings, IsEmpty());
}

TEST_F(TlsMaterial, WithoutClientCaThereIsNone) {
  Files files = All();
  files.client_ca.reset();
  const auto loaded = Load(files, kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ((*loaded)->client_ca, "");
  EXPECT_FALSE((*loaded)->client_ca_until.has_value());
}

TEST_F(TlsMaterial, EveryFaultIsNamedWithFileAndPlaceAtOnce) {
  Put("crt", "x");
  Put("key", "", 0604);
  Put("ca", "");
  EXPECT_THAT(Faults(),
              ElementsAre(HasSubstr("g.yaml:1: cert_file: crt:1: this is no PEM"),
                          HasSubstr("g.yaml:2: key_file: key: others than its owner and group may "
                                    "reach this key (mode 0604)"),
                          HasSubstr("g.yaml:3: client_ca_file: ca: holds no certificate")));
}

TEST_F(TlsMaterial, ACertificateCountsFromItsFirstSecondToItsLast) {
  CertificateMaker::Form form = Good();
  form.begin = kNow;
  form.end = kNow + absl::Seconds(10);
  Put(Authority().Issue(form));
  EXPECT_THAT(Faults(kNow - absl::Seconds(1)),
              ElementsAre(HasSubstr("crt:1: this certificate is not valid before "
                                    "2027-01-15T08:00:00Z")));
  EXPECT_THAT(Faults(kNow), IsEmpty());
  EXPECT_THAT(Faults(kNow + absl::Seconds(10)), IsEmpty());
  EXPECT_THAT(Faults(kNow + absl::Seconds(11)),
              ElementsAre(HasSubstr("crt:1: this certificate has expired at "
                                    "2027-01-15T08:00:10Z")));
}

TEST_F(TlsMaterial, ACertificateNeedsANameThatClientsLookAt) {
  for (const char* names : {"", "email:a@b.c"}) {
    CertificateMaker::Form form = Good();
    form.alternative_names = names;
    form.common_name = "localhost";
    Put(Authority().Issue(form));
    EXPECT_THAT(Faults(), ElementsAre(HasSubstr("crt:1: this certificate has no subjectAltName")));
  }
  for (const char* names : {"DNS:a", "IP:127.0.0.1", "URI:spiffe://a/b"}) {
    CertificateMaker::Form form = Good();
    form.alternative_names = names;
    Put(Authority().Issue(form));
    EXPECT_THAT(Faults(), IsEmpty()) << names;
  }
}

TEST_F(TlsMaterial, ACertificateMustBeAServers) {
  CertificateMaker::Form form = Good();
  form.usages = "clientAuth";
  Put(Authority().Issue(form));
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("may not be a server's")));
  form.usages = "clientAuth,serverAuth";
  Put(Authority().Issue(form));
  EXPECT_THAT(Faults(), IsEmpty());
}

TEST_F(TlsMaterial, TheKeyMustFitAndNothingOfItIsShown) {
  const CertificateAndKey other = Authority().Issue(Good());
  Put("key", other.key);
  const auto faults = Faults();
  EXPECT_THAT(faults, ElementsAre(HasSubstr("g.yaml:2: key_file: key: this private key does not "
                                            "fit the certificate crt")));
  EXPECT_THAT(faults[0], Not(HasSubstr(other.key.substr(40, 20))));
}

TEST_F(TlsMaterial, HalfAKeyIsNoneAndNothingOfItIsShown) {
  const std::string key = Authority().Issue(Good()).key;
  for (size_t size = 1; size + 1 < key.size(); size += 7) {
    Put("key", key.substr(0, size));
    const auto faults = Faults();
    ASSERT_THAT(faults, SizeIs(1)) << size;
    for (size_t at = 30; at + 12 < size; at += 12) {
      EXPECT_THAT(faults[0], Not(HasSubstr(key.substr(at, 12))));
    }
  }
}

TEST_F(TlsMaterial, HalfACertificateIsNone) {
  const std::string pem = Authority().pem();
  for (size_t size = 0; size + 1 < pem.size(); size += 7) {
    Put("ca", pem + pem.substr(0, size));
    EXPECT_THAT(Faults(), SizeIs(size == 0 ? 0 : 1)) << size;
  }
}

TEST_F(TlsMaterial, AWeakKeyIsRefused) {
  CertificateMaker::Form form = Good();
  form.rsa_bits = 1024;
  Put(Authority().Issue(form));
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("crt:1: its key is too weak (RSA, 1024 bits)"),
                                    HasSubstr("key:1: its key is too weak (RSA, 1024 bits)")));
  form.rsa_bits = 2048;
  Put(Authority().Issue(form));
  EXPECT_THAT(Faults(), IsEmpty());
}

TEST_F(TlsMaterial, OnlyItsOwnerAndGroupMayReachTheKey) {
  const std::string key = Authority().Issue(Good()).key;
  for (const mode_t mode : {0400U, 0440U, 0600U, 0640U, 0660U}) {
    EXPECT_EQ(chmod((folder_ / "key").c_str(), mode), 0);
    EXPECT_THAT(Faults(), IsEmpty()) << mode;
  }
  for (const mode_t mode : {0401U, 0404U, 0602U, 0644U, 0666U, 0777U}) {
    EXPECT_EQ(chmod((folder_ / "key").c_str(), mode), 0);
    EXPECT_THAT(Faults(), ElementsAre(HasSubstr("others than its owner and group"))) << mode;
  }
}

TEST_F(TlsMaterial, OneOfSeveralRootsMayHaveExpired) {
  CertificateMaker past("past", kNow - absl::Hours(9), kNow - absl::Hours(1));
  Put("ca", Authority().pem() + past.pem());
  const auto loaded = Load(All(), kNow);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT((*loaded)->warnings,
              ElementsAre(AllOf(HasSubstr("ca:"), HasSubstr("CN=past has expired at"))));
  EXPECT_EQ((*loaded)->client_ca_until, kNow - absl::Hours(1)) << "of the first that expires";
  Put("ca", past.pem());
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("none of these certificates is valid")));
}

TEST_F(TlsMaterial, RootsAreAuthoritiesAndOneIsARoot) {
  Put("ca", Authority().pem() + Authority().Issue(Good()).certificate);
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("this certificate is no CA's")));
}

TEST_F(TlsMaterial, FilesAreBoundedAndPlain) {
  Put("ca", std::string(size_t{1024} * 1024 + 1, '\n'));
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("ca: is larger than 1048576 bytes")));
  std::filesystem::remove(folder_ / "ca");
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("ca: there is no such file")));
  ASSERT_EQ(mkfifo((folder_ / "ca").c_str(), 0600), 0);
  EXPECT_THAT(Faults(), ElementsAre(HasSubstr("ca: is no regular file")));
}

}  // namespace
}  // namespace gatehouse::tls
