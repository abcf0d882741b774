// The depthwise 3x3 convolution, stride 1, SAME: row by row, with rows of zeros above and below the map. The weights
// stay fp32.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/native.h"

enum { TAPS = 9 };

struct depthwise_op {
  struct op op;
  const struct kernels *k;
  int height;
  size_t width, channels, row_bytes;
  float *kernel, *turned; // [9, C]; turned by 180 degrees for backward by input
  unsigned char *zeros;   // a row beside the map
};

static void depthwise_free(struct op *op)
{
  struct depthwise_op *depthwise = (struct depthwise_op *)op;
  free(depthwise->kernel);
  free(depthwise->turned);
  free(depthwise->zeros);
  free(depthwise);
}

static void depthwise_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct depthwise_op *depthwise = (struct depthwise_op *)op;
  size_t channels = depthwise->channels;
  memcpy(depthwise->kernel, values[0], TAPS * channels * sizeof(float));
  for (size_t tap = 0; tap < TAPS; tap++)
    memcpy(depthwise->turned + tap * channels, values[0] + (TAPS - 1 - tap) * channels, channels * sizeof(float));
}

// The three rows around row `row` of a map.
static void rows_around(const struct depthwise_op *depthwise, const void *map, int row, const void *rows[3])
{
  for (int i = 0; i < 3; i++) {
    int at = row + i - 1;
    bool inside = at >= 0 && at < depthwise->height;
    rows[i] = inside ? (const unsigned char *)map + (size_t)at * depthwise->row_bytes : depthwise->zeros;
  }
}

static void depthwise_forward(const struct op *op, const struct op_run *run)
{
  const struct depthwise_op *depthwise = (const struct depthwise_op *)op;
  for (int row = 0; row < depthwise->height; row++) {
    const void *rows[3];
    rows_around(depthwise, run->x[0], row, rows);
    unsigned char *y = (unsigned char *)run->y + (size_t)row * depthwise->row_bytes;
    depthwise->k->depthwise(depthwise->width, depthwise->channels, rows, depthwise->kernel, y);
  }
}

static void depthwise_backward(const struct op *op, const struct op_run *run)
{
  const struct depthwise_op *depthwise = (const struct depthwise_op *)op;
  size_t row_elements = depthwise->width * depthwise->channels;
  for (int row = 0; row < depthwise->height; row++) {
    const void *rows[3];
    size_t at = (size_t)row * depthwise->row_bytes;
    rows_around(depthwise, run->x[0], row, rows);
    depthwise->k->depthwise_weights(depthwise->width, depthwise->channels, rows, (unsigned char *)run->dy + at,
                                    run->lane);
    if (!run->dx[0]) continue;
    unsigned char *dx = (unsigned char *)run->dx[0] + at;
    rows_around(depthwise, run->dy, row, rows);
    depthwise->k->depthwise(depthwise->width, depthwise->channels, rows, depthwise->turned,
                            run->add[0] ? run->scratch : dx);
    if (run->add[0]) depthwise->k->add_dropout(row_elements, dx, run->scratch, NULL, 1, dx);
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
  depthwise->op.own_bytes = 2 * depthwise->op.lane_floats * sizeof(float) + depthwise->row_bytes;
  depthwise->op.scratch_bytes = depthwise->row_bytes;
  depthwise->op.backward_reads_x = true;
  status = mem_aligned((void **)&depthwise->kernel, depthwise->op.lane_floats, sizeof(float), "weights", error);
  if (!status)
    status = mem_aligned((void **)&depthwise->turned, depthwise->op.lane_floats, sizeof(float), "weights", error);
  if (!status) status = mem_aligned((void **)&depthwise->zeros, depthwise->row_bytes, 1, "a row of zeros", error);
  if (!status) return OK;
  depthwise_free(*out);
  *out = NULL;
  return status;
}
