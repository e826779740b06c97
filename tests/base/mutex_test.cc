#include "server/base/mutex.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

struct Counter {
  Mutex mu;
  CondVar changed;
  int value GH_GUARDED_BY(mu) = 0;
};

struct SharedCounter {
  SharedMutex mu;
  int value GH_GUARDED_BY(mu) = 0;
  int twin GH_GUARDED_BY(mu) = 0;
};

TEST(Mutex, LetsInOneAtATime) {
  Counter counter;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        MutexLock lock(counter.mu);
        ++counter.value;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(counter.mu);
  EXPECT_EQ(counter.value, 8000);
}

TEST(CondVar, WakesTheOneThatWaitsWithTheMutexHeld) {
  Counter counter;
  std::thread other([&] {
    MutexLock lock(counter.mu);
    while (counter.value != 1) counter.changed.Wait(counter.mu);
    counter.value = 2;
    counter.changed.NotifyAll();
  });
  {
    MutexLock lock(counter.mu);
    counter.value = 1;
    counter.changed.NotifyOne();
    while (counter.value != 2) counter.changed.Wait(counter.mu);
  }
  other.join();
}

TEST(CondVar, WaitForSaysWhetherTimePassedFirst) {
  Counter counter;
  {
    MutexLock lock(counter.mu);
    // Spurious wake-ups are no timeouts.
    while (counter.changed.WaitFor(counter.mu, std::chrono::nanoseconds(1))) continue;
    counter.value = 1;  // still held
  }
  std::thread other([&] {
    MutexLock lock(counter.mu);
    counter.value = 2;
    counter.changed.NotifyOne();
  });
  {
    MutexLock lock(counter.mu);
    while (counter.value != 2) {
      EXPECT_TRUE(counter.changed.WaitFor(counter.mu, std::chrono::hours(1)));
    }
  }
  other.join();
}

TEST(SharedMutex, LetsInReadersTogether) {
  SharedCounter counter;
  std::atomic<int> inside = 0;
  std::vector<std::thread> readers;
  readers.reserve(4);
  for (int t = 0; t < 4; ++t) {
    readers.emplace_back([&] {
      ReaderLock lock(counter.mu);
      ++inside;
      // Ends only when all of them hold it.
      while (inside != 4) std::this_thread::yield();
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(inside, 4);
}

TEST(SharedMutex, AReaderNeverSeesAWriterHalfWay) {
  SharedCounter counter;
  std::atomic<int> torn = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        ReaderLock lock(counter.mu);
        if (counter.value != counter.twin) ++torn;
      }
    });
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        WriterLock lock(counter.mu);
        ++counter.value;
        ++counter.twin;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(torn, 0);
  ReaderLock lock(counter.mu);
  EXPECT_EQ(counter.value, 3000);
}

}  // namespace
}  // namespace gatehouse
