#pragma once

namespace gatehouse::frontend {

// gRPC 1.51 gives a listening port up for good, and says nothing, when accept4() fails once since
// the process or the machine can open no more files (CVE-2023-4785): whoever opens enough
// connections would end the service. The accept4() of this program, which gRPC's finds before
// the C library's, fails of no such thing: who comes then is sent away, and the port stays.
//
// To be called before a gRPC server listens: keeps the few files in hand that this needs.
// Thread-safe, idempotent.
void GuardAccepts();

}  // namespace gatehouse::frontend
