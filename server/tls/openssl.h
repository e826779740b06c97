#pragma once

#include <openssl/x509.h>

#include <memory>

#include "server/jose/openssl.h"

namespace gatehouse::tls {

using X509Ptr = std::unique_ptr<X509, jose::FreeWith<X509_free>>;

// Below it no key is taken: that of RSA with 2048 bits.
inline constexpr int kMinSecurityBits = 112;

}  // namespace gatehouse::tls
