#include "client/cpp/src/chance.h"

#include <random>

namespace gatehouse::client {

Chance MakeChance() {
  return [] {
    thread_local std::mt19937_64 random{std::random_device()()};
    return std::uniform_real_distribution<double>(0, 1)(random);
  };
}

}  // namespace gatehouse::client
