#pragma once

namespace gatehouse::frontend {

// True `percent` times of 100, by a random number of the calling thread's own.
// Thread-safe and cheap.
bool Sample(int percent);

}  // namespace gatehouse::frontend
