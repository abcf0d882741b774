// Batch norm and ReLU on our own loops (kernels/norm.h).
#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "engine/ops/native.h"
#include "engine/ops/norm.h"

struct norm_op {
  struct op op;
  const struct norm_loops *loops;
  struct norm_spec spec;
  size_t element, pixels, channels;
  struct norm_state state;
  float *gamma, *beta;                           // [C]
  float *scale, *shift;                          // of the moving statistics: y = x * scale + shift
  float *own_scale, *own_shift, *mean, *inverse; // of the batch's
  float *a, *b, *d;                              // dx = a * dy + b * x + d
};
enum { NORM_VECTORS = 11 };

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
  for (size_t c = 0; c < norm->channels; c++) {
    double scale = (double)values[0][c] / sqrt((double)values[3][c] + (double)norm->spec.epsilon);
    norm->gamma[c] = values[0][c];
    norm->beta[c] = values[1][c];
    norm->scale[c] = (float)scale;
    norm->shift[c] = (float)((double)values[1][c] - (double)values[2][c] * scale);
  }
}

static size_t channels_of_block(const struct norm_op *norm, size_t first)
{
  return norm->channels - first < NORM_CHANNELS ? norm->channels - first : NORM_CHANNELS;
}

static void norm_before(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  for (size_t c = 0; c < norm->channels; c += NORM_CHANNELS) {
    size_t at = run->image * norm->channels + c;
    norm->loops->moments(norm->pixels, channels_of_block(norm, c), norm->channels,
                         (const unsigned char *)run->x[0] + c * norm->element, norm->state.mean + at,
                         norm->state.deviation + at);
  }
}

static void norm_batch_forward(const struct op *op, const struct op_batch *batch)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  if (batch->part > 0 || !batch->training) return;
  norm_state_forward(&norm->state, batch->n);
  for (size_t c = 0; c < norm->channels; c++) {
    double mean = norm->state.batch_mean[c];
    double inverse = 1 / sqrt(norm->state.batch_variance[c] + (double)norm->spec.epsilon);
    norm->mean[c] = (float)mean;
    norm->inverse[c] = (float)inverse;
    norm->own_scale[c] = (float)((double)norm->gamma[c] * inverse);
    norm->own_shift[c] = (float)((double)norm->beta[c] - mean * (double)norm->gamma[c] * inverse);
  }
}

static void norm_forward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  bool own = norm->spec.trains && run->training;
  norm->loops->apply(norm->pixels, norm->channels, run->x[0], own ? norm->own_scale : norm->scale,
                     own ? norm->own_shift : norm->shift, norm->spec.sum ? run->x[1] : NULL, norm->spec.relu, run->y);
}

static void norm_backward(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  for (size_t c = 0; c < norm->channels; c += NORM_CHANNELS) {
    size_t at = run->image * norm->channels + c, byte = c * norm->element;
    const struct norm_gradients maps = {
        .x = (const unsigned char *)run->x[0] + byte,
        .y = norm->spec.relu ? (const unsigned char *)run->y + byte : NULL,
        .dy = (unsigned char *)run->dy + byte,
        .other = norm->spec.sum && run->dx[1] ? (unsigned char *)run->dx[1] + byte : NULL,
        .add = run->add[1],
    };
    norm->loops->sums(norm->pixels, channels_of_block(norm, c), norm->channels, &maps, norm->mean + c,
                      norm->inverse + c, norm->state.dy + at, norm->state.dy_x + at);
  }
}

// dx = gamma * inverse * (dy - mean(dy) - off * mean(dy * off)), off = (x - mean) * inverse, as a line in dy and x.
static void norm_batch_backward(const struct op *op, const struct op_batch *batch)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  if (batch->part > 0) return;
  norm_state_backward(&norm->state, batch->n);
  double count = (double)*norm->state.count;
  for (size_t c = 0; c < norm->channels; c++) {
    double inverse = (double)norm->inverse[c], scale = (double)norm->gamma[c] * inverse;
    double slope = -scale * inverse * norm->state.sum_dy_x[c] / count;
    norm->a[c] = (float)scale;
    norm->b[c] = (float)slope;
    norm->d[c] = (float)(-scale * norm->state.sum_dy[c] / count - slope * (double)norm->mean[c]);
  }
}

static void norm_after(const struct op *op, const struct op_run *run)
{
  const struct norm_op *norm = (const struct norm_op *)op;
  if (run->dx[0])
    norm->loops->spread(norm->pixels, norm->channels, run->x[0], run->dy, norm->a, norm->b, norm->d, run->add[0],
                        run->dx[0]);
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

static void place_vectors(struct norm_op *norm)
{
  float **const vectors[NORM_VECTORS] = {&norm->gamma, &norm->beta,    &norm->scale,     &norm->shift,
                                         &norm->mean,  &norm->inverse, &norm->own_scale, &norm->own_shift,
                                         &norm->a,     &norm->b,       &norm->d};
  for (size_t i = 1; i < NORM_VECTORS; i++) *vectors[i] = norm->gamma + i * norm->channels;
}

enum status native_norm(struct op **out, const struct op_context *context, const struct norm_spec *spec,
                        struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  if (!kernels || !spec->trains) return ops_reference.norm(out, context, spec, error);
  enum status status = native_op_new(out, sizeof(struct norm_op), &norm_kind, kernels, error);
  if (status) return status;
  struct norm_op *norm = (struct norm_op *)*out;
  norm->loops = &kernels->norm;
  norm->spec = *spec;
  norm->element = dtype_size(context->dtype);
  norm->pixels = (size_t)spec->shape.h * (size_t)spec->shape.w;
  norm->channels = (size_t)spec->shape.c;
  norm->op.backward_reads_x = true;
  norm->op.backward_reads_y = spec->relu;
  status = mem_aligned((void **)&norm->gamma, NORM_VECTORS * norm->channels, sizeof(float), "a batch norm", error);
  if (!status) status = norm_state_init(&norm->state, spec->shape, context->batch, error);
  if (status) {
    norm_free(*out);
    *out = NULL;
    return status;
  }
  place_vectors(norm);
  norm->op.own_bytes = NORM_VECTORS * norm->channels * sizeof(float) + norm_state_bytes(&norm->state);
  return OK;
}

// --- ReLU by itself --------------------------------------------------------------------------------------------------

struct relu_op {
  struct op op;
  const struct norm_loops *loops;
  size_t elements;
};

static void relu_free(struct op *op)
{
  free(op);
}

static void relu_forward(const struct op *op, const struct op_run *run)
{
  const struct relu_op *relu = (const struct relu_op *)op;
  relu->loops->relu(relu->elements, run->x[0], run->y);
}

static void relu_backward(const struct op *op, const struct op_run *run)
{
  const struct relu_op *relu = (const struct relu_op *)op;
  if (run->dx[0]) relu->loops->relu_backward(relu->elements, run->y, run->dy, run->add[0], run->dx[0]);
}

static const struct op_kind relu_kind = {
    .name = "relu", .free = relu_free, .forward = relu_forward, .backward = relu_backward};

enum status native_relu(struct op **out, const struct op_context *context, struct shape shape, struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  if (!kernels) return ops_reference.relu(out, context, shape, error);
  enum status status = native_op_new(out, sizeof(struct relu_op), &relu_kind, kernels, error);
  if (status) return status;
  struct relu_op *relu = (struct relu_op *)*out;
  relu->loops = &kernels->norm;
  relu->elements = shape_elements(shape);
  relu->op.backward_reads_y = true;
  return OK;
}
