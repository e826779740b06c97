#include "server/tls/certificate.h"

#include <openssl/asn1.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"
#include "server/tls/pem.h"

namespace gatehouse::tls {
namespace {

using GeneralNames = std::unique_ptr<GENERAL_NAMES, jose::FreeWith<GENERAL_NAMES_free>>;

absl::Time TimeOf(const ASN1_TIME* asn1) {
  std::tm fields{};
  if (ASN1_TIME_to_tm(asn1, &fields) != 1) return absl::InfinitePast();
  return absl::FromTM(fields, absl::UTCTimeZone());
}

absl::Time Begin(const X509Ptr& one) { return TimeOf(X509_get0_notBefore(one.get())); }
absl::Time End(const X509Ptr& one) { return TimeOf(X509_get0_notAfter(one.get())); }

std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

std::string SubjectOf(const X509Ptr& one) {
  const jose::Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(one.get()), 0, XN_FLAG_RFC2253);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return log::Escape(absl::string_view(data, static_cast<size_t>(size)), 256);
}

absl::Status Wrong(const std::string& path, int line, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ":", line, ": ", what));
}

// Empty where it is valid.
std::string WhyNotNow(const X509Ptr& one, absl::Time now) {
  if (now > End(one)) return absl::StrCat("has expired at ", Text(End(one)));
  if (now < Begin(one)) return absl::StrCat("is not valid before ", Text(Begin(one)));
  return "";
}

absl::StatusOr<X509Ptr> Parse(const PemBlock& block, const std::string& path) {
  if (block.label != "CERTIFICATE" && block.label != "X509 CERTIFICATE") {
    return Wrong(path, block.line,
                 absl::StrCat("only certificates belong here, and this is \"",
                              log::Escape(block.label, 64), "\""));
  }
  const absl::string_view der = block.der.Reveal();
  const unsigned char* at = jose::Bytes(der);
  X509Ptr one(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (one == nullptr || at != jose::Bytes(der) + der.size()) {
    return Wrong(path, block.line, "this certificate cannot be parsed to its last byte");
  }
  EVP_PKEY* const key = X509_get0_pubkey(one.get());
  if (key == nullptr) return Wrong(path, block.line, "the key of this certificate cannot be read");
  const absl::Status strength = CheckStrength(key);
  if (!strength.ok()) return Wrong(path, block.line, strength.message());
  return one;
}

bool HasAlternativeName(const X509Ptr& one) {
  const GeneralNames names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(one.get(), NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const int type = sk_GENERAL_NAME_value(names.get(), i)->type;
    if (type == GEN_DNS || type == GEN_URI || type == GEN_IPADD) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckStrength(EVP_PKEY* key) {
  if (EVP_PKEY_get_security_bits(key) >= kMinSecurityBits) return absl::OkStatus();
  const char* const type = EVP_PKEY_get0_type_name(key);
  return absl::InvalidArgumentError(
      absl::StrCat("its key is too weak (", type == nullptr ? "unknown" : type, ", ",
                   EVP_PKEY_get_bits(key), " bits): RSA needs 2048 bits, or take EC P-256"));
}

std::string Certificates::ToPem() const {
  const jose::Bio bio(BIO_new(BIO_s_mem()));
  for (const X509Ptr& one : all) PEM_write_bio_X509(bio.get(), one.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<size_t>(size)};
}

absl::Time Certificates::Until() const {
  absl::Time until = absl::InfiniteFuture();
  for (const X509Ptr& one : all) until = std::min(until, End(one));
  return until;
}

absl::StatusOr<Certificates> ReadCertificates(const std::string& path) {
  GH_ASSIGN_OR_RETURN(std::string text, ReadSmallFile(path, kMaxPemBytes));
  // Somebody may have put a key into it.
  const Secret bytes(std::move(text));
  auto blocks = SplitPem(bytes.Reveal());
  if (!blocks.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ":", blocks.status().message()));
  }
  Certificates out;
  for (const PemBlock& block : *blocks) {
    GH_ASSIGN_OR_RETURN(X509Ptr one, Parse(block, path));
    out.all.push_back(std::move(one));
    out.lines.push_back(block.line);
  }
  if (out.all.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": holds no certificate"));
  }
  return out;
}

absl::Status CheckChain(const Certificates& chain, const std::string& path, absl::Time now) {
  const X509Ptr& leaf = chain.all.front();
  if (!HasAlternativeName(leaf)) {
    return Wrong(path, chain.lines.front(),
                 "this certificate has no subjectAltName with a DNS name, an address or a URI, and "
                 "clients look at no other name");
  }
  if (X509_check_purpose(leaf.get(), X509_PURPOSE_SSL_SERVER, 0) != 1) {
    return Wrong(path, chain.lines.front(),
                 "this certificate may not be a server's: its keyUsage or extendedKeyUsage leaves "
                 "that out");
  }
  for (size_t i = 0; i < chain.all.size(); ++i) {
    if (const std::string why = WhyNotNow(chain.all[i], now); !why.empty()) {
      return Wrong(path, chain.lines[i], absl::StrCat("this certificate ", why));
    }
    if (i > 0 && X509_check_issued(chain.all[i].get(), chain.all[i - 1].get()) != X509_V_OK) {
      return Wrong(path, chain.lines[i],
                   absl::StrCat("this certificate did not issue the one before it: the server's "
                                "own comes first, and then each one's issuer"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRoots(const Certificates& roots, const std::string& path, absl::Time now,
                        std::vector<std::string>& warnings) {
  bool has_root = false;
  bool any_now = false;
  for (size_t i = 0; i < roots.all.size(); ++i) {
    X509* const one = roots.all[i].get();
    if (X509_check_ca(one) == 0) {
      return Wrong(path, roots.lines[i],
                   "this certificate is no CA's, and can vouch for nobody else");
    }
    if (X509_check_issued(one, one) == X509_V_OK) has_root = true;
    const std::string why = WhyNotNow(roots.all[i], now);
    any_now = any_now || why.empty();
    if (why.empty()) continue;
    warnings.push_back(absl::StrCat(path, ":", roots.lines[i], ": the certificate of ",
                                    SubjectOf(roots.all[i]), " ", why,
                                    "; take it out where it is not needed any more"));
  }
  if (!has_root) {
    return Wrong(path, roots.lines.front(),
                 "there is no root among these: a root is issued by itself");
  }
  if (!any_now) {
    return Wrong(path, roots.lines.front(),
                 absl::StrCat("none of these certificates is valid: the first ",
                              WhyNotNow(roots.all.front(), now)));
  }
  return absl::OkStatus();
}

}  // namespace gatehouse::tls
