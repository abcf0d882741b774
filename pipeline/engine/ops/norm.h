// What the batch norms of all tables share: statistics over a batch, summed in the order of its images, so that the
// bits do not depend on the number of threads.
#ifndef ENGINE_NORM_H
#define ENGINE_NORM_H

#include "engine/ops/ops.h"

struct norm_state {
  size_t pixels, channels, batch; // pixels of an image
  // Of each image: mean and sum of squared deviations of x; sum of dy and of dy times x's deviation from the batch's
  // mean, as a multiple of its standard deviation. All [batch, C].
  double *mean, *deviation, *dy, *dy_x;
  // Of the last batch, all [C].
  double *batch_mean, *batch_variance, *sum_dy, *sum_dy_x;
  size_t *count; // of its pixels
};

enum status norm_state_init(struct norm_state *state, struct shape shape, int batch, struct error *error);
void norm_state_release(struct norm_state *state);
size_t norm_state_bytes(const struct norm_state *state);

// From those of the images 0 ... n - 1.
void norm_state_forward(const struct norm_state *state, size_t n);
void norm_state_backward(const struct norm_state *state, size_t n);

// Those of gamma and beta, after norm_state_backward.
void norm_state_gradients(const struct norm_state *state, float *gamma, float *beta);

// moving * momentum + batch * (1 - momentum), for mean and variance.
void norm_state_settle(const struct norm_state *state, float momentum, float *moving_mean, float *moving_variance);

#endif
