#include "engine/fit/optimizer.h"

#include <math.h>
#include <omp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/fit/centralize.h"
#include "engine/fit/muon.h"
#include "engine/ops/native.h"

enum { BLOCK = 4096, SLOTS = 3, AT_ONCE = 8 }; // elements that one thread updates at a time

enum { WHOLE = -1 };

// A part of a trainable parameter: what threads share out.
struct block {
  size_t parameter, first, count;
  long piece; // of its gradient: net_pieces; WHOLE: it has none
};

struct optimizer {
  struct net *net;
  const struct kernels *kernels;
  struct optimizer_options options;
  float **slots[SLOTS]; // [slot][parameter of the net]; NULL: frozen, or has no such
  bool *checked;        // [parameter]: in this step, that the gradient is finite
  struct muon *muon;    // NULL: another kind
  size_t count;
  struct block *blocks;
  size_t block_count;
};

// One update's numbers, worked out once.
struct update {
  struct adam adam;
  float lr, momentum, l2; // of SGD
};

// Whether Muon has the parameter; if not, Adam.
static bool is_matrix(const struct optimizer *optimizer, size_t parameter)
{
  return optimizer->muon && muon_takes(net_parameter(optimizer->net, parameter));
}

// Without the average's, which comes after them.
static int own_slots(const struct optimizer *optimizer)
{
  return optimizer->options.kind == OPTIMIZER_SGD ? 1 : 2;
}

static bool has_slot(const struct optimizer *optimizer, size_t parameter, int slot)
{
  return net_parameter(optimizer->net, parameter)->trainable && !(slot == 1 && is_matrix(optimizer, parameter));
}

static enum status make_blocks(struct optimizer *optimizer, struct error *error)
{
  size_t capacity = 0;
  enum status status = OK;
  for (size_t p = 0; !status && p < optimizer->count; p++) {
    const struct parameter *parameter = net_parameter(optimizer->net, p);
    const struct net_pieces pieces = net_pieces_of(optimizer->net, p);
    const size_t size = pieces.count ? pieces.floats : BLOCK;
    for (size_t first = 0; !status && parameter->trainable && first < parameter->count; first += size) {
      status = mem_grow((void **)&optimizer->blocks, &capacity, optimizer->block_count + 1, sizeof *optimizer->blocks,
                        "an optimizer", error);
      if (status) break;
      size_t left = parameter->count - first;
      optimizer->blocks[optimizer->block_count++] =
          (struct block){p, first, left < size ? left : size, pieces.count ? (long)(first / size) : WHOLE};
    }
  }
  return status;
}

enum status optimizer_new(struct optimizer **out, struct net *net, const struct optimizer_options *options,
                          struct error *error)
{
  struct optimizer *optimizer = NULL;
  enum status status = mem_zeroed((void **)&optimizer, 1, sizeof *optimizer, "an optimizer", error);
  if (status) return status;
  optimizer->net = net;
  optimizer->kernels = native_kernels(DTYPE_F32);
  optimizer->options = *options;
  optimizer->count = net_parameter_count(net);
  for (int slot = 0; !status && slot < SLOTS; slot++)
    status = mem_zeroed((void **)&optimizer->slots[slot], optimizer->count, sizeof **optimizer->slots, "an optimizer",
                        error);
  if (!status)
    status =
        mem_zeroed((void **)&optimizer->checked, optimizer->count, sizeof *optimizer->checked, "an optimizer", error);
  if (!status && options->kind == OPTIMIZER_MUON) status = muon_new(&optimizer->muon, net, error);
  for (size_t i = 0; !status && i < optimizer->count; i++) {
    const struct parameter *parameter = net_parameter(net, i);
    if (options->centralize && net_pieces_of(net, i).count > 0)
      status =
          fail(error, BAD_USAGE, "the gradient of %s is made in pieces: it cannot be centralized", parameter->name);
    for (int slot = 0; !status && slot < optimizer_slots(optimizer); slot++)
      if (has_slot(optimizer, i, slot))
        status =
            mem_aligned((void **)&optimizer->slots[slot][i], parameter->count, sizeof(float), "optimizer state", error);
  }
  if (!status) status = make_blocks(optimizer, error);
  if (status)
    optimizer_free(optimizer);
  else
    *out = optimizer;
  return status;
}

void optimizer_free(struct optimizer *optimizer)
{
  if (!optimizer) return;
  for (int slot = 0; slot < SLOTS; slot++) {
    for (size_t i = 0; optimizer->slots[slot] && i < optimizer->count; i++) free(optimizer->slots[slot][i]);
    free(optimizer->slots[slot]);
  }
  free(optimizer->checked);
  muon_free(optimizer->muon);
  free(optimizer->blocks);
  free(optimizer);
}

int optimizer_slots(const struct optimizer *optimizer)
{
  return own_slots(optimizer) + (optimizer->options.ema > 0);
}

const char *optimizer_slot_name(const struct optimizer *optimizer, int slot)
{
  if (slot == own_slots(optimizer)) return "ema";
  if (optimizer->options.kind == OPTIMIZER_SGD) return "momentum";
  return slot == 0 ? "m" : "v";
}

float *optimizer_slot(struct optimizer *optimizer, size_t parameter, int slot)
{
  return optimizer->slots[slot][parameter];
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

// The gradient is a direction by now. Whether the new weights are finite.
static void matrix_block(float rate, float decay, size_t n, float *restrict w, const float *restrict direction)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) w[i] -= decay * w[i] + rate * direction[i];
}

static void average_block(float share, size_t n, const float *restrict w, float *restrict average)
{
#pragma omp simd
  for (size_t i = 0; i < n; i++) average[i] += (w[i] - average[i]) * share;
}

// How much of the average the latest weights become.
static float average_share(float decay, uint64_t step)
{
  if (step == 1) return 1;
  double warm = (1 + (double)step) / (10 + (double)step);
  return (float)(1 - (warm < (double)decay ? warm : (double)decay));
}

static struct update update_of(const struct optimizer_options *options, uint64_t step, float lr, bool is_kernel)
{
  float decay = is_kernel ? options->weight_decay : 0;
  bool decoupled = options->kind == OPTIMIZER_ADAMW || options->kind == OPTIMIZER_MUON;
  struct update update = {.lr = lr, .momentum = options->momentum, .l2 = decoupled ? 0 : decay};
  if (options->kind == OPTIMIZER_SGD) return update;
  double correction =
      sqrt(1 - pow((double)options->beta2, (double)step)) / (1 - pow((double)options->beta1, (double)step));
  update.adam = (struct adam){.lr = (float)((double)lr * correction),
                              .beta1 = options->beta1,
                              .beta2 = options->beta2,
                              .epsilon = options->epsilon,
                              .l2 = update.l2,
                              .decay = decoupled ? lr * decay : 0};
  return update;
}

// The gradient of a block, on this thread.
static const float *gradient_of(const struct optimizer *optimizer, const struct block *block)
{
  if (block->piece == WHOLE) return net_parameter(optimizer->net, block->parameter)->gradient + block->first;
  return net_piece_gradient(optimizer->net, block->parameter, (size_t)block->piece, omp_get_thread_num());
}

static float *slot_of(const struct optimizer *optimizer, const struct block *block, int slot)
{
  return optimizer->slots[slot][block->parameter] + block->first;
}

// Whether its pieces need not be looked at one by one, which would make each of them twice.
static bool is_bounded(const struct optimizer *optimizer, size_t parameter)
{
  return net_pieces_of(optimizer->net, parameter).count > 0 && net_pieces_bounded(optimizer->net, parameter);
}

// FAILED, naming the first parameter whose gradient is not finite.
static enum status check_gradients(const struct optimizer *optimizer, int threads, struct error *error)
{
  size_t bad = SIZE_MAX;
  for (size_t p = 0; p < optimizer->count; p++) {
    const struct parameter *parameter = net_parameter(optimizer->net, p);
    if (!optimizer->slots[0][p]) continue;
    if (!parameter->gradient && net_pieces_of(optimizer->net, p).count == 0)
      return fail(error, BAD_USAGE, "%s has no gradient: the net was planned for inference", parameter->name);
    optimizer->checked[p] = is_bounded(optimizer, p);
  }
#pragma omp parallel for schedule(dynamic, AT_ONCE) num_threads(threads) reduction(min : bad)
  for (size_t b = 0; b < optimizer->block_count; b++) {
    const struct block *block = &optimizer->blocks[b];
    if (optimizer->checked[block->parameter]) continue;
    if (!all_finite(gradient_of(optimizer, block), block->count) && block->parameter < bad) bad = block->parameter;
  }
  if (bad == SIZE_MAX) return OK;
  return fail(error, FAILED, "the gradient of %s is not finite", net_parameter(optimizer->net, bad)->name);
}

// The share of the rate that a parameter takes. Inputs are counted as Keras' fans are: all axes but the last.
static float rate_share(const struct optimizer_options *options, const struct parameter *parameter)
{
  if (!options->lr_inputs || options->kind == OPTIMIZER_SGD || parameter->rank < 2) return 1;
  size_t inputs = parameter->count / (size_t)parameter->shape[parameter->rank - 1];
  return inputs > (size_t)options->lr_inputs ? (float)options->lr_inputs / (float)inputs : 1;
}

// Returns whether the new weights are finite.
static bool update_block(const struct optimizer *optimizer, const struct block *block, uint64_t step, float lr)
{
  const struct optimizer_options *options = &optimizer->options;
  const struct parameter *parameter = net_parameter(optimizer->net, block->parameter);
  float rate = lr * rate_share(options, parameter);
  struct update update = update_of(options, step, rate, parameter->rank > 1);
  float *w = parameter->value + block->first;
  const float *g = gradient_of(optimizer, block);
  bool finite = true;
  if (options->kind == OPTIMIZER_SGD)
    sgd_block(&update, block->count, w, g, slot_of(optimizer, block, 0));
  else if (is_matrix(optimizer, block->parameter))
    matrix_block(lr * options->matrix_rate, lr * options->matrix_rate * options->weight_decay, block->count, w, g);
  else
    finite = optimizer->kernels->adam(&update.adam, block->count, w, g, slot_of(optimizer, block, 0),
                                      slot_of(optimizer, block, 1));
  if (options->ema > 0)
    average_block(average_share(options->ema, step), block->count, w, slot_of(optimizer, block, own_slots(optimizer)));
  if (options->kind == OPTIMIZER_SGD || is_matrix(optimizer, block->parameter)) finite = all_finite(w, block->count);
  if (block->piece != WHOLE) net_piece_stepped(optimizer->net, block->parameter, (size_t)block->piece);
  return finite;
}

enum status optimizer_step(struct optimizer *optimizer, uint64_t step, float lr, int threads, struct error *error)
{
  if (threads > net_threads(optimizer->net)) threads = net_threads(optimizer->net); // those that have scratch
  enum status status = check_gradients(optimizer, threads, error);
  if (status) return status;
  for (size_t p = 0; optimizer->options.centralize && p < optimizer->count; p++)
    if (optimizer->slots[0][p]) centralize_gradient(net_parameter(optimizer->net, p), threads);
  if (optimizer->muon)
    status = muon_directions(optimizer->muon, optimizer->slots[0], optimizer->options.momentum, threads, error);
  if (status) return status;
  size_t bad = SIZE_MAX;
#pragma omp parallel for schedule(dynamic, AT_ONCE) num_threads(threads) reduction(min : bad)
  for (size_t b = 0; b < optimizer->block_count; b++) {
    const struct block *block = &optimizer->blocks[b];
    if (!update_block(optimizer, block, step, lr) && block->parameter < bad) bad = block->parameter;
  }
  net_stepped(optimizer->net, bad);
  return OK;
}

void optimizer_swap_average(struct optimizer *optimizer)
{
  if (optimizer->options.ema <= 0) return;
  for (size_t p = 0; p < optimizer->count; p++) {
    const struct parameter *parameter = net_parameter(optimizer->net, p);
    float *average = optimizer->slots[own_slots(optimizer)][p];
    for (size_t i = 0; average && i < parameter->count; i++) {
      float kept = parameter->value[i];
      parameter->value[i] = average[i];
      average[i] = kept;
    }
  }
  net_parameters_changed(optimizer->net);
}
