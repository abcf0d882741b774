// Loops of batch norm and ReLU over maps [pixels, c], a part of each table of kernels.h. A map's channels follow each
// other; `stride` elements lie between pixels of a part of the channels.
#ifndef ENGINE_KERNELS_NORM_H
#define ENGINE_KERNELS_NORM_H

#include <stdbool.h>
#include <stddef.h>

enum { NORM_CHANNELS = 64 }; // at most, in one call of moments and sums

// The maps of `sums`: where y is given, dy is first set to zero where y is not positive; then it is written, or added,
// to `other` where that is given.
struct norm_gradients {
  const void *x, *y;
  void *dy, *other;
  bool add;
};

struct norm_loops {
  // Mean and sum of squared deviations of each of c <= NORM_CHANNELS channels.
  void (*moments)(size_t pixels, size_t c, size_t stride, const void *x, double *mean, double *deviation);
  // y = x * scale + shift, + other unless that is NULL, then max(0, .) if relu.
  void (*apply)(size_t pixels, size_t c, const void *x, const float *scale, const float *shift, const void *other,
                bool relu, void *y);
  // Sums of dy and of dy * (x - mean) * inverse for c <= NORM_CHANNELS channels, and what norm_gradients says.
  void (*sums)(size_t pixels, size_t c, size_t stride, const struct norm_gradients *maps, const float *mean,
               const float *inverse, double *sum, double *sum_x);
  // dx = a * dy + b * x + d, or dx += that.
  void (*spread)(size_t pixels, size_t c, const void *x, const void *dy, const float *a, const float *b, const float *d,
                 bool add, void *dx);
  void (*relu)(size_t n, const void *x, void *y);
  // dx = dy where y > 0, else 0; or dx += that.
  void (*relu_backward)(size_t n, const void *y, const void *dy, bool add, void *dx);
};

#endif
