// A data race on purpose: two threads write one number and nothing orders them.

#include <thread>

namespace {
int number = 0;
}

int main() {
  std::thread one([] { number = 1; });
  std::thread two([] { number = 2; });
  one.join();
  two.join();
  return number == 0 ? 1 : 0;
}
