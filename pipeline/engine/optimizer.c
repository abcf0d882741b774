#include "engine/optimizer.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/mem.h"

enum { BLOCK = 4096, SLOTS = 2 }; // elements that one thread updates at a time

struct state {
  float *slots[SLOTS];
};

struct optimizer {
  struct net *net;
  struct optimizer_options options;
  struct state *states; // one per parameter of the net
  size_t count;
};

// One update's numbers, worked out once.
struct update {
  float lr, beta1, beta2, epsilon, momentum;
  float l2;    // added to the gradient: l2 * w
  float decay; // w is first shrunk by this share
};

enum status optimizer_new(struct optimizer **out, struct net *net, const struct optimizer_options *options,
                          struct error *error)
{
  struct optimizer *optimizer = NULL;
  enum status status = mem_zeroed((void **)&optimizer, 1, sizeof *optimizer, "an optimizer", error);
  if (status) return status;
  optimizer->net = net;
  optimizer->options = *options;
  optimizer->count = net_parameter_count(net);
  status = mem_zeroed((void **)&optimizer->states, optimizer->count, sizeof *optimizer->states, "an optimizer", error);
  for (size_t i = 0; !status && i < optimizer->count; i++) {
    const struct parameter *parameter = net_parameter(net, i);
    for (int slot = 0; !status && parameter->trainable && slot < optimizer_slots(optimizer); slot++)
      status = mem_aligned((void **)&optimizer->states[i].slots[slot], parameter->count, sizeof(float),
                           "optimizer state", error);
  }
  if (status)
    optimizer_free(optimizer);
  else
    *out = optimizer;
  return status;
}

void optimizer_free(struct optimizer *optimizer)
{
  if (!optimizer) return;
  for (size_t i = 0; optimizer->states && i < optimizer->count; i++)
    for (int slot = 0; slot < SLOTS; slot++) free(optimizer->states[i].slots[slot]);
  free(optimizer->states);
  free(optimizer);
}

int optimizer_slots(const struct optimizer *optimizer)
{
  return optimizer->options.kind == OPTIMIZER_SGD ? 1 : 2;
}

const char *optimizer_slot_name(const struct optimizer *optimizer, int slot)
{
  if (optimizer->options.kind == OPTIMIZER_SGD) return "momentum";
  return slot == 0 ? "m" : "v";
}

float *optimizer_slot(struct optimizer *optimizer, size_t parameter, int slot)
{
  return optimizer->states[parameter].slots[slot];
}

// Keras' SGD: v = momentum * v - lr * g; w += v.
static void sgd_block(const struct update *u, size_t n, float *restrict w, const float *restrict g, float *restrict v)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    float gradient = g[i] + u->l2 * w[i];
    v[i] = u->momentum * v[i] - u->lr * gradient;
    w[i] += v[i];
  }
}

// Keras' Adam: epsilon is outside the bias correction, which is folded into lr: lr * sqrt(1 - beta2^t) / (1 -
// beta1^t).
static void adam_block(const struct update *u, size_t n, float *restrict w, const float *restrict g, float *restrict m,
                       float *restrict v)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) {
    float shrunk = w[i] - u->decay * w[i];
    float gradient = g[i] + u->l2 * w[i];
    m[i] += (gradient - m[i]) * (1 - u->beta1);
    v[i] += (gradient * gradient - v[i]) * (1 - u->beta2);
    w[i] = shrunk - u->lr * m[i] / (sqrtf(v[i]) + u->epsilon);
  }
}

static struct update update_of(const struct optimizer_options *options, uint64_t step, float lr, bool is_kernel)
{
  float decay = is_kernel ? options->weight_decay : 0;
  bool decoupled = options->kind == OPTIMIZER_ADAMW;
  struct update update = {.lr = lr,
                          .beta1 = options->beta1,
                          .beta2 = options->beta2,
                          .epsilon = options->epsilon,
                          .momentum = options->momentum,
                          .l2 = decoupled ? 0 : decay,
                          .decay = decoupled ? lr * decay : 0};
  if (options->kind == OPTIMIZER_SGD) return update;
  double correction =
      sqrt(1 - pow((double)options->beta2, (double)step)) / (1 - pow((double)options->beta1, (double)step));
  update.lr = (float)((double)lr * correction);
  return update;
}

static bool all_finite(const float *values, size_t n)
{
  float sum = 0; // of zeros, and NaN where a value is not finite
#pragma omp simd reduction(+ : sum)
  for (size_t i = 0; i < n; i++) sum += values[i] * 0;
  return sum == 0;
}

static enum status check_gradients(struct optimizer *optimizer, uint64_t step, int threads, struct error *error)
{
  for (size_t i = 0; i < optimizer->count; i++) {
    const struct parameter *parameter = net_parameter(optimizer->net, i);
    if (!parameter->trainable) continue;
    if (!parameter->gradient)
      return fail(error, BAD_USAGE, "%s has no gradient: the net was planned for inference", parameter->name);
    size_t blocks = (parameter->count + BLOCK - 1) / BLOCK, bad = 0;
#pragma omp parallel for schedule(static) num_threads(threads) reduction(+ : bad) if (blocks > 1)
    for (size_t b = 0; b < blocks; b++) {
      size_t first = b * BLOCK, n = parameter->count - first < BLOCK ? parameter->count - first : BLOCK;
      bad += !all_finite(parameter->gradient + first, n);
    }
    if (bad)
      return fail(error, FAILED, "step %llu: the gradient of %s is not finite", (unsigned long long)step,
                  parameter->name);
  }
  return OK;
}

static void update_parameter(struct optimizer *optimizer, size_t index, const struct update *update, int threads)
{
  const struct parameter *parameter = net_parameter(optimizer->net, index);
  const struct state *state = &optimizer->states[index];
  size_t blocks = (parameter->count + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) num_threads(threads) if (blocks > 1)
  for (size_t b = 0; b < blocks; b++) {
    size_t first = b * BLOCK, n = parameter->count - first < BLOCK ? parameter->count - first : BLOCK;
    float *w = parameter->value + first;
    const float *g = parameter->gradient + first;
    if (optimizer->options.kind == OPTIMIZER_SGD)
      sgd_block(update, n, w, g, state->slots[0] + first);
    else
      adam_block(update, n, w, g, state->slots[0] + first, state->slots[1] + first);
  }
}

enum status optimizer_step(struct optimizer *optimizer, uint64_t step, float lr, int threads, struct error *error)
{
  enum status status = check_gradients(optimizer, step, threads, error);
  if (status) return status;
  for (size_t i = 0; i < optimizer->count; i++) {
    const struct parameter *parameter = net_parameter(optimizer->net, i);
    if (!parameter->trainable) continue;
    struct update update = update_of(&optimizer->options, step, lr, parameter->rank > 1);
    update_parameter(optimizer, i, &update, threads);
  }
  net_parameters_changed(optimizer->net);
  return OK;
}
