// A large dense layer: its weights are read once for the whole batch, not once an image. The inputs are cut into
// chunks: a chunk's weights meet all images while they are in the cache, forward and backward; what a chunk adds to the
// outputs is kept by itself and summed in the chunks' order.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/native.h"

enum { CHUNKS = 64 };

struct dense_op {
  struct op op;
  const struct kernels *k;
  size_t inputs, units, element, batch;
  size_t dy_stride; // even, so that a bf16 row may be read one element further
  bool relu;
  float *bias, *partial;                    // partial: [CHUNKS, batch, units]
  void *forward[CHUNKS], *backward[CHUNKS]; // packed weights
  unsigned char *dy;                        // [batch, dy_stride], after ReLU
};

static void dense_free(struct op *op)
{
  struct dense_op *dense = (struct dense_op *)op;
  for (int c = 0; c < CHUNKS; c++) {
    free(dense->forward[c]);
    free(dense->backward[c]);
  }
  free(dense->bias);
  free(dense->partial);
  free(dense->dy);
  free(dense);
}

// Chunk c has the inputs first ... first + *count - 1; an even number of them but for the last.
static size_t chunk_of(const struct dense_op *dense, size_t c, size_t *count)
{
  size_t first = dense->inputs * c / CHUNKS & ~(size_t)1;
  size_t end = c + 1 == CHUNKS ? dense->inputs : dense->inputs * (c + 1) / CHUNKS & ~(size_t)1;
  *count = end - first;
  return first;
}

static void dense_pack_part(struct op *op, float *const values[OP_PARAMETERS], size_t part, size_t parts)
{
  struct dense_op *dense = (struct dense_op *)op;
  if (part == 0) memcpy(dense->bias, values[1], dense->units * sizeof(float));
  for (size_t c = part; c < CHUNKS; c += parts) {
    size_t count, first = chunk_of(dense, c, &count);
    const float *weights = values[0] + first * dense->units;
    dense->k->pack(1, count, dense->units, weights, dense->units, 1, NULL, dense->forward[c]);
    if (dense->backward[c]) dense->k->pack(1, dense->units, count, weights, 1, dense->units, NULL, dense->backward[c]);
  }
}

static void dense_batch_forward(const struct op *op, const struct op_batch *batch)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  for (size_t c = batch->part; c < CHUNKS; c += batch->parts) {
    size_t count, first = chunk_of(dense, c, &count);
    const struct rows rows = {.base = {(const unsigned char *)batch->x + first * dense->element},
                              .segments = 1,
                              .k = count,
                              .stride = dense->inputs};
    dense->k->product_f32(batch->n, dense->units, &rows, dense->forward[c], false,
                          dense->partial + c * dense->batch * dense->units, dense->units);
  }
}

static void dense_forward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  float *y = run->y;
  memcpy(y, dense->bias, dense->units * sizeof *y);
  for (size_t c = 0; c < CHUNKS; c++) {
    const float *partial = dense->partial + (c * dense->batch + run->image) * dense->units;
    for (size_t u = 0; u < dense->units; u++) y[u] += partial[u];
  }
  for (size_t u = 0; dense->relu && u < dense->units; u++)
    if (y[u] < 0) y[u] = 0;
}

static void dense_backward(const struct op *op, const struct op_run *run)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  const float *y = run->y;
  float *gradient = run->dy;
  for (size_t u = 0; dense->relu && u < dense->units; u++)
    if (!(y[u] > 0)) gradient[u] = 0;
  dense->k->from_f32(dense->units, gradient, dense->dy + run->image * dense->dy_stride * dense->element);
}

static void dense_batch_backward(const struct op *op, const struct op_batch *batch)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  const struct rows rows = {.base = {dense->dy}, .segments = 1, .k = dense->units, .stride = dense->dy_stride};
  for (size_t c = batch->part; batch->dx && c < CHUNKS; c += batch->parts) {
    size_t count, first = chunk_of(dense, c, &count);
    unsigned char *dx = (unsigned char *)batch->dx + first * dense->element;
    if (!batch->add) {
      dense->k->product(batch->n, count, &rows, dense->backward[c], false, dx, dense->inputs);
      continue;
    }
    dense->k->product(batch->n, count, &rows, dense->backward[c], false, batch->scratch, count);
    for (size_t i = 0; i < batch->n; i++, dx += dense->inputs * dense->element)
      dense->k->add_dropout(count, dx, (unsigned char *)batch->scratch + i * count * dense->element, NULL, 1, dx);
  }
}

// dW[inputs of a chunk, U] = x^T * dy over the batch.
static void dense_batch_gradient(const struct op *op, const struct op_batch *batch,
                                 float *const gradients[OP_PARAMETERS])
{
  const struct dense_op *dense = (const struct dense_op *)op;
  for (size_t c = batch->part; c < CHUNKS; c += batch->parts) {
    size_t count, first = chunk_of(dense, c, &count);
    const struct rows rows = {.base = {(const unsigned char *)batch->x + first * dense->element},
                              .segments = 1,
                              .k = count,
                              .stride = dense->inputs};
    float *out = gradients[0] + first * dense->units;
    memset(out, 0, count * dense->units * sizeof *out);
    dense->k->product_transposed(batch->n, dense->units, &rows, dense->dy, dense->dy_stride, out, batch->scratch);
  }
  if (batch->part > 0) return;
  memset(gradients[1], 0, dense->units * sizeof(float));
  dense->k->column_sums(batch->n, dense->units, dense->dy, dense->dy_stride, gradients[1]);
}

static const struct op_kind dense_kind = {.name = "dense",
                                          .free = dense_free,
                                          .pack_part = dense_pack_part,
                                          .batch_forward = dense_batch_forward,
                                          .forward = dense_forward,
                                          .backward = dense_backward,
                                          .batch_backward = dense_batch_backward,
                                          .batch_gradient = dense_batch_gradient};

static size_t larger(size_t a, size_t b)
{
  return a > b ? a : b;
}

static enum status allocate(struct dense_op *dense, bool training, struct error *error)
{
  size_t partials = CHUNKS * dense->batch * dense->units, most = 0;
  enum status status = mem_aligned((void **)&dense->bias, dense->units, sizeof(float), "dense biases", error);
  if (!status) status = mem_aligned((void **)&dense->partial, partials, sizeof(float), "dense outputs", error);
  dense->op.own_bytes = partials * sizeof(float);
  for (size_t c = 0; !status && c < CHUNKS; c++) {
    size_t count, bytes;
    chunk_of(dense, c, &count);
    bytes = dense->k->packed_bytes(1, count, dense->units);
    status = mem_aligned(&dense->forward[c], bytes, 1, "packed weights", error);
    dense->op.own_bytes += bytes;
    most = larger(most, count);
    if (status || !training) continue;
    bytes = dense->k->packed_bytes(1, dense->units, count);
    status = mem_aligned(&dense->backward[c], bytes, 1, "packed weights", error);
    dense->op.own_bytes += bytes;
  }
  if (status || !training) return status;
  dense->op.own_bytes += dense->batch * dense->dy_stride * dense->element;
  dense->op.scratch_bytes = larger(dense->k->transposed_scratch(dense->batch, dense->units, most),
                                   native_aligned(dense->batch * most * dense->element));
  return mem_aligned((void **)&dense->dy, dense->batch * dense->dy_stride, dense->element, "gradients", error);
}

enum status native_batch_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                               struct error *error)
{
  const struct kernels *kernels = native_kernels(spec->input_dtype);
  enum status status = native_op_new(out, sizeof(struct dense_op), &dense_kind, kernels, error);
  if (status) return status;
  struct dense_op *dense = (struct dense_op *)*out;
  dense->k = kernels;
  dense->inputs = (size_t)spec->inputs;
  dense->units = (size_t)spec->units;
  dense->batch = (size_t)context->batch;
  dense->element = dtype_size(spec->input_dtype);
  dense->dy_stride = dense->units + dense->units % 2;
  dense->relu = spec->relu;
  dense->op.backward_reads_y = spec->relu;
  dense->op.batch_reads_x = true;
  status = allocate(dense, context->training, error);
  if (!status) return OK;
  dense_free(*out);
  *out = NULL;
  return status;
}
