// The depthwise 3x3 convolution, stride 1, SAME: two rows at a time, with rows of zeros above and below the map. Where
// the map has an odd number of rows, the last one's neighbour goes to a row that nobody reads.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

enum { TAPS = 9, PAIR = 2 };

struct depthwise_op {
  struct op op;
  const struct kernels *k;
  int height;
  size_t width, channels, row_bytes;
  void *kernel, *turned; // packed; turned by 180 degrees for backward by input
  float *turning;        // [9, C], before packing
  unsigned char *zeros;  // a row beside the map
};

static void depthwise_free(struct op *op)
{
  struct depthwise_op *depthwise = (struct depthwise_op *)op;
  free(depthwise->kernel);
  free(depthwise->turned);
  free(depthwise->turning);
  free(depthwise->zeros);
  free(depthwise);
}

static void depthwise_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct depthwise_op *depthwise = (struct depthwise_op *)op;
  size_t channels = depthwise->channels;
  depthwise->k->depthwise_pack(channels, values[0], depthwise->kernel);
  if (!depthwise->turned) return;
  for (size_t tap = 0; tap < TAPS; tap++)
    memcpy(depthwise->turning + tap * channels, values[0] + (TAPS - 1 - tap) * channels, channels * sizeof(float));
  depthwise->k->depthwise_pack(channels, depthwise->turning, depthwise->turned);
}

// `count` rows of a map from row `first`; zeros where it has none.
static void rows_from(const struct depthwise_op *depthwise, const void *map, int first, int count, const void *rows[])
{
  for (int i = 0; i < count; i++) {
    bool inside = first + i >= 0 && first + i < depthwise->height;
    rows[i] = inside ? (const unsigned char *)map + (size_t)(first + i) * depthwise->row_bytes : depthwise->zeros;
  }
}

// Rows `first` and the next of the convolution of `map`, into `out` or, if they are to be added to it, by scratch.
static void convolve(const struct depthwise_op *depthwise, const void *map, int first, const void *kernel,
                     void *scratch, bool add, void *out)
{
  const void *rows[PAIR + 2];
  unsigned char *spare = scratch, *target = (unsigned char *)out + (size_t)first * depthwise->row_bytes;
  bool both = first + 1 < depthwise->height;
  void *results[PAIR] = {add ? spare : target,
                         add || !both ? spare + depthwise->row_bytes : target + depthwise->row_bytes};
  rows_from(depthwise, map, first - 1, PAIR + 2, rows);
  depthwise->k->depthwise(depthwise->width, depthwise->channels, rows, kernel, results);
  if (!add) return;
  size_t elements = depthwise->width * depthwise->channels * (both ? 2 : 1);
  depthwise->k->add_dropout(elements, target, spare, NULL, 1, target);
}

static void depthwise_forward(const struct op *op, const struct op_run *run)
{
  const struct depthwise_op *depthwise = (const struct depthwise_op *)op;
  for (int row = 0; row < depthwise->height; row += PAIR)
    convolve(depthwise, run->x[0], row, depthwise->kernel, run->scratch, false, run->y);
}

static void depthwise_backward(const struct op *op, const struct op_run *run)
{
  const struct depthwise_op *depthwise = (const struct depthwise_op *)op;
  for (int row = 0; row < depthwise->height; row += PAIR) {
    const void *rows[PAIR + 2], *gradients[PAIR];
    rows_from(depthwise, run->x[0], row - 1, PAIR + 2, rows);
    rows_from(depthwise, run->dy, row, PAIR, gradients);
    depthwise->k->depthwise_weights(depthwise->width, depthwise->channels, rows, gradients, run->lane);
    if (run->dx[0]) convolve(depthwise, run->dy, row, depthwise->turned, run->scratch, run->add[0], run->dx[0]);
  }
}

static void depthwise_gradient(const struct op *op, float *sum, float *const gradients[OP_PARAMETERS])
{
  memcpy(gradients[0], sum, ((const struct depthwise_op *)op)->op.lane_floats * sizeof *sum);
}

static const struct op_kind depthwise_kind = {.name = "depthwise",
                                              .free = depthwise_free,
                                              .pack = depthwise_pack,
                                              .forward = depthwise_forward,
                                              .backward = depthwise_backward,
                                              .gradient = depthwise_gradient};

static enum status allocate(struct depthwise_op *depthwise, bool training, struct error *error)
{
  size_t kernel = depthwise->k->depthwise_bytes(depthwise->channels), taps = TAPS * depthwise->channels;
  depthwise->op.own_bytes = kernel + depthwise->row_bytes + (training ? kernel + taps * sizeof(float) : 0);
  enum status status = mem_aligned(&depthwise->kernel, kernel, 1, "weights", error);
  if (!status) status = mem_aligned((void **)&depthwise->zeros, depthwise->row_bytes, 1, "a row of zeros", error);
  if (!status && training) status = mem_aligned(&depthwise->turned, kernel, 1, "weights", error);
  if (!status && training) status = mem_aligned((void **)&depthwise->turning, taps, sizeof(float), "weights", error);
  return status;
}

enum status native_depthwise(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                             struct error *error)
{
  const struct window *w = &spec->window;
  const struct kernels *kernels = native_kernels(context->dtype);
  bool same = w->size == 3 && w->stride == 1 && w->top == 1 && w->left == 1 && w->y.h == w->x.h && w->y.w == w->x.w;
  if (!same || !kernels) return native_others(context->dtype)->depthwise(out, context, spec, error);
  enum status status = native_op_new(out, sizeof(struct depthwise_op), &depthwise_kind, kernels, error);
  if (status) return status;
  struct depthwise_op *depthwise = (struct depthwise_op *)*out;
  depthwise->k = kernels;
  depthwise->height = w->x.h;
  depthwise->width = (size_t)w->x.w;
  depthwise->channels = (size_t)w->x.c;
  depthwise->row_bytes = depthwise->width * depthwise->channels * dtype_size(context->dtype);
  depthwise->op.lane_floats = TAPS * depthwise->channels;
  depthwise->op.scratch_bytes = PAIR * depthwise->row_bytes;
  depthwise->op.backward_reads_x = true;
  status = allocate(depthwise, context->training, error);
  if (!status) return OK;
  depthwise_free(*out);
  *out = NULL;
  return status;
}
