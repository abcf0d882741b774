#include "engine/net/ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/int8.h"

// A bin holds the magnitudes with the same exponent and the same four bits behind it: 16 bins from x to 2 x.
enum { BIN_BITS = 12, BINS = 1 << BIN_BITS, BIN_SHIFT = 31 - BIN_BITS, FIRST_NOT_FINITE = 0xff0 };

struct histogram {
  uint64_t counts[BINS];
  uint64_t negative;
};

struct ranges {
  size_t layers, threads;
  struct histogram *histograms; // [threads, layers]
};

enum status ranges_new(struct ranges **out, const struct net *net, struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof **out, "ranges", error);
  if (status) return status;
  struct ranges *ranges = *out;
  ranges->layers = net_layer_count(net);
  ranges->threads = (size_t)net_threads(net);
  status = mem_zeroed((void **)&ranges->histograms, ranges->threads * ranges->layers, sizeof *ranges->histograms,
                      "ranges", error);
  if (!status) return OK;
  ranges_free(ranges);
  *out = NULL;
  return status;
}

void ranges_free(struct ranges *ranges)
{
  if (!ranges) return;
  free(ranges->histograms);
  free(ranges);
}

static uint32_t bits_of(float number)
{
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  return bits;
}

void ranges_add(struct ranges *ranges, int thread, int layer, const float *numbers, size_t count)
{
  struct histogram *histogram = &ranges->histograms[(size_t)thread * ranges->layers + (size_t)layer];
  for (size_t i = 0; i < count; i++) {
    histogram->counts[(bits_of(numbers[i]) & 0x7fffffff) >> BIN_SHIFT]++;
    histogram->negative += numbers[i] < 0;
  }
}

// The least magnitude in the bin; of bin + 1: what the bin's stay below.
static double edge(size_t bin)
{
  const uint32_t bits = (uint32_t)bin << BIN_SHIFT;
  float number;
  memcpy(&number, &bits, sizeof number);
  return (double)number;
}

// The squared error of all numbers if the largest of `levels` bytes stands for `range`.
static double error_of(const struct histogram *histogram, double range, double levels)
{
  const double step = range / levels, rounding = step * step / 12;
  double sum = 0;
  for (size_t bin = 1; bin < FIRST_NOT_FINITE; bin++) { // bin 0 has zeros and what is as good as zero
    if (!histogram->counts[bin]) continue;
    double number = (edge(bin) + edge(bin + 1)) / 2, error = rounding;
    if (number > range) error = (number - range) * (number - range);
    if (number < step / 2) error = number * number;
    sum += error * (double)histogram->counts[bin];
  }
  return sum;
}

// Tries the largest magnitude and what is up to 16 times smaller: below that, too much would be cut off.
static float choose(const struct histogram *histogram)
{
  const double levels = (double)int8_largest(histogram->negative ? DTYPE_S8 : DTYPE_U8);
  size_t last = FIRST_NOT_FINITE - 1;
  while (last > 0 && !histogram->counts[last]) last--;
  if (last == 0) return 1; // zeros alone: any unit will do
  double best = edge(last + 1), least = error_of(histogram, best, levels);
  for (size_t bin = last; bin > 0 && last - bin < 64; bin--) {
    double error = error_of(histogram, edge(bin), levels);
    if (error >= least) continue;
    least = error;
    best = edge(bin);
  }
  return (float)best;
}

enum status ranges_choose(const struct ranges *ranges, const struct net *net, float *out, struct error *error)
{
  struct histogram *sum = NULL;
  enum status status = mem_zeroed((void **)&sum, 1, sizeof *sum, "ranges", error);
  for (size_t layer = 0; !status && layer < ranges->layers; layer++) {
    uint64_t seen = 0, not_finite = 0;
    memset(sum, 0, sizeof *sum);
    for (size_t t = 0; t < ranges->threads; t++) {
      const struct histogram *one = &ranges->histograms[t * ranges->layers + layer];
      for (size_t bin = 0; bin < BINS; bin++) sum->counts[bin] += one->counts[bin];
      sum->negative += one->negative;
    }
    for (size_t bin = 0; bin < BINS; bin++) {
      seen += sum->counts[bin];
      if (bin >= FIRST_NOT_FINITE) not_finite += sum->counts[bin];
    }
    out[layer] = seen > 0 ? choose(sum) : 0;
    if (not_finite > 0)
      status = fail(error, FAILED, "layer %s has %llu numbers that are not finite", net_layer(net, layer).name,
                    (unsigned long long)not_finite);
  }
  free(sum);
  return status;
}
