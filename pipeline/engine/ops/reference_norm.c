// The plain version of batch norm.
#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/ops/norm.h"
#include "engine/ops/reference.h"

struct norm_op {
  struct op op;
  struct norm_spec spec;
  enum dtype dtype;
  size_t elements, channels;
  struct norm_state state;
  double *gamma, *beta, *mean, *variance; // [C]
};

static void norm_free(struct op *op)
{
  struct norm_op *norm = (struct norm_op *)op;
  norm_state_release(&norm->state);
  free(norm->gamma);
  free(norm);
}

static void norm_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct norm_op *norm = (struct norm_op *)op;
  double *const packed[4] = {norm->gamma, norm->beta, norm->mean, norm->variance};
  for (int p = 0; p < 4; p++)
    for (size_t c = 0; c < norm->channels; c++) packed[p][c] = (double)values[p][c];
}

static double inverse(const struct norm_op *norm, double variance)
{
  return 1 / sqrt(variance + (double)norm->spec.epsilon);
}

static void norm_before(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  const struct norm_state *state = &norm->state;
  for (size_t c = 0; c < norm->channels; c++) {
    double mean = 0, deviation = 0;
    for (size_t i = c; i < norm->elements; i += norm->channels) mean += (double)get(run->x[0], norm->dtype, i);
    mean /= (double)state->pixels;
    for (size_t i = c; i < norm->elements; i += norm->channels) {
      double off = (double)get(run->x[0], norm->dtype, i) - mean;
      deviation += off * off;
    }
    state->mean[run->image * norm->channels + c] = mean;
    state->deviation[run->image * norm->channels + c] = deviation;
  }
}

static void norm_batch_forward(const struct op *op, const struct op_batch *batch)
{
  if (batch->part == 0 && batch->training) norm_state_forward(&((const struct norm_op *)op)->state, batch->n);
}

static void norm_forward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  bool own = norm->spec.trains && run->training;
  for (size_t i = 0; i < norm->elements; i++) {
    size_t c = i % norm->channels;
    double mean = own ? norm->state.batch_mean[c] : norm->mean[c];
    double scale = inverse(norm, own ? norm->state.batch_variance[c] : norm->variance[c]) * norm->gamma[c];
    double y = ((double)get(run->x[0], norm->dtype, i) - mean) * scale + norm->beta[c];
    if (norm->spec.sum) y += (double)get(run->x[1], norm->dtype, i);
    put(run->y, norm->dtype, i, norm->spec.relu && y < 0 ? 0 : (float)y);
  }
}

// dy where ReLU let the value through.
static double masked(const struct norm_op *norm, const struct op_run *run, size_t i)
{
  if (norm->spec.relu && !(get(run->y, norm->dtype, i) > 0)) return 0;
  return (double)get(run->dy, norm->dtype, i);
}

// The gradient of the map that is added.
static void give_sum(const struct norm_op *norm, const struct op_run *run)
{
  for (size_t i = 0; norm->spec.sum && run->dx[1] && i < norm->elements; i++)
    put_gradient(run, 1, norm->dtype, i, (float)masked(norm, run, i));
}

// Without statistics of the batch this is all: dx.
static void frozen_backward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  give_sum(norm, run);
  for (size_t i = 0; run->dx[0] && i < norm->elements; i++) {
    size_t c = i % norm->channels;
    double scale = inverse(norm, norm->variance[c]) * norm->gamma[c];
    put_gradient(run, 0, norm->dtype, i, (float)(masked(norm, run, i) * scale));
  }
}

static void norm_backward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  const struct norm_state *state = &norm->state;
  give_sum(norm, run);
  for (size_t c = 0; c < norm->channels; c++) {
    double dy_sum = 0, dy_x = 0, scale = inverse(norm, state->batch_variance[c]);
    for (size_t i = c; i < norm->elements; i += norm->channels) {
      double dy = masked(norm, run, i);
      put(run->dy, norm->dtype, i, (float)dy); // for norm_after
      dy_sum += dy;
      dy_x += dy * ((double)get(run->x[0], norm->dtype, i) - state->batch_mean[c]) * scale;
    }
    state->dy[run->image * norm->channels + c] = dy_sum;
    state->dy_x[run->image * norm->channels + c] = dy_x;
  }
}

static void norm_batch_backward(const struct op *op, const struct op_batch *batch)
{
  if (batch->part == 0) norm_state_backward(&((const struct norm_op *)op)->state, batch->n);
}

static void norm_after(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  const struct norm_state *state = &norm->state;
  double count = (double)*state->count;
  for (size_t i = 0; run->dx[0] && i < norm->elements; i++) {
    size_t c = i % norm->channels;
    double scale = inverse(norm, state->batch_variance[c]);
    double off = ((double)get(run->x[0], norm->dtype, i) - state->batch_mean[c]) * scale;
    double dy = (double)get(run->dy, norm->dtype, i);
    double dx = norm->gamma[c] * scale * (dy - state->sum_dy[c] / count - off * state->sum_dy_x[c] / count);
    put_gradient(run, 0, norm->dtype, i, (float)dx);
  }
}

static void norm_batch_gradient(const struct op *op, const struct op_batch *batch,
                                float *const gradients[OP_PARAMETERS])
{
  if (batch->part == 0) norm_state_gradients(&((const struct norm_op *)op)->state, gradients[0], gradients[1]);
}

static void norm_settle(const struct op *op, float *const values[OP_PARAMETERS])
{
  const struct norm_op *norm = (const struct norm_op *)op;
  norm_state_settle(&norm->state, norm->spec.momentum, values[2], values[3]);
}

static const struct op_kind norm_kind = {.name = "norm",
                                         .free = norm_free,
                                         .pack = norm_pack,
                                         .before = norm_before,
                                         .batch_forward = norm_batch_forward,
                                         .forward = norm_forward,
                                         .backward = norm_backward,
                                         .batch_backward = norm_batch_backward,
                                         .after = norm_after,
                                         .batch_gradient = norm_batch_gradient,
                                         .settle = norm_settle};

static const struct op_kind frozen_kind = {
    .name = "norm", .free = norm_free, .pack = norm_pack, .forward = norm_forward, .backward = frozen_backward};

enum status reference_norm(struct op **out, const struct op_context *context, const struct norm_spec *spec,
                           struct error *error)
{
  const struct op_kind *kind = spec->trains ? &norm_kind : &frozen_kind;
  enum status status = reference_op_new(out, sizeof(struct norm_op), kind, error);
  if (status) return status;
  struct norm_op *norm = (struct norm_op *)*out;
  norm->spec = *spec;
  norm->dtype = context->dtype;
  norm->channels = (size_t)spec->shape.c;
  norm->elements = shape_elements(spec->shape);
  norm->op.backward_reads_x = spec->trains;
  norm->op.backward_reads_y = spec->relu;
  norm->op.own_bytes = 4 * norm->channels * sizeof(double);
  status = mem_zeroed((void **)&norm->gamma, 4 * norm->channels, sizeof(double), "a batch norm", error);
  if (!status && spec->trains) status = norm_state_init(&norm->state, spec->shape, context->batch, error);
  if (status) {
    norm_free(*out);
    *out = NULL;
    return status;
  }
  norm->beta = norm->gamma + norm->channels;
  norm->mean = norm->beta + norm->channels;
  norm->variance = norm->mean + norm->channels;
  norm->op.own_bytes += norm_state_bytes(&norm->state);
  return OK;
}
