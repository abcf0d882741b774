// A large dense layer: its weights are read once for the whole batch, not once an image. The inputs are cut into
// pieces of a few rows of weights. Some of them are a block, whose weights are packed together and meet all images
// while they are in the cache; some blocks are a chunk: what a chunk adds to the outputs is kept by itself and summed
// in the chunks' order.
//
// The weights are packed once, for forward; backward turns a piece of them round in the first cache. Where the
// optimizer takes gradients in pieces (net_options.pieces), a piece's gradient is computed when it is asked for, from
// the inputs and output gradients of the batch, and nobody writes all of them to memory.
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum {
  CHUNKS = 64,
  PIECE_WEIGHTS = 1 << 14, // with the moments of Adam they fit the second cache
  PIECE_ROWS = 16,         // a multiple of it where that many fit
  BLOCK_PIECES = 4,        // a panel of a block's weights fits the first cache
};

struct dense_op {
  struct op op;
  const struct kernels *k, *sums; // sums: of fp32
  size_t inputs, units, element, batch;
  size_t pieces, rows; // rows of weights in each piece but the last: an even number
  size_t dy_stride;    // even, so that a bf16 row may be read one element further
  bool relu;
  float *bias, *partial; // partial: [CHUNKS, batch, units]
  unsigned char *packed; // [blocks, block_bytes]: weights
  size_t blocks, block_bytes;
  void *zipped;      // dy as the right factor of the weights' gradient
  unsigned char *dy; // [batch, dy_stride], after ReLU
  uint32_t *largest; // [CHUNKS]: of x, for `bounded`
};

static void dense_free(struct op *op)
{
  struct dense_op *dense = (struct dense_op *)op;
  free(dense->packed);
  free(dense->bias);
  free(dense->partial);
  free(dense->dy);
  free(dense->largest);
  free(dense->zipped);
  free(dense);
}

// Some rows of weights: first ... first + count - 1.
struct range {
  size_t first, count;
};

static struct range range_of(const struct dense_op *dense, size_t first_piece, size_t end_piece)
{
  size_t first = first_piece * dense->rows, end = end_piece * dense->rows;
  return (struct range){first, (end < dense->inputs ? end : dense->inputs) - first};
}

static size_t first_block_of(const struct dense_op *dense, size_t chunk)
{
  return dense->blocks * chunk / CHUNKS;
}

static struct range block_of(const struct dense_op *dense, size_t block)
{
  size_t end = (block + 1) * BLOCK_PIECES;
  return range_of(dense, block * BLOCK_PIECES, end < dense->pieces ? end : dense->pieces);
}

static struct range chunk_of(const struct dense_op *dense, size_t c)
{
  size_t first = first_block_of(dense, c), end = first_block_of(dense, c + 1);
  if (first == end) return (struct range){0};
  struct range from = block_of(dense, first), last = block_of(dense, end - 1);
  return (struct range){from.first, last.first + last.count - from.first};
}

static void *packed_block(const struct dense_op *dense, size_t block)
{
  return dense->packed + block * dense->block_bytes;
}

static void dense_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct dense_op *dense = (struct dense_op *)op;
  memcpy(dense->bias, values[1], dense->units * sizeof(float));
}

static void dense_pack_part(struct op *op, float *const values[OP_PARAMETERS], size_t part, size_t parts)
{
  struct dense_op *dense = (struct dense_op *)op;
  for (size_t b = part; b < dense->blocks; b += parts) {
    struct range block = block_of(dense, b);
    dense->k->pack(1, block.count, dense->units, values[0] + block.first * dense->units, dense->units, 1, NULL,
                   packed_block(dense, b));
  }
}

static void dense_pack_piece(struct op *op, size_t piece, const float *values)
{
  struct dense_op *dense = (struct dense_op *)op;
  size_t b = piece / BLOCK_PIECES;
  struct range block = block_of(dense, b), rows = range_of(dense, piece, piece + 1);
  dense->k->pack_again(block.count, dense->units, rows.first - block.first, rows.count, values, packed_block(dense, b));
}

// The batch's inputs to some rows of weights.
static struct rows inputs_of(const struct dense_op *dense, const struct op_batch *batch, struct range range)
{
  return (struct rows){.base = {(const unsigned char *)batch->x + range.first * dense->element},
                       .segments = 1,
                       .k = range.count,
                       .stride = dense->inputs};
}

static void dense_batch_forward(const struct op *op, const struct op_batch *batch)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  const size_t outputs = batch->n * dense->units;
  for (size_t c = batch->part; c < CHUNKS; c += batch->parts) {
    float *partial = dense->partial + c * dense->batch * dense->units, *out = partial;
    for (size_t b = first_block_of(dense, c); b < first_block_of(dense, c + 1); b++, out = batch->scratch) {
      const struct rows rows = inputs_of(dense, batch, block_of(dense, b));
      dense->k->product_f32(batch->n, dense->units, &rows, packed_block(dense, b), false, out, dense->units);
      if (out != partial) dense->sums->add_dropout(outputs, partial, out, NULL, 1, partial);
    }
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

// dx of a piece's inputs: dy times its weights, turned round in scratch; what is added to comes behind them.
static void piece_inputs(const struct dense_op *dense, const struct op_batch *batch, size_t piece)
{
  const struct kernels *k = dense->k;
  const struct rows dy = {.base = {dense->dy}, .segments = 1, .k = dense->units, .stride = dense->dy_stride};
  struct range block = block_of(dense, piece / BLOCK_PIECES), range = range_of(dense, piece, piece + 1);
  unsigned char *dx = (unsigned char *)batch->dx + range.first * dense->element, *turned = batch->scratch;
  k->turn(block.count, dense->units, range.first - block.first, range.count, packed_block(dense, piece / BLOCK_PIECES),
          turned);
  if (!batch->add) {
    k->product(batch->n, range.count, &dy, turned, false, dx, dense->inputs);
    return;
  }
  unsigned char *sum = turned + mem_whole(k->packed_bytes(1, dense->units, range.count));
  k->product(batch->n, range.count, &dy, turned, false, sum, range.count);
  for (size_t i = 0; i < batch->n; i++, dx += dense->inputs * dense->element, sum += range.count * dense->element)
    k->add_dropout(range.count, dx, sum, NULL, 1, dx);
}

// The largest of the bits of n elements without their signs: magnitudes are ordered as those are, NaN above INFINITY.
static uint32_t largest(enum dtype dtype, const void *elements, size_t n)
{
  uint32_t most = 0;
  int16_t half = 0; // not negative: SSE2 has a maximum of these
  if (dtype == DTYPE_BF16) {
    const uint16_t *halves = elements;
#pragma omp simd reduction(max : half)
    for (size_t i = 0; i < n; i++) {
      int16_t bits = (int16_t)(halves[i] & 0x7fff);
      half = bits > half ? bits : half;
    }
    return (uint32_t)half;
  }
  const uint32_t *words = elements;
  for (size_t i = 0; i < n; i++) {
    uint32_t bits = words[i] & 0x7fffffff;
    most = bits > most ? bits : most;
  }
  return most;
}

static double magnitude(enum dtype dtype, uint32_t bits)
{
  union {
    uint32_t bits;
    float value;
  } number = {dtype == DTYPE_BF16 ? bits << 16 : bits};
  return (double)number.value;
}

static void find_largest(const struct dense_op *dense, const struct op_batch *batch, size_t c)
{
  const struct range chunk = chunk_of(dense, c);
  dense->largest[c] = 0;
  for (size_t i = 0; i < batch->n; i++) {
    const unsigned char *x = (const unsigned char *)batch->x + (i * dense->inputs + chunk.first) * dense->element;
    uint32_t bits = largest(dense->k->dtype, x, chunk.count);
    if (bits > dense->largest[c]) dense->largest[c] = bits;
  }
}

static void dense_batch_backward(const struct op *op, const struct op_batch *batch)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  if (batch->part == 0) dense->k->zip(batch->n, dense->units, dense->dy, dense->dy_stride, dense->zipped);
  for (size_t c = batch->part; c < CHUNKS; c += batch->parts) {
    if (dense->op.pieces) find_largest(dense, batch, c);
    size_t end = first_block_of(dense, c + 1) * BLOCK_PIECES;
    if (end > dense->pieces) end = dense->pieces;
    for (size_t piece = first_block_of(dense, c) * BLOCK_PIECES; batch->dx && piece < end; piece++)
      piece_inputs(dense, batch, piece);
  }
}

// dW[rows of a piece, U] = x^T * dy over the batch.
static void piece_gradient(const struct op *op, const struct op_batch *batch, size_t piece, float *out)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  struct range range = range_of(dense, piece, piece + 1);
  const struct rows rows = inputs_of(dense, batch, range);
  dense->k->product_zipped(batch->n, dense->units, &rows, dense->zipped, out, batch->scratch);
}

static void dense_batch_gradient(const struct op *op, const struct op_batch *batch,
                                 float *const gradients[OP_PARAMETERS])
{
  const struct dense_op *dense = (const struct dense_op *)op;
  for (size_t piece = batch->part; gradients[0] && piece < dense->pieces; piece += batch->parts)
    piece_gradient(op, batch, piece, gradients[0] + piece * dense->rows * dense->units);
  if (batch->part > 0) return;
  memset(gradients[1], 0, dense->units * sizeof(float));
  dense->k->column_sums(batch->n, dense->units, dense->dy, dense->dy_stride, gradients[1]);
}

// No sum of n products is larger than n times the largest one.
static bool dense_bounded(const struct op *op, const struct op_batch *batch)
{
  const struct dense_op *dense = (const struct dense_op *)op;
  uint32_t most = 0;
  for (size_t c = 0; c < CHUNKS; c++)
    if (dense->largest[c] > most) most = dense->largest[c];
  double x = magnitude(dense->k->dtype, most);
  double dy = magnitude(dense->k->dtype, largest(dense->k->dtype, dense->dy, batch->n * dense->dy_stride));
  return x * dy * (double)batch->n < (double)FLT_MAX / 2; // false for NaN
}

static const struct op_kind dense_kind = {.name = "dense",
                                          .free = dense_free,
                                          .pack = dense_pack,
                                          .pack_part = dense_pack_part,
                                          .batch_forward = dense_batch_forward,
                                          .forward = dense_forward,
                                          .backward = dense_backward,
                                          .batch_backward = dense_batch_backward,
                                          .batch_gradient = dense_batch_gradient,
                                          .piece_gradient = piece_gradient,
                                          .pack_piece = dense_pack_piece,
                                          .bounded = dense_bounded};

static enum status allocate(struct dense_op *dense, bool training, struct error *error)
{
  size_t partials = CHUNKS * dense->batch * dense->units, element = dense->element;
  const struct kernels *k = dense->k;
  enum status status = mem_aligned((void **)&dense->bias, dense->units, sizeof(float), "dense biases", error);
  if (!status) status = mem_aligned((void **)&dense->partial, partials, sizeof(float), "dense outputs", error);
  dense->op.own_bytes = partials * sizeof(float);
  dense->block_bytes = mem_whole(k->packed_bytes(1, dense->rows * BLOCK_PIECES, dense->units));
  dense->op.scratch_bytes = dense->batch * dense->units * sizeof(float);
  if (!status) status = mem_zeroed((void **)&dense->largest, CHUNKS, sizeof(uint32_t), "dense inputs", error);
  if (!status)
    status = mem_aligned((void **)&dense->packed, dense->blocks, dense->block_bytes, "packed weights", error);
  dense->op.own_bytes += dense->blocks * dense->block_bytes;
  if (status || !training) return status;
  dense->op.own_bytes += dense->batch * dense->dy_stride * element;
  size_t zipped = k->zipped_bytes(dense->batch, dense->units);
  size_t turned = mem_whole(k->packed_bytes(1, dense->units, dense->rows)) + dense->batch * dense->rows * element;
  dense->op.scratch_bytes = mem_larger(dense->op.scratch_bytes, turned);
  dense->op.scratch_bytes = mem_larger(dense->op.scratch_bytes, k->transposed_scratch(dense->batch, 0, dense->rows));
  dense->op.own_bytes += zipped;
  status = mem_aligned(&dense->zipped, zipped, 1, "gradients", error);
  if (status) return status;
  return mem_aligned((void **)&dense->dy, dense->batch * dense->dy_stride, element, "gradients", error);
}

static void cut(struct dense_op *dense)
{
  dense->rows = PIECE_WEIGHTS / dense->units;
  dense->rows -= dense->rows % (dense->rows < PIECE_ROWS ? 2 : PIECE_ROWS);
  if (dense->rows == 0) dense->rows = 2;
  dense->pieces = (dense->inputs + dense->rows - 1) / dense->rows;
  dense->blocks = (dense->pieces + BLOCK_PIECES - 1) / BLOCK_PIECES;
}

enum status native_batch_dense(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                               struct error *error)
{
  const struct kernels *kernels = native_kernels(spec->input_dtype);
  enum status status = native_op_new(out, sizeof(struct dense_op), &dense_kind, kernels, error);
  if (status) return status;
  struct dense_op *dense = (struct dense_op *)*out;
  dense->k = kernels;
  dense->sums = native_kernels(DTYPE_F32);
  dense->inputs = (size_t)spec->inputs;
  dense->units = (size_t)spec->units;
  dense->batch = (size_t)context->batch;
  dense->element = dtype_size(spec->input_dtype);
  dense->dy_stride = dense->units + dense->units % 2;
  dense->relu = spec->relu;
  dense->op.backward_reads_y = spec->relu;
  dense->op.batch_reads_x = true;
  cut(dense);
  if (context->pieces) {
    dense->op.pieces = dense->pieces;
    dense->op.piece_floats = dense->rows * dense->units;
  }
  status = allocate(dense, context->training, error);
  if (!status) return OK;
  dense_free(*out);
  *out = NULL;
  return status;
}
