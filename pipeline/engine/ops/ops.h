// Ops: the steps of a planned net, each over one image. A layer is lowered to one or more ops (a separable
// convolution to a depthwise and a pointwise one); a kernel that fuses several of them is an op of its own,
// with the same interface.
//
// A table of makers (`struct ops`) is one implementation of all of them:
//   ops_reference   plain loops with sums in double: obviously right, the judge of the others
//   ops_onednn      on the library oneDNN, some as in ops_native (ops_onednn.c): covers every shape
//   ops_native      our own vector kernels (kernels/): the fastest here; other shapes as in ops_onednn
//
// An op is made once, for one shape. While the net runs it is read only and shared by all threads; whatever
// belongs to one image comes in `struct op_run`.
//
// Adding an op: a maker in `struct ops`, its reference, its fast version (the reference will do at first), a
// row in tests/unit/test_ops.c (fast against reference) and in tests/unit/test_gradients.c (finite
// differences).
#ifndef ENGINE_OPS_H
#define ENGINE_OPS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/layers.h"
#include "engine/tensor.h"

enum { OP_INPUTS = 2, OP_PARAMETERS = 6, BATCH_LANES = 4 };

// One image on its way through one op. Maps are [H, W, C] of the dtype the op was made for.
struct op_run {
  const void *x[OP_INPUTS];
  void *y;             // backward finds it as forward left it, if backward_reads_y
  void *dy;            // gradient of the loss by y; backward may write into it
  void *dx[OP_INPUTS]; // gradients by x, to be written; NULL: not wanted
  bool add[OP_INPUTS]; // dx is added to: another reader of x has written its share already
  void *saved;         // `saved_bytes` that forward leaves for backward
  void *scratch;       // `scratch_bytes`, this thread's
  float *lane;         // `lane_floats`: weight gradients are added here, in the op's own layout
  // For forward_rows and backward_rows: how many rows the memory of x, of y and of their gradients holds; row r lies
  // at r % that.
  int x_rows[OP_INPUTS], y_rows, dx_rows[OP_INPUTS], dy_rows;
  int thread;    // below op_context.threads
  size_t image;  // index in the batch, below op_context.batch
  uint64_t step; // of training: dropout's masks
  bool training;
};

struct op;

// All images of a batch on their way through an op that needs them together: maps are [n, H, W, C]. What it does not
// read or write by the comments below is NULL.
struct op_batch {
  size_t n;
  const void *x;
  void *y, *dy, *dx;
  bool add; // dx is added to
  bool training;
  void *scratch; // `scratch_bytes`, this thread's
  float *lanes;  // [BATCH_LANES, batch_lane_floats]
  size_t part, parts;
  int thread;
};

struct op_kind {
  const char *name;
  void (*free)(struct op *op);
  // Takes parameters (as struct parameter has them) into the op's own layout. NULL: the op has none.
  void (*pack)(struct op *op, float *const values[OP_PARAMETERS]);
  // The same in parts, instead, for large ones.
  void (*pack_part)(struct op *op, float *const values[OP_PARAMETERS], size_t part, size_t parts);
  void (*forward)(const struct op *op, const struct op_run *run);
  void (*backward)(const struct op *op, const struct op_run *run);
  // The same by rows (net_stream.c): rows [first, end) of y from the rows of x that they read (struct reach), and back
  // from those rows of dy to the rows of dx that are finished by them. `first` is a multiple of rows_at_once, and so is
  // `end` unless it is the last; rows come in order, and scratch does not last from one call to the next. NULL: whole
  // maps only. An op that has them has op_forward_whole and op_backward_whole for whole maps.
  void (*forward_rows)(const struct op *op, const struct op_run *run, int first, int end);
  void (*backward_rows)(const struct op *op, const struct op_run *run, int first, int end);
  // The sum of all lanes to gradients in the parameters' layout; both are overwritten. NULL: no lanes.
  void (*gradient)(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS]);
  // Gradients that need x and dy of the whole batch, in parts: first lane `part` of BATCH_LANES for ops with
  // batch_lane_floats (NULL: there are none), then part `part` of `parts`. NULL: there are none.
  void (*batch_lane)(const struct op *op, const struct op_batch *batch);
  void (*batch_gradient)(const struct op *op, const struct op_batch *batch, float *const gradients[OP_PARAMETERS]);

  // For an op with `pieces`: the gradient of its first parameter, `piece_floats` numbers at a time but for the last,
  // from x of the batch (scratch is the thread's); whether every piece is known to be finite; and, once a piece's
  // values have been updated, their packing. All three come behind the batch; batch_gradient has NULL for that
  // parameter.
  void (*piece_gradient)(const struct op *op, const struct op_batch *batch, size_t piece, float *gradient);
  bool (*bounded)(const struct op *op, const struct op_batch *batch);
  void (*pack_piece)(struct op *op, size_t piece, const float *values);

  // For an op that couples the images of a batch: the schedule is cut before it (net_schedule.c). In order:
  //   before          each image, in training: what the op must know of all images before its forward. NULL: nothing
  //   batch_forward   the batch, in parts: x is there. NULL: the op couples nothing, and has none of these
  //   forward, backward as ever; then behind the cut
  //   batch_backward  the batch, in parts: may write dx
  //   after           each image: may write dx. NULL: nothing
  void (*before)(const struct op *op, const struct op_run *run);
  void (*batch_forward)(const struct op *op, const struct op_batch *batch);
  void (*batch_backward)(const struct op *op, const struct op_batch *batch);
  void (*after)(const struct op *op, const struct op_run *run);

  // Once the weights have been updated: what the last batch leaves in parameters that do not train. NULL: nothing.
  void (*settle)(const struct op *op, float *const values[OP_PARAMETERS]);
};

// Row i of y reads rows i * stride - before to i * stride + after of each x, where the map has them. So, once the first
// n rows of dy went back, the rows of dx before n * stride - before are finished.
struct reach {
  int stride, before, after;
  int x_rows, y_rows; // of the maps
};

// What came of an op's last packing; but for PACKED it must not run.
enum packing { PACKED, PACKING_REFUSED, PACKING_NOT_FINITE };

struct op {
  const struct op_kind *kind;
  const char *implementation; // "jit:avx512_core", "reference": for profiles and tests
  size_t saved_bytes, scratch_bytes, lane_floats;
  size_t batch_lane_floats;
  size_t own_bytes;                        // packed weights and batch storage
  bool backward_reads_x, backward_reads_y; // x[0]; an added x[1] is read by forward alone
  bool batch_reads_x, batch_reads_dy;      // by batch_lane and batch_gradient
  size_t pieces, piece_floats;             // of the gradient; 0: it is made whole
  struct reach reach;                      // with forward_rows
  int rows_at_once;                        // the same; 0: whole maps only, whatever its kind can
  enum packing packing;
  bool sparse_dx; // dx is zero at most pixels: cheap to add to another gradient, dear to write
};

// What makers need to know about the net.
struct op_context {
  enum dtype dtype; // of feature maps: DTYPE_F32 or DTYPE_BF16
  bool training;    // backward will be called
  bool pieces;      // net_options.pieces
  int threads, batch;
  uint64_t seed;
  atomic_int *refused; // set to the library's status where it refuses what an op asks of it; NULL: nobody reads it
};

// A window that slides over a map: input x, output y, `size` x `size` taps every `stride` pixels, the first
// of them `top` rows above and `left` columns before the map.
struct window {
  struct shape x, y;
  int size, stride, top, left;
};

// The window of a Keras layer; false if the map is smaller than a VALID window. SAME: ceil(input / stride)
// outputs, the odd pixel of padding at the bottom and the right.
bool window_fit(struct window *window, struct shape x, int channels, int size, int stride, enum padding padding);

// The same for a VALID window over a map with `pad` pixels of zeros on each side; `x` is the map without them.
bool window_fit_padded(struct window *window, struct shape x, int channels, int size, int stride, int pad);

// Half-open range of taps that lie inside an input of `extent` pixels, for output pixel `out`.
static inline void window_taps(int out, int stride, int before, int size, int extent, int *first, int *end)
{
  int start = out * stride - before;
  *first = start < 0 ? -start : 0;
  *end = start + size > extent ? extent - start : size;
}

struct conv_spec {
  struct window window;
  bool relu;
  bool input_gradient; // backward will be asked for dx
  bool maps_only;      // nobody asks for the gradients of the parameters
  // For a convolution that does not train, which has no backward:
  bool norm; // parameters 2 to 5 are a batch norm's behind it: gamma, beta, mean, variance; folded into kernel and bias
  float epsilon; // of the batch norm
  bool sum;      // y holds a map that is added before ReLU
};

// A map of bytes: U8 where no number is negative, S8 where some are. A number is its byte times `scale`.
struct byte_map {
  enum dtype dtype;
  float scale;
};

// A convolution that does not train, from bytes to bytes. Its own norm is folded in, as ever.
struct conv_int8_spec {
  struct conv_spec conv;
  float x_scale; // x is U8
  struct byte_map y;
  struct byte_map added; // conv.sum: what y holds before
};

// The kernel and bias of a convolution with its batch norm folded in (spec->norm): kernel [k,k,C,F], bias [F]. Whether
// they are finite: they are not where a variance is below zero, and may not be where a weight is huge.
bool conv_fold(const struct conv_spec *spec, float *const values[OP_PARAMETERS], float *kernel, float *bias);

// A depthwise convolution, the 1x1 convolution on it and, if `pool`, the 2x2 max pool that is the only reader of that.
struct separable_spec {
  struct window window; // of the depthwise part
  int filters;
  bool relu, pool, input_gradient;
};

// A batch norm, and what reads it alone: the sum with another map, a ReLU.
struct norm_spec {
  struct shape shape;
  float epsilon, momentum;
  bool relu;
  bool sum;    // x[1] is added before ReLU
  bool trains; // on the statistics of the batch; else on the moving ones
};

struct dense_spec {
  int inputs, units;
  enum dtype input_dtype; // of x and dx, and of the packed weights; y and dy are F32
  bool relu;
};

typedef enum status op_maker_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                                  struct error *error);

struct ops {
  const char *name;
  // y[e] = x[e] * scale; x is `from`, y the net's dtype: bytes back to numbers, too. No backward.
  enum status (*rescale)(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                         float scale, struct error *error);
  // y[i,j,f] = b[f] + sum x[i*s-top+a, j*s-left+b, c] * w[a,b,c,f], then ReLU. Parameters: kernel [k,k,C,F],
  // bias [F].
  op_maker_conv *conv;
  // y = (x[channel[c]] - mean[c]) * scale[c]; x is bytes. No backward.
  enum status (*preprocess)(struct op **out, const struct op_context *context, struct shape shape,
                            const struct preprocess *preprocess, struct error *error);
  // y[i,j,c] = sum x[i*s-top+a, j*s-left+b, c] * w[a,b,c,1]. Parameters: kernel [k,k,C,1]. No bias, no ReLU.
  op_maker_conv *depthwise;
  // The same from bytes to bytes: y = round((x_scale * x * w + b + added) / y.scale), held to what the bytes can say; w
  // is rounded as int8.h has it. Parameters: those of conv, or of conv with its norm.
  enum status (*conv_int8)(struct op **out, const struct op_context *context, const struct conv_int8_spec *spec,
                           struct error *error);
  // y = round(x / y.scale), held to what the bytes can say; x is the net's dtype. No backward.
  enum status (*quantise)(struct op **out, const struct op_context *context, struct shape shape, struct byte_map y,
                          struct error *error);
  // Both parts of a separable convolution in one op. Parameters: depthwise kernel, 1x1 kernel [C,F], bias [F].
  // NULL, or OK with *out NULL: not covered, the parts are made one by one.
  enum status (*separable)(struct op **out, const struct op_context *context, const struct separable_spec *spec,
                           struct error *error);
  // Maximum over the window; of equal values the first in row order gets the gradient.
  enum status (*max_pool)(struct op **out, const struct op_context *context, const struct window *window,
                          struct error *error);
  // y[e] = x[first + e]; x is a row of floats or of bf16 (`from`). No backward.
  enum status (*slice)(struct op **out, const struct op_context *context, enum dtype from, const struct slice *slice,
                       struct error *error);
  // y = x[0] and behind it x[1], of those shapes. No backward.
  enum status (*row)(struct op **out, const struct op_context *context, struct shape a, struct shape b,
                     struct error *error);
  // y = max(x, 0); backward reads y.
  enum status (*relu)(struct op **out, const struct op_context *context, struct shape shape, struct error *error);
  // y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, + x[1] if `sum`, then ReLU. Parameters: gamma, beta,
  // moving mean, moving variance, all [C]. In training mean and (biased) variance are those of the batch, over N, H and
  // W, and the moving ones follow them, as in Keras 3.
  enum status (*norm)(struct op **out, const struct op_context *context, const struct norm_spec *spec,
                      struct error *error);
  // y = x[0] + x[1]
  enum status (*add)(struct op **out, const struct op_context *context, struct shape shape, struct error *error);
  // y = x or 0, kept values scaled so that the mean stays: see dropout.h. `layer` is below 256.
  enum status (*dropout)(struct op **out, const struct op_context *context, struct shape shape, float rate, int layer,
                         struct error *error);
  // y[u] = b[u] + sum x[c] * w[c,u], then ReLU. Parameters: kernel [C,U], bias [U]. Gradients by
  // batch_gradient.
  enum status (*dense)(struct op **out, const struct op_context *context, const struct dense_spec *spec,
                       struct error *error);
};

extern const struct ops ops_reference, ops_onednn, ops_native;

void op_free(struct op *op); // NULL is harmless

// Forward and backward of ops that work by rows.
void op_forward_whole(const struct op *op, const struct op_run *run);
void op_backward_whole(const struct op *op, const struct op_run *run);

// Row `row` of a map whose memory holds `held` rows of `bytes`.
static inline unsigned char *op_row(const void *map, int row, int held, size_t bytes)
{
  return (unsigned char *)(uintptr_t)map + (size_t)(row % held) * bytes;
}

#endif
