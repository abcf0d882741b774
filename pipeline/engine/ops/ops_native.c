// The table of ops on our own kernels, and its ops without weights.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/dropout.h"
#include "engine/ops/int8.h"
#include "engine/ops/native.h"
#include "engine/ops/onednn.h"
#include "engine/ops/row.h"

enum status native_op_new(struct op **out, size_t size, const struct op_kind *kind, const struct kernels *kernels,
                          struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, size, kind->name, error);
  if (status) return status;
  (*out)->kind = kind;
  (*out)->implementation = kernels->name;
  return OK;
}

const struct ops *native_others(enum dtype dtype)
{
  return native_kernels(dtype) ? &ops_onednn : &ops_reference;
}

static void plain_free(struct op *op)
{
  free(op);
}

// --- rescale ---------------------------------------------------------------------------------------------------------

struct map_op { // element by element
  struct op op;
  const struct kernels *k;
  size_t elements, row, bytes; // row: elements of a row, in `bytes` of the net's dtype
  float scale;
  struct dropout dropout;
  uint64_t seed;
  int layer;
};

static enum status map_new(struct op **out, const struct op_kind *kind, const struct op_context *context,
                           struct shape shape, struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  enum status status = native_op_new(out, sizeof(struct map_op), kind, kernels, error);
  if (status) return status;
  struct map_op *map = (struct map_op *)*out;
  map->k = kernels;
  map->elements = shape_elements(shape);
  map->row = map->elements / (size_t)shape.h;
  map->bytes = map->row * dtype_size(context->dtype);
  map->op.reach = (struct reach){.stride = 1, .x_rows = shape.h, .y_rows = shape.h};
  map->op.rows_at_once = 1;
  return OK;
}

static void rescale_rows(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct map_op *map = (const struct map_op *)op;
  for (int row = first; row < end; row++)
    map->k->from_u8(map->row, op_row(run->x[0], row, run->x_rows[0], map->row), map->scale,
                    op_row(run->y, row, run->y_rows, map->bytes));
}

static const struct op_kind rescale_kind = {
    .name = "rescale", .free = plain_free, .forward = op_forward_whole, .forward_rows = rescale_rows};

static enum status make_rescale(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                                float scale, struct error *error)
{
  if (from != DTYPE_U8 || !native_kernels(context->dtype))
    return ops_reference.rescale(out, context, shape, from, scale, error);
  enum status status = map_new(out, &rescale_kind, context, shape, error);
  if (!status) ((struct map_op *)*out)->scale = scale;
  return status;
}

// --- add, dropout ----------------------------------------------------------------------------------------------------
// (ReLU and batch norm by themselves are in native_norm.c: a convolution that does not train takes them over.)

static void add_rows(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct map_op *map = (const struct map_op *)op;
  for (int row = first; row < end; row++)
    map->k->add_dropout(map->row, op_row(run->x[0], row, run->x_rows[0], map->bytes),
                        op_row(run->x[1], row, run->x_rows[1], map->bytes), NULL, 1,
                        op_row(run->y, row, run->y_rows, map->bytes));
}

// dx = dy, or dx += dy, of one row; mask NULL: of all its elements.
static void give(const struct map_op *map, const struct op_run *run, int input, int row, const uint8_t *mask)
{
  if (!run->dx[input]) return;
  void *dx = op_row(run->dx[input], row, run->dx_rows[input], map->bytes);
  void *dy = op_row(run->dy, row, run->dy_rows, map->bytes);
  const float scale = mask ? map->dropout.scale : 1;
  if (!run->add[input]) {
    map->k->add_dropout(map->row, dy, NULL, mask, scale, dx);
    return;
  }
  if (mask) map->k->add_dropout(map->row, dy, NULL, mask, scale, dy);
  map->k->add_dropout(map->row, dx, dy, NULL, 1, dx);
}

static void add_rows_back(const struct op *op, const struct op_run *run, int first, int end)
{
  for (int row = first; row < end; row++)
    for (int input = 0; input < OP_INPUTS; input++) give((const struct map_op *)op, run, input, row, NULL);
}

static const struct op_kind add_kind = {.name = "add",
                                        .free = plain_free,
                                        .forward = op_forward_whole,
                                        .forward_rows = add_rows,
                                        .backward = op_backward_whole,
                                        .backward_rows = add_rows_back};

static enum status make_add(struct op **out, const struct op_context *context, struct shape shape, struct error *error)
{
  if (!native_kernels(context->dtype)) return ops_reference.add(out, context, shape, error);
  return map_new(out, &add_kind, context, shape, error);
}

// saved: uint8 per element, 0 where it was dropped. Drawn as a whole: masks come in groups that know no rows.
static void draw_mask(const struct map_op *map, const struct op_run *run, uint8_t *mask)
{
  struct rng stream = dropout_stream(map->seed, run->step, run->image, map->layer);
  map->k->dropout_mask(map->elements, stream.key, stream.counter, map->dropout.threshold, mask);
}

static const uint8_t *mask_row(const struct map_op *map, const struct op_run *run, int row)
{
  return (const uint8_t *)run->saved + (size_t)row * map->row;
}

static void dropout_rows(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct map_op *map = (const struct map_op *)op;
  if (run->training && first == 0) draw_mask(map, run, run->saved);
  for (int row = first; row < end; row++)
    map->k->add_dropout(map->row, op_row(run->x[0], row, run->x_rows[0], map->bytes), NULL,
                        run->training ? mask_row(map, run, row) : NULL, map->dropout.scale,
                        op_row(run->y, row, run->y_rows, map->bytes));
}

static void dropout_rows_back(const struct op *op, const struct op_run *run, int first, int end)
{
  const struct map_op *map = (const struct map_op *)op;
  for (int row = first; row < end; row++) give(map, run, 0, row, mask_row(map, run, row));
}

static const struct op_kind dropout_kind = {.name = "dropout",
                                            .free = plain_free,
                                            .forward = op_forward_whole,
                                            .forward_rows = dropout_rows,
                                            .backward = op_backward_whole,
                                            .backward_rows = dropout_rows_back};

static enum status make_dropout(struct op **out, const struct op_context *context, struct shape shape, float rate,
                                int layer, struct error *error)
{
  if (!native_kernels(context->dtype)) return ops_reference.dropout(out, context, shape, rate, layer, error);
  enum status status = map_new(out, &dropout_kind, context, shape, error);
  if (status) return status;
  struct map_op *map = (struct map_op *)*out;
  map->dropout = dropout_of(rate);
  map->seed = context->seed;
  map->layer = layer;
  map->op.saved_bytes = map->elements;
  return OK;
}

// --- max pool, 2x2 by 2 ----------------------------------------------------------------------------------------------

struct pool_op {
  struct op op;
  const struct kernels *k;
  struct window window;
  size_t element;
};

static void pool_forward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  size_t width = (size_t)pool->window.y.w, channels = (size_t)pool->window.y.c;
  size_t y_row = width * channels, x_row = (size_t)pool->window.x.w * channels;
  uint8_t *places = run->saved;
  for (size_t i = 0; i < (size_t)pool->window.y.h; i++) {
    const unsigned char *top = (const unsigned char *)run->x[0] + 2 * i * x_row * pool->element;
    pool->k->pool(width, channels, top, top + x_row * pool->element,
                  (unsigned char *)run->y + i * y_row * pool->element, places + i * y_row);
  }
}

static void pool_backward(const struct op *op, const struct op_run *run)
{
  const struct pool_op *pool = (const struct pool_op *)op;
  size_t width = (size_t)pool->window.y.w, channels = (size_t)pool->window.y.c;
  size_t y_row = width * channels, x_row = (size_t)pool->window.x.w * channels, x_bytes = x_row * pool->element;
  const uint8_t *places = run->saved;
  if (!run->dx[0]) return;
  if (!run->add[0] && (pool->window.x.h % 2 || pool->window.x.w % 2)) // a last row or column that no window reads
    memset(run->dx[0], 0, (size_t)pool->window.x.h * x_bytes);
  for (size_t i = 0; i < (size_t)pool->window.y.h; i++) {
    const unsigned char *dy = (const unsigned char *)run->dy + i * y_row * pool->element;
    unsigned char *dx = (unsigned char *)run->dx[0] + 2 * i * x_bytes, *rows = run->add[0] ? run->scratch : dx;
    pool->k->unpool(width, channels, dy, NULL, places + i * y_row, false, rows, rows + x_bytes);
    for (size_t r = 0; run->add[0] && r < 2; r++)
      pool->k->add_dropout(2 * y_row, dx + r * x_bytes, rows + r * x_bytes, NULL, 1, dx + r * x_bytes);
  }
}

static const struct op_kind pool_kind = {
    .name = "max_pool", .free = plain_free, .forward = pool_forward, .backward = pool_backward};

static enum status make_max_pool(struct op **out, const struct op_context *context, const struct window *window,
                                 struct error *error)
{
  const struct kernels *kernels = native_kernels(context->dtype);
  bool whole =
      window->size == 2 && window->stride == 2 && 2 * window->y.h <= window->x.h && 2 * window->y.w <= window->x.w;
  if (!whole || !kernels) return native_others(context->dtype)->max_pool(out, context, window, error);
  enum status status = native_op_new(out, sizeof(struct pool_op), &pool_kind, kernels, error);
  if (status) return status;
  struct pool_op *pool = (struct pool_op *)*out;
  pool->k = kernels;
  pool->window = *window;
  pool->element = dtype_size(context->dtype);
  pool->op.saved_bytes = shape_elements(window->y);
  pool->op.scratch_bytes = mem_whole(2 * (size_t)window->x.w * (size_t)window->x.c * pool->element);
  return OK;
}

const struct ops ops_native = {.name = "native",
                               .rescale = make_rescale,
                               .conv = native_conv,
                               .depthwise = native_depthwise,
                               .conv_int8 = onednn_conv_int8,
                               .quantise = int8_quantise,
                               .separable = native_separable,
                               .preprocess = native_preprocess,
                               .slice = row_slice,
                               .row = row_join,
                               .relu = native_relu,
                               .norm = native_norm,
                               .max_pool = make_max_pool,
                               .add = make_add,
                               .dropout = make_dropout,
                               .dense = native_dense};
