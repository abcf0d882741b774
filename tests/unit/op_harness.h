// Runs one op of a table on random numbers: shared by test_ops.c (table against table) and test_gradients.c (finite
// differences). What is random depends on the trial alone, so two tables see the same numbers.
#ifndef TESTS_OP_HARNESS_H
#define TESTS_OP_HARNESS_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"
#include "engine/ops/ops.h"

#include <cmocka.h> // last: it has a macro called fail

enum trial_kind {
  TRIAL_CONV,
  TRIAL_FUSED, // a convolution with a batch norm folded in, with `sum` added to what y holds; forward alone
  TRIAL_DEPTHWISE,
  TRIAL_POOL,
  TRIAL_ADD,
  TRIAL_DROPOUT,
  TRIAL_DENSE,
  TRIAL_NORM, // of three images, of which the first two are zeros
  TRIAL_RELU
};

struct trial {
  enum trial_kind kind;
  enum dtype dtype;
  struct shape x;
  int channels; // of the output: filters, units
  int size, stride;
  enum padding padding;
  bool relu, add, no_dx, sum;
  int pad; // zeros on each side instead of `padding`; forward alone where a pool reads them
  float rate;
};

// One op with its buffers. Everything but the maps themselves is float.
struct rig {
  struct op *op;
  struct trial trial;
  struct shape y_shape;
  enum dtype y_dtype;
  size_t x_count, y_count, parameters, counts[OP_PARAMETERS];
  int inputs;
  float *x[OP_INPUTS], *r, *values[OP_PARAMETERS], *gradients[OP_PARAMETERS]; // r: the gradient by y
  float *y, *dx[OP_INPUTS];
  uint8_t *saved;
  bool by_rows; // runs the op in bands, where it can
};

static inline float *floats(size_t count)
{
  void *memory = NULL;
  assert_int_equal(mem_aligned(&memory, count + 1, sizeof(float), "test", NULL), OK);
  return memory;
}

static inline float rounded_to(enum dtype dtype, float value)
{
  return dtype == DTYPE_BF16 ? bf16_to_float(bf16_from_float(value)) : value;
}

static inline float *random_floats(struct rng *rng, size_t count, float size, enum dtype dtype)
{
  float *values = floats(count);
  for (size_t i = 0; i < count; i++) values[i] = rounded_to(dtype, rng_uniform(rng, -size, size));
  return values;
}

static inline void *to_map(const float *values, size_t count, enum dtype dtype)
{
  float *map = floats(count + 16);
  for (size_t i = 0; i < count; i++) {
    if (dtype == DTYPE_F32)
      map[i] = values[i];
    else
      ((uint16_t *)(void *)map)[i] = bf16_from_float(values[i]);
  }
  return map;
}

static inline void from_map(float *values, const void *map, size_t count, enum dtype dtype)
{
  for (size_t i = 0; i < count; i++)
    values[i] = dtype == DTYPE_F32 ? ((const float *)map)[i] : bf16_to_float(((const uint16_t *)map)[i]);
}

static inline enum status rig_make(struct rig *rig, const struct ops *ops, struct error *error)
{
  const struct trial *t = &rig->trial;
  struct op_context context = {.dtype = t->dtype, .training = true, .threads = 1, .batch = 3, .seed = 5};
  struct conv_spec spec = {.relu = t->relu, .input_gradient = !t->no_dx};
  struct dense_spec dense = {.inputs = t->x.c, .units = t->channels, .input_dtype = t->dtype, .relu = t->relu};
  if (t->pad > 0)
    assert_true(window_fit_padded(&spec.window, t->x, t->channels, t->size, t->stride, t->pad));
  else if (t->kind <= TRIAL_POOL)
    assert_true(window_fit(&spec.window, t->x, t->channels, t->size, t->stride, t->padding));
  size_t taps = (size_t)(t->size * t->size), channels = (size_t)t->channels;
  rig->inputs = 1;
  rig->y_dtype = t->dtype;
  rig->y_shape = spec.window.y;
  switch (t->kind) {
  case TRIAL_CONV:
    rig->parameters = 2;
    rig->counts[0] = taps * (size_t)t->x.c * channels, rig->counts[1] = channels;
    return ops->conv(&rig->op, &context, &spec, error);
  case TRIAL_FUSED:
    rig->parameters = 6;
    rig->counts[0] = taps * (size_t)t->x.c * channels;
    for (int p = 1; p < 6; p++) rig->counts[p] = channels;
    spec.norm = true;
    spec.sum = t->sum;
    spec.epsilon = 1e-3f;
    context.training = spec.input_gradient = false;
    return ops->conv(&rig->op, &context, &spec, error);
  case TRIAL_NORM:
    rig->parameters = 4;
    for (int p = 0; p < 4; p++) rig->counts[p] = (size_t)t->x.c;
    rig->y_shape = t->x;
    rig->inputs = t->sum ? 2 : 1;
    return ops->norm(
        &rig->op, &context,
        &(struct norm_spec){
            .shape = t->x, .epsilon = 1e-3f, .momentum = 0.9f, .relu = t->relu, .sum = t->sum, .trains = true},
        error);
  case TRIAL_RELU:
    rig->y_shape = t->x;
    return ops->relu(&rig->op, &context, t->x, error);
  case TRIAL_DEPTHWISE:
    rig->parameters = 1;
    rig->counts[0] = taps * channels;
    return ops->depthwise(&rig->op, &context, &spec, error);
  case TRIAL_POOL:
    return ops->max_pool(&rig->op, &context, &spec.window, error);
  case TRIAL_ADD:
    rig->inputs = 2;
    rig->y_shape = t->x;
    return ops->add(&rig->op, &context, t->x, error);
  case TRIAL_DROPOUT:
    rig->y_shape = t->x;
    return ops->dropout(&rig->op, &context, t->x, t->rate, 3, error);
  case TRIAL_DENSE:
    rig->parameters = 2;
    rig->counts[0] = (size_t)t->x.c * channels, rig->counts[1] = channels;
    rig->y_shape = (struct shape){1, 1, t->channels};
    rig->y_dtype = DTYPE_F32;
    return ops->dense(&rig->op, &context, &dense, error);
  }
  return BAD_USAGE;
}

static inline void rig_init(struct rig *rig, const struct ops *ops, const struct trial *trial)
{
  struct error error = {0};
  *rig = (struct rig){.trial = *trial};
  if (rig_make(rig, ops, &error)) fail_msg("%s", error.text);
  struct rng rng = rng_at(3, RNG_TEST, 0, 0);
  rig->x_count = shape_elements(trial->x);
  rig->y_count = shape_elements(rig->y_shape);
  for (int i = 0; i < rig->inputs; i++) {
    rig->x[i] = random_floats(&rng, rig->x_count, 1, trial->dtype);
    rig->dx[i] = random_floats(&rng, rig->x_count, 1, trial->dtype);
  }
  rig->r = random_floats(&rng, rig->y_count, 1, rig->y_dtype);
  rig->y = floats(rig->y_count);
  for (size_t p = 0; p < rig->parameters; p++) {
    rig->values[p] = random_floats(&rng, rig->counts[p], 0.5f, DTYPE_F32);
    rig->gradients[p] = floats(rig->counts[p]);
  }
  for (size_t i = 0; trial->kind == TRIAL_FUSED && i < rig->counts[5]; i++) // a variance
    rig->values[5][i] = 0.1f + (float)fabs((double)rig->values[5][i]);
  rig->saved = calloc(1, rig->op->saved_bytes + 1);
  assert_non_null(rig->saved);
}

static inline void rig_release(struct rig *rig)
{
  op_free(rig->op);
  for (int i = 0; i < rig->inputs; i++) free(rig->x[i]), free(rig->dx[i]);
  for (size_t p = 0; p < rig->parameters; p++) free(rig->values[p]), free(rig->gradients[p]);
  free(rig->r);
  free(rig->y);
  free(rig->saved);
}

// Forward or backward of an op: whole, or as few rows at a time as it takes. Scratch lasts for a band.
static inline void rig_pass(const struct rig *rig, struct op_run *run, bool backward)
{
  const struct op *op = rig->op;
  if (!rig->by_rows || op->rows_at_once == 0) {
    (backward ? op->kind->backward : op->kind->forward)(op, run);
    return;
  }
  run->y_rows = run->dy_rows = rig->y_shape.h;
  for (int i = 0; i < rig->inputs; i++) run->x_rows[i] = run->dx_rows[i] = rig->trial.x.h;
  for (int first = 0; first < rig->y_shape.h; first += op->rows_at_once) {
    int end = first + op->rows_at_once < rig->y_shape.h ? first + op->rows_at_once : rig->y_shape.h;
    memset(run->scratch, 0xff, op->scratch_bytes);
    (backward ? op->kind->backward_rows : op->kind->forward_rows)(op, run, first, end);
  }
}

// Fills y and, if `backward`, dx and gradients from x, r and values.
static inline void rig_run(struct rig *rig, bool backward)
{
  const struct op *op = rig->op;
  void *scratch = NULL, *maps[6] = {0};
  float *lane = floats(op->lane_floats);
  assert_int_equal(mem_aligned(&scratch, op->scratch_bytes, 1, "test", NULL), OK);
  memset(scratch, 0xff, op->scratch_bytes); // NaN: nothing may be read that was not written
  struct op_run run = {.saved = rig->saved, .scratch = scratch, .lane = lane, .image = 2, .step = 9, .training = true};
  run.y = maps[0] = to_map(rig->y, rig->y_count, rig->y_dtype);
  run.dy = maps[1] = to_map(rig->r, rig->y_count, rig->y_dtype);
  for (int i = 0; i < rig->inputs; i++) {
    run.x[i] = maps[2 + i] = to_map(rig->x[i], rig->x_count, rig->trial.dtype);
    maps[4 + i] = to_map(rig->dx[i], rig->x_count, rig->trial.dtype);
    run.dx[i] = rig->trial.no_dx ? NULL : maps[4 + i];
    run.add[i] = rig->trial.add;
  }
  const struct op_batch batch = {.n = 3, .training = true, .parts = 1, .scratch = scratch};
  if (op->kind->pack) op->kind->pack(rig->op, rig->values);
  if (rig->trial.kind == TRIAL_FUSED) memcpy(run.y, run.dy, rig->y_count * dtype_size(rig->y_dtype));
  if (op->kind->before) op->kind->before(op, &run);
  if (op->kind->batch_forward) op->kind->batch_forward(op, &batch);
  rig_pass(rig, &run, false);
  from_map(rig->y, run.y, rig->y_count, rig->y_dtype);
  if (backward && op->kind->backward && rig->trial.kind != TRIAL_FUSED) {
    rig_pass(rig, &run, true);
    if (op->kind->batch_backward) op->kind->batch_backward(op, &batch);
    if (op->kind->after) op->kind->after(op, &run);
    for (int i = 0; i < rig->inputs; i++) from_map(rig->dx[i], maps[4 + i], rig->x_count, rig->trial.dtype);
    if (op->kind->gradient) op->kind->gradient(op, lane, rig->gradients);
    // A batch of three, of which the first two images are zeros.
    for (size_t part = 0; op->kind->batch_gradient && part < 7; part++)
      op->kind->batch_gradient(op, &(struct op_batch){.n = 3, .part = part, .parts = 7, .scratch = scratch},
                               rig->gradients);
  }
  for (int i = 0; i < 6; i++) free(maps[i]);
  free(scratch);
  free(lane);
}

#endif
