#include "server/tls/private_key.h"

#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "server/base/log.h"
#include "server/base/read_file.h"
#include "server/base/status_macros.h"
#include "server/tls/certificate.h"
#include "server/tls/pem.h"

namespace gatehouse::tls {
namespace {

absl::Status Wrong(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, what));
}

absl::Status CheckMode(const std::string& path) {
  struct stat about{};
  // One that is missing is told of when it is read.
  if (::stat(path.c_str(), &about) != 0 || (about.st_mode & S_IRWXO) == 0) return absl::OkStatus();
  return Wrong(path, absl::StrFormat(": others than its owner and group may reach this key (mode "
                                     "%04o): chmod o= it, or give its Kubernetes volume "
                                     "defaultMode: 0440",
                                     about.st_mode & 07777));
}

bool IsKey(absl::string_view label) {
  return label == "PRIVATE KEY" || label == "RSA PRIVATE KEY" || label == "EC PRIVATE KEY";
}

absl::StatusOr<jose::EvpPkey> Parse(const PemBlock& block, const std::string& path) {
  const absl::string_view der = block.der.Reveal();
  const unsigned char* at = jose::Bytes(der);
  jose::EvpPkey key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(der.size())));
  const std::string place = absl::StrCat(":", block.line, ": ");
  if (key == nullptr || at != jose::Bytes(der) + der.size()) {
    return Wrong(path, absl::StrCat(place, "this private key cannot be parsed to its last byte"));
  }
  const absl::Status strength = CheckStrength(key.get());
  if (!strength.ok()) return Wrong(path, absl::StrCat(place, strength.message()));
  return key;
}

}  // namespace

absl::StatusOr<jose::EvpPkey> ReadPrivateKey(const std::string& path) {
  GH_RETURN_IF_ERROR(CheckMode(path));
  GH_ASSIGN_OR_RETURN(std::string bytes, ReadSmallFile(path, kMaxPemBytes));
  const Secret text(std::move(bytes));
  const auto blocks = SplitPem(text.Reveal());
  if (!blocks.ok()) return Wrong(path, absl::StrCat(":", blocks.status().message()));
  const PemBlock* found = nullptr;
  for (const PemBlock& block : *blocks) {
    if (block.label == "EC PARAMETERS") continue;  // as `openssl ecparam -genkey` writes them
    const std::string place = absl::StrCat(":", block.line, ": ");
    if (block.encrypted || block.label == "ENCRYPTED PRIVATE KEY") {
      return Wrong(path, absl::StrCat(place,
                                      "this private key is encrypted, and nobody is there "
                                      "to be asked for its password"));
    }
    if (!IsKey(block.label)) {
      return Wrong(path, absl::StrCat(place, "one private key belongs here, and this is \"",
                                      log::Escape(block.label, 64), "\""));
    }
    if (found != nullptr) return Wrong(path, absl::StrCat(place, "this is a second private key"));
    found = &block;
  }
  if (found == nullptr) return Wrong(path, ": holds no private key");
  return Parse(*found, path);
}

Secret ToPem(EVP_PKEY* key) {
  const jose::Bio bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Secret();
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  Secret pem(std::string(data, static_cast<size_t>(size)));
  OPENSSL_cleanse(data, static_cast<size_t>(size));
  return pem;
}

}  // namespace gatehouse::tls
