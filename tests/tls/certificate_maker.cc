#include "tests/tls/certificate_maker.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdlib>

namespace gatehouse {
namespace {

// Tests only, but a certificate that is not what it should be would make them tell lies.
void Must(bool holds) {
  if (!holds) std::abort();
}

jose::EvpPkey MakeKey(int rsa_bits) {
  jose::EvpPkey key(rsa_bits == 0 ? EVP_EC_gen("P-256")
                                  : EVP_RSA_gen(static_cast<unsigned>(rsa_bits)));
  Must(key != nullptr);
  return key;
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

void SetTime(ASN1_TIME* field, absl::Time time) {
  Must(ASN1_TIME_set(field, absl::ToTimeT(time)) != nullptr);
}

void SetName(X509_NAME* name, const std::string& common_name) {
  if (common_name.empty()) return;
  Must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, jose::Bytes(common_name), -1, -1, 0) ==
       1);
}

void Extend(X509* certificate, int kind, const std::string& value) {
  if (value.empty()) return;
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
  Must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

tls::X509Ptr Begin(EVP_PKEY* key, absl::Time begin, absl::Time end, long serial) {
  tls::X509Ptr out(X509_new());
  Must(X509_set_version(out.get(), X509_VERSION_3) == 1);
  Must(ASN1_INTEGER_set(X509_get_serialNumber(out.get()), serial) == 1);
  SetTime(X509_getm_notBefore(out.get()), begin);
  SetTime(X509_getm_notAfter(out.get()), end);
  Must(X509_set_pubkey(out.get(), key) == 1);
  return out;
}

std::string Finish(X509* certificate, EVP_PKEY* key) {
  Must(X509_sign(certificate, key, EVP_sha256()) > 0);
  const jose::Bio bio(BIO_new(BIO_s_mem()));
  Must(PEM_write_bio_X509(bio.get(), certificate) == 1);
  return TextOf(bio.get());
}

}  // namespace

CertificateMaker::CertificateMaker(const std::string& name, absl::Time begin, absl::Time end)
    : name_(name), key_(MakeKey(0)), root_(Begin(key_.get(), begin, end, 1)) {
  SetName(X509_get_subject_name(root_.get()), name_);
  SetName(X509_get_issuer_name(root_.get()), name_);
  Extend(root_.get(), NID_basic_constraints, "critical,CA:TRUE");
  pem_ = Finish(root_.get(), key_.get());
}

CertificateAndKey CertificateMaker::Issue(const Form& form) {
  const jose::EvpPkey key = MakeKey(form.rsa_bits);
  const tls::X509Ptr made = Begin(key.get(), form.begin, form.end, ++serial_);
  SetName(X509_get_subject_name(made.get()), form.common_name);
  SetName(X509_get_issuer_name(made.get()), name_);
  Extend(made.get(), NID_subject_alt_name, form.alternative_names);
  Extend(made.get(), NID_ext_key_usage, form.usages);
  CertificateAndKey out;
  out.certificate = Finish(made.get(), key_.get());
  const jose::Bio bio(BIO_new(BIO_s_mem()));
  Must(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
       1);
  out.key = TextOf(bio.get());
  return out;
}

}  // namespace gatehouse
