#pragma once

namespace gatehouse::client {

// Set on the threads that callbacks run on. A call that waits would wait there for itself.
inline thread_local bool on_own_thread = false;

}  // namespace gatehouse::client
