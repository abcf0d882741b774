// Dense layers: per image a product of one row; the weights' gradient after the batch, from the inputs and output
// gradients of all its images. In inference some images at a time share the weights of a larger layer, to the same
// bits: what a run validates with and what it is judged by later are one number.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

struct dense_op {
  struct op op;
  const struct kernels *k;
  size_t inputs, units, element;
  size_t x_stride, dy_stride; // even, so that a bf16 row may be read one element further
  bool relu;
  void *forward, *backward; // packed weights
  unsigned char *x, *dy;    // of the batch: [N, x_stride], [N, dy_stride]; dy after ReLU
  float *y;                 // the same, [N, units], where images share the weights
};

static void dense_free(struct op *op)
{
  struct dense_op *dense = (struct dense_op *)op;
  free(dense->forward);
  free(dense->backward);
  free(dense->x);
  free(dense->dy);
  free(dense->y);
  free(dense);
}

static void dense_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct dense_op *dense = (struct dense_op *)op;
  dense->k->pack(1, dense->inputs, dense->units, values[0], dense->units, 1, values[1], dense->forward);
  if (dense->backward)
    dense->k->pack(1, dense->units, dense->inputs, values[0], 1, dense->units, NULL, dense->backward);
}

static void dense_forward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  struct rows rows = {.base = {run->x[0]}, .segments = 1, .k = dense->inputs, .stride = dense->inputs};
  if (run->training || dense->x_stride != dense->inputs) { // kept for the gradient, or to have a readable end
    unsigned char *copy = run->training ? dense->x + run->image * dense->x_stride * dense->element : run->scratch;
    memcpy(copy, run->x[0], dense->inputs * dense->element);
    memset(copy + dense->inputs * dense->element, 0, (dense->x_stride - dense->inputs) * dense->element);
    rows.base[0] = copy;
  }
  dense->k->product_f32(1, dense->units, &rows, dense->forward, dense->relu, run->y, dense->units);
}

static void dense_backward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  const float *y = run->y;
  float *gradient = run->dy;
  for (size_t u = 0; dense->relu && u < dense->units; u++)
    if (!(y[u] > 0)) gradient[u] = 0;
  unsigned char *dy = dense->dy + run->image * dense->dy_stride * dense->element;
  dense->k->from_f32(dense->units, gradient, dy);
  if (!run->dx[0]) return;
  struct rows rows = {.base = {dy}, .segments = 1, .k = dense->units, .stride = dense->dy_stride};
  void *dx = run->add[0] ? run->scratch : run->dx[0];
  dense->k->product(1, dense->inputs, &rows, dense->backward, false, dx, dense->inputs);
  if (run->add[0]) dense->k->add_dropout(dense->inputs, run->dx[0], dx, NULL, 1, run->dx[0]);
}

// dW[rows of this part, U] = x^T * dy over the batch.
static void dense_batch_gradient(const struct op *op, const struct op_batch *batch,
                                 float *const gradients[OP_PARAMETERS])
{
  const size_t n = batch->n, part = batch->part, parts = batch->parts;
  const struct dense_op *dense = (const struct dense_op *)op;
  size_t first = dense->inputs * part / parts, end = dense->inputs * (part + 1) / parts;
  if (end > first) {
    struct rows rows = {
        .base = {dense->x + first * dense->element}, .segments = 1, .k = end - first, .stride = dense->x_stride};
    float *out = gradients[0] + first * dense->units;
    memset(out, 0, (end - first) * dense->units * sizeof *out);
    dense->k->product_transposed(n, dense->units, &rows, dense->dy, dense->dy_stride, out, batch->scratch);
  }
  if (part > 0) return;
  memset(gradients[1], 0, dense->units * sizeof(float));
  dense->k->column_sums(n, dense->units, dense->dy, dense->dy_stride, gradients[1]);
}

static const struct op_kind dense_kind = {.name = "dense",
                                          .free = dense_free,
                                          .pack = dense_pack,
                                          .forward = dense_forward,
                                          .backward = dense_backward,
                                          .batch_gradient = dense_batch_gradient};

static enum status allocate(struct dense_op *dense, const struct op_context *context, struct error *error)
{
  size_t bytes = dense->k->packed_bytes(1, dense->inputs, dense->units), batch = (size_t)context->batch;
  enum status status = mem_aligned(&dense->forward, bytes, 1, "packed weights", error);
  dense->op.own_bytes = bytes;
  dense->op.scratch_bytes = mem_whole(dense->x_stride * dense->element);
  if (status || !context->training) return status;
  size_t zipped = dense->k->transposed_scratch(batch, dense->units, dense->inputs);
  if (zipped > dense->op.scratch_bytes) dense->op.scratch_bytes = zipped;
  bytes = dense->k->packed_bytes(1, dense->units, dense->inputs);
  dense->op.own_bytes += bytes + batch * (dense->x_stride + dense->dy_stride) * dense->element;
  status = mem_aligned(&dense->backward, bytes, 1, "packed weights", error);
  if (!status) status = mem_aligned((void **)&dense->x, batch * dense->x_stride, dense->element, "dense inputs", error);
  if (!status) status = mem_aligned((void **)&dense->dy, batch * dense->dy_stride, dense->element, "gradients", error);
  return status;
}

// --- in inference, some images at a time -----------------------------------------------------------------------------

enum { SHARES = 8 }; // of the batch: as many threads can take part, and each reads the weights

static void shared_batch_forward(const struct op *op, const struct op_batch *batch)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  for (size_t share = batch->part; share < SHARES; share += batch->parts) {
    const size_t first = batch->n * share / SHARES, end = batch->n * (share + 1) / SHARES;
    const struct rows rows = {.base = {(const unsigned char *)batch->x + first * dense->inputs * dense->element},
                              .segments = 1,
                              .k = dense->inputs,
                              .stride = dense->inputs};
    dense->k->product_lines(end - first, dense->units, &rows, dense->forward, dense->relu,
                            dense->y + first * dense->units, dense->units);
  }
}

static void shared_forward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  memcpy(run->y, dense->y + run->image * dense->units, dense->units * sizeof(float));
}

static const struct op_kind shared_dense_kind = {.name = "dense",
                                                 .free = dense_free,
                                                 .pack = dense_pack,
                                                 .batch_forward = shared_batch_forward,
                                                 .forward = shared_forward};

static enum status allocate_shared(struct dense_op *dense, const struct op_context *context, struct error *error)
{
  const size_t outputs = (size_t)context->batch * dense->units;
  dense->op.own_bytes += outputs * sizeof(float);
  return mem_aligned((void **)&dense->y, outputs, sizeof(float), "dense outputs", error);
}

enum status native_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                         struct error *error)
{
  const struct kernels *kernels = native_kernels(spec->input_dtype);
  if (!kernels) return ops_reference.dense(out, context, spec, error);
  const size_t weights = (size_t)spec->inputs * (size_t)spec->units;
  if (weights >= BATCH_DENSE_WEIGHTS) return native_batch_dense(out, context, spec, error);
  const bool shared = !context->training && weights >= SHARED_DENSE_WEIGHTS && spec->inputs % 2 == 0;
  enum status status =
      native_op_new(out, sizeof(struct dense_op), shared ? &shared_dense_kind : &dense_kind, kernels, error);
  if (status) return status;
  struct dense_op *dense = (struct dense_op *)*out;
  dense->k = kernels;
  dense->inputs = (size_t)spec->inputs;
  dense->units = (size_t)spec->units;
  dense->element = dtype_size(spec->input_dtype);
  dense->x_stride = dense->inputs + dense->inputs % 2;
  dense->dy_stride = dense->units + dense->units % 2;
  dense->relu = spec->relu;
  dense->op.backward_reads_y = spec->relu;
  status = allocate(dense, context, error);
  if (!status && shared) status = allocate_shared(dense, context, error);
  if (!status) return OK;
  dense_free(*out);
  *out = NULL;
  return status;
}
