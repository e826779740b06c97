#include "tests/bench/histogram.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace gatehouse::bench {
namespace {

TEST(HistogramTest, NoDurationsHaveNoQuantiles) { EXPECT_EQ(Histogram().Quantile(0.5), 0); }

TEST(HistogramTest, SmallDurationsAreExact) {
  Histogram histogram;
  for (int64_t i = 1; i <= 100; ++i) histogram.Add(i);
  EXPECT_EQ(histogram.total(), 100);
  EXPECT_EQ(histogram.Quantile(0.5), 50);
  EXPECT_EQ(histogram.Quantile(0.99), 99);
  EXPECT_EQ(histogram.Quantile(1), 100);
}

TEST(HistogramTest, AQuantileIsNeverTooLowAndAtMostOneSixtyFourthTooHigh) {
  for (const int64_t value : {63, 64, 127, 128, 129, 1000, 65'535, 65'536, 1'234'567'890}) {
    Histogram histogram;
    histogram.Add(value);
    EXPECT_GE(histogram.Quantile(0.5), value);
    EXPECT_LE(histogram.Quantile(0.5), value + value / 64);
  }
}

TEST(HistogramTest, ARareSlowCallShowsOnlyBeyondItsShare) {
  Histogram histogram;
  for (int i = 0; i < 990; ++i) histogram.Add(10);
  for (int i = 0; i < 10; ++i) histogram.Add(50);
  EXPECT_EQ(histogram.Quantile(0.99), 10);
  EXPECT_EQ(histogram.Quantile(0.991), 50);
}

TEST(HistogramTest, TheLongestDurationHasABucket) {
  Histogram histogram;
  histogram.Add(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(histogram.Quantile(1), std::numeric_limits<int64_t>::max());
}

}  // namespace
}  // namespace gatehouse::bench
