#include "engine/ops/norm.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

enum { PER_IMAGE = 4, PER_BATCH = 4 };

enum status norm_state_init(struct norm_state *state, struct shape shape, int batch, struct error *error)
{
  *state = (struct norm_state){
      .pixels = (size_t)shape.h * (size_t)shape.w, .channels = (size_t)shape.c, .batch = (size_t)batch};
  double **const per_image[PER_IMAGE] = {&state->mean, &state->deviation, &state->dy, &state->dy_x};
  double **const per_batch[PER_BATCH] = {&state->batch_mean, &state->batch_variance, &state->sum_dy, &state->sum_dy_x};
  enum status status = mem_zeroed((void **)&state->count, 1, sizeof *state->count, "batch statistics", error);
  for (int i = 0; !status && i < PER_IMAGE; i++)
    status =
        mem_zeroed((void **)per_image[i], state->batch * state->channels, sizeof(double), "batch statistics", error);
  for (int i = 0; !status && i < PER_BATCH; i++)
    status = mem_zeroed((void **)per_batch[i], state->channels, sizeof(double), "batch statistics", error);
  return status;
}

void norm_state_release(struct norm_state *state)
{
  free(state->mean);
  free(state->deviation);
  free(state->dy);
  free(state->dy_x);
  free(state->batch_mean);
  free(state->batch_variance);
  free(state->sum_dy);
  free(state->sum_dy_x);
  free(state->count);
}

size_t norm_state_bytes(const struct norm_state *state)
{
  return (PER_IMAGE * state->batch + PER_BATCH) * state->channels * sizeof(double);
}

// Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979.
void norm_state_forward(const struct norm_state *state, size_t n)
{
  size_t channels = state->channels;
  double pixels = (double)state->pixels;
  *state->count = n * state->pixels;
  for (size_t c = 0; c < channels; c++) {
    double mean = 0, deviation = 0;
    for (size_t i = 0; i < n; i++) mean += state->mean[i * channels + c];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) {
      double off = state->mean[i * channels + c] - mean;
      deviation += state->deviation[i * channels + c] + pixels * off * off;
    }
    state->batch_mean[c] = mean;
    state->batch_variance[c] = deviation / ((double)n * pixels);
  }
}

void norm_state_backward(const struct norm_state *state, size_t n)
{
  size_t channels = state->channels;
  memset(state->sum_dy, 0, channels * sizeof(double));
  memset(state->sum_dy_x, 0, channels * sizeof(double));
  for (size_t i = 0; i < n; i++)
    for (size_t c = 0; c < channels; c++) {
      state->sum_dy[c] += state->dy[i * channels + c];
      state->sum_dy_x[c] += state->dy_x[i * channels + c];
    }
}

void norm_state_gradients(const struct norm_state *state, float *gamma, float *beta)
{
  for (size_t c = 0; c < state->channels; c++) {
    gamma[c] = (float)state->sum_dy_x[c];
    beta[c] = (float)state->sum_dy[c];
  }
}

void norm_state_settle(const struct norm_state *state, float momentum, float *moving_mean, float *moving_variance)
{
  double kept = (double)momentum;
  for (size_t c = 0; c < state->channels; c++) {
    moving_mean[c] = (float)((double)moving_mean[c] * kept + state->batch_mean[c] * (1 - kept));
    moving_variance[c] = (float)((double)moving_variance[c] * kept + state->batch_variance[c] * (1 - kept));
  }
}
