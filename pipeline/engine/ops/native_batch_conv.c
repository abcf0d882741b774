// A large convolution that trains: maps by the library, the gradient of its weights by our own products over the whole
// batch (kernels/conv_weights.inc, conv_weights_amx.inc), which on maps of bf16 take half the library's time.
//
// The gradient is cut into blocks of channels and filters, each computed over all images and written in its place.
// Where there are few blocks, BATCH_LANES groups of images are computed by themselves and summed in order.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/native.h"

// A block's sums and the pixels in hand fit the second cache.
enum { ENOUGH_BLOCKS = 8, POINTWISE_CHANNELS = 256, POINTWISE_FILTERS = 256, WIDE_CHANNELS = 64, WIDE_FILTERS = 128 };

struct batch_conv {
  struct op op;
  struct op *maps; // forward and backward by x
  const struct kernels *k;
  struct window window;
  size_t element, weights;
  size_t channels, filters; // of a block, but for the last
  size_t channel_blocks, filter_blocks;
  bool lanes;
};

static void batch_conv_free(struct op *op)
{
  struct batch_conv *conv = (struct batch_conv *)op;
  op_free(conv->maps);
  free(conv);
}

static void batch_conv_pack(struct op *op, float *const values[OP_PARAMETERS])
{
  struct batch_conv *conv = (struct batch_conv *)op;
  conv->maps->kind->pack(conv->maps, values);
  op->packing = conv->maps->packing;
}

static void batch_conv_forward(const struct op *op, const struct op_run *run)
{
  const struct batch_conv *conv = (const struct batch_conv *)op;
  conv->maps->kind->forward(conv->maps, run);
}

static void batch_conv_backward(const struct op *op, const struct op_run *run)
{
  const struct batch_conv *conv = (const struct batch_conv *)op;
  conv->maps->kind->backward(conv->maps, run);
}

static size_t smaller(size_t a, size_t b)
{
  return a < b ? a : b;
}

static struct conv_weights job_of(const struct batch_conv *conv, size_t block, size_t images)
{
  const struct window *w = &conv->window;
  struct conv_weights job = {.n = images,
                             .x_h = (size_t)w->x.h,
                             .x_w = (size_t)w->x.w,
                             .x_c = (size_t)w->x.c,
                             .y_h = (size_t)w->y.h,
                             .y_w = (size_t)w->y.w,
                             .y_c = (size_t)w->y.c,
                             .size = (size_t)w->size,
                             .stride = (size_t)w->stride,
                             .top = (size_t)w->top,
                             .left = (size_t)w->left,
                             .channel = block / conv->filter_blocks * conv->channels,
                             .filter = block % conv->filter_blocks * conv->filters};
  job.channels = smaller(conv->channels, job.x_c - job.channel);
  job.filters = smaller(conv->filters, job.y_c - job.filter);
  return job;
}

// A block of the gradients over images first ... first + n - 1.
static void block_gradient(const struct batch_conv *conv, const struct op_batch *batch, size_t block, size_t first,
                           size_t n, float *weights, float *biases)
{
  struct conv_weights job = job_of(conv, block, n);
  job.x = (const unsigned char *)batch->x + first * shape_elements(conv->window.x) * conv->element;
  job.dy = (const unsigned char *)batch->dy + first * shape_elements(conv->window.y) * conv->element;
  job.sum = weights;
  job.bias = job.channel == 0 ? biases + job.filter : NULL;
  if (job.bias) memset(job.bias, 0, job.filters * sizeof(float));
  conv->k->conv_weights(&job, batch->scratch);
}

static size_t blocks_of(const struct batch_conv *conv)
{
  return conv->channel_blocks * conv->filter_blocks;
}

static void batch_conv_lane(const struct op *op, const struct op_batch *batch)
{
  const struct batch_conv *conv = (const struct batch_conv *)op;
  const size_t first = batch->n * batch->part / BATCH_LANES, end = batch->n * (batch->part + 1) / BATCH_LANES;
  float *lane = batch->lanes + batch->part * conv->op.batch_lane_floats;
  for (size_t block = 0; conv->lanes && block < blocks_of(conv); block++)
    block_gradient(conv, batch, block, first, end - first, lane, lane + conv->weights);
}

// Numbers first ... end - 1 of all lanes.
static void sum_lanes(const struct batch_conv *conv, const struct op_batch *batch, size_t first, size_t end,
                      float *restrict out)
{
  const size_t floats = conv->op.batch_lane_floats;
  memcpy(out, batch->lanes + first, (end - first) * sizeof *out);
  for (size_t lane = 1; lane < BATCH_LANES; lane++) {
    const float *from = batch->lanes + lane * floats + first;
#pragma omp simd
    for (size_t i = 0; i < end - first; i++) out[i] += from[i];
  }
}

static void batch_conv_gradient(const struct op *op, const struct op_batch *batch,
                                float *const gradients[OP_PARAMETERS])
{
  const struct batch_conv *conv = (const struct batch_conv *)op;
  const size_t part = batch->part, parts = batch->parts, filters = (size_t)conv->window.y.c;
  if (conv->lanes) {
    size_t first = conv->weights * part / parts;
    sum_lanes(conv, batch, first, conv->weights * (part + 1) / parts, gradients[0] + first);
    if (part == 0) sum_lanes(conv, batch, conv->weights, conv->weights + filters, gradients[1]);
    return;
  }
  for (size_t block = part; block < blocks_of(conv); block += parts)
    block_gradient(conv, batch, block, 0, batch->n, gradients[0], gradients[1]);
}

static const struct op_kind batch_conv_kind = {.name = "conv",
                                               .free = batch_conv_free,
                                               .pack = batch_conv_pack,
                                               .forward = batch_conv_forward,
                                               .backward = batch_conv_backward,
                                               .batch_lane = batch_conv_lane,
                                               .batch_gradient = batch_conv_gradient};

static void plan_blocks(struct batch_conv *conv)
{
  const struct window *w = &conv->window;
  conv->channels = smaller(w->size == 1 ? POINTWISE_CHANNELS : WIDE_CHANNELS, (size_t)w->x.c);
  conv->filters = smaller(w->size == 1 ? POINTWISE_FILTERS : WIDE_FILTERS, (size_t)w->y.c);
  conv->channel_blocks = ((size_t)w->x.c + conv->channels - 1) / conv->channels;
  conv->filter_blocks = ((size_t)w->y.c + conv->filters - 1) / conv->filters;
  conv->lanes = blocks_of(conv) < ENOUGH_BLOCKS;
  conv->weights = (size_t)w->size * (size_t)w->size * (size_t)w->x.c * (size_t)w->y.c;
  if (conv->lanes) conv->op.batch_lane_floats = conv->weights + (size_t)w->y.c;
}

bool native_batch_conv_covers(const struct op_context *context, const struct conv_spec *spec)
{
  const struct window *w = &spec->window;
  const size_t weights = (size_t)w->size * (size_t)w->size * (size_t)w->x.c * (size_t)w->y.c;
  return context->training && weights >= BATCH_CONV_WEIGHTS && !spec->norm && !spec->sum &&
         (w->size == 1 ? w->top == 0 && w->left == 0 : w->stride == 1) && w->x.c % CONV_WEIGHTS_BLOCK == 0 &&
         w->y.c % CONV_WEIGHTS_BLOCK == 0 && native_kernels(context->dtype);
}

enum status native_batch_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                              struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  enum status status = native_op_new(out, sizeof(struct batch_conv), &batch_conv_kind, kernels, error);
  if (status) return status;
  struct batch_conv *conv = (struct batch_conv *)*out;
  struct conv_spec maps = *spec;
  maps.maps_only = true;
  conv->k = kernels;
  conv->window = spec->window;
  conv->element = dtype_size(context->dtype);
  plan_blocks(conv);
  status = ops_onednn.conv(&conv->maps, context, &maps, error);
  if (status) {
    batch_conv_free(*out);
    *out = NULL;
    return status;
  }
  const struct conv_weights job = job_of(conv, 0, (size_t)context->batch);
  conv->op.implementation = conv->maps->implementation;
  conv->op.own_bytes = conv->maps->own_bytes;
  conv->op.backward_reads_y = conv->maps->backward_reads_y;
  conv->op.batch_reads_x = conv->op.batch_reads_dy = true;
  conv->op.scratch_bytes = conv->k->conv_weights_scratch(&job);
  if (conv->op.scratch_bytes < conv->maps->scratch_bytes) conv->op.scratch_bytes = conv->maps->scratch_bytes;
  return OK;
}
