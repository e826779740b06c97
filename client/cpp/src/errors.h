#pragma once

#include "client/cpp/src/transport.h"

namespace gatehouse::client {

ErrorCode ErrorCodeOf(int grpc_code);
// In the developer's words, with the setting to look at.
Error Explain(const char* method, const Transport::Status& status, const Settings& settings);

}  // namespace gatehouse::client
