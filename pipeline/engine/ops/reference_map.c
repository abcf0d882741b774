// The plain versions of ops element by element.
#include <stdlib.h>

#include "core/mem.h"
#include "engine/ops/dropout.h"
#include "engine/ops/reference.h"

struct rescale_op {
  struct op op;
  size_t elements;
  enum dtype from, to;
  float scale;
};

static void rescale_forward(const struct op *op, const struct op_run *run)
{
  const struct rescale_op *rescale = (const struct rescale_op *)op;
  for (size_t i = 0; i < rescale->elements; i++)
    put(run->y, rescale->to, i, get(run->x[0], rescale->from, i) * rescale->scale);
}

static const struct op_kind rescale_kind = {.name = "rescale", .free = reference_free, .forward = rescale_forward};

enum status reference_rescale(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                              float scale, struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct rescale_op), &rescale_kind, error);
  if (status) return status;
  struct rescale_op *rescale = (struct rescale_op *)*out;
  rescale->elements = shape_elements(shape);
  rescale->from = from;
  rescale->to = context->dtype;
  rescale->scale = scale;
  return OK;
}

// --- preprocess, ReLU ------------------------------------------------------------------------------------------------

struct preprocess_op {
  struct op op;
  size_t pixels;
  enum dtype dtype;
  struct preprocess preprocess;
};

static void preprocess_forward(const struct op *op, const struct op_run *run)
{
  const struct preprocess_op *preprocess = (const struct preprocess_op *)op;
  const struct preprocess *p = &preprocess->preprocess;
  const uint8_t *x = run->x[0];
  for (size_t i = 0; i < preprocess->pixels; i++)
    for (size_t c = 0; c < 3; c++)
      put(run->y, preprocess->dtype, 3 * i + c, ((float)x[3 * i + (size_t)p->channel[c]] - p->mean[c]) * p->scale[c]);
}

static const struct op_kind preprocess_kind = {
    .name = "preprocess", .free = reference_free, .forward = preprocess_forward};

enum status reference_preprocess(struct op **out, const struct op_context *context, struct shape shape,
                                 const struct preprocess *preprocess, struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct preprocess_op), &preprocess_kind, error);
  if (status) return status;
  struct preprocess_op *op = (struct preprocess_op *)*out;
  op->pixels = (size_t)shape.h * (size_t)shape.w;
  op->dtype = context->dtype;
  op->preprocess = *preprocess;
  return OK;
}

struct relu_op {
  struct op op;
  size_t elements;
  enum dtype dtype;
};

static void relu_forward(const struct op *op, const struct op_run *run)
{
  const struct relu_op *relu = (const struct relu_op *)op;
  for (size_t i = 0; i < relu->elements; i++) {
    float x = get(run->x[0], relu->dtype, i);
    put(run->y, relu->dtype, i, x < 0 ? 0 : x);
  }
}

static void relu_backward(const struct op *op, const struct op_run *run)
{
  const struct relu_op *relu = (const struct relu_op *)op;
  for (size_t i = 0; run->dx[0] && i < relu->elements; i++)
    put_gradient(run, 0, relu->dtype, i, get(run->y, relu->dtype, i) > 0 ? get(run->dy, relu->dtype, i) : 0);
}

static const struct op_kind relu_kind = {
    .name = "relu", .free = reference_free, .forward = relu_forward, .backward = relu_backward};

enum status reference_relu(struct op **out, const struct op_context *context, struct shape shape, struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct relu_op), &relu_kind, error);
  if (status) return status;
  struct relu_op *relu = (struct relu_op *)*out;
  relu->op.backward_reads_y = true;
  relu->elements = shape_elements(shape);
  relu->dtype = context->dtype;
  return OK;
}

// --- add, dropout ----------------------------------------------------------------------------------------------------

struct map_op { // element by element
  struct op op;
  size_t elements;
  enum dtype dtype;
  struct dropout dropout;
  uint64_t seed;
  int layer;
};

static enum status map_new(struct op **out, const struct op_kind *kind, const struct op_context *context,
                           struct shape shape, struct error *error)
{
  enum status status = reference_op_new(out, sizeof(struct map_op), kind, error);
  if (status) return status;
  struct map_op *map = (struct map_op *)*out;
  map->elements = shape_elements(shape);
  map->dtype = context->dtype;
  map->seed = context->seed;
  return OK;
}

static void add_forward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (size_t i = 0; i < map->elements; i++)
    put(run->y, map->dtype, i, get(run->x[0], map->dtype, i) + get(run->x[1], map->dtype, i));
}

static void add_backward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (int input = 0; input < 2; input++)
    for (size_t i = 0; run->dx[input] && i < map->elements; i++)
      put_gradient(run, input, map->dtype, i, get(run->dy, map->dtype, i));
}

static const struct op_kind add_kind = {
    .name = "add", .free = reference_free, .forward = add_forward, .backward = add_backward};

enum status reference_add(struct op **out, const struct op_context *context, struct shape shape, struct error *error)
{
  return map_new(out, &add_kind, context, shape, error);
}

static bool kept(const struct map_op *map, const struct op_run *run, size_t element)
{
  struct rng stream = dropout_stream(map->seed, run->step, run->image, map->layer);
  uint32_t words[4];
  stream.counter[0] = (uint32_t)(element / DROPOUT_GROUP * DROPOUT_BLOCKS + element % DROPOUT_BLOCKS);
  rng_block(stream.key, stream.counter, words);
  size_t word = element % DROPOUT_GROUP / DROPOUT_BLOCKS;
  return (words[word / 2] >> (word % 2 * 16) & 0xffff) >= map->dropout.threshold;
}

static void dropout_forward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (size_t i = 0; i < map->elements; i++) {
    float x = get(run->x[0], map->dtype, i);
    if (run->training) x = kept(map, run, i) ? x * map->dropout.scale : 0;
    put(run->y, map->dtype, i, x);
  }
}

static void dropout_backward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (size_t i = 0; run->dx[0] && i < map->elements; i++)
    put_gradient(run, 0, map->dtype, i, kept(map, run, i) ? get(run->dy, map->dtype, i) * map->dropout.scale : 0);
}

static const struct op_kind dropout_kind = {
    .name = "dropout", .free = reference_free, .forward = dropout_forward, .backward = dropout_backward};

enum status reference_dropout(struct op **out, const struct op_context *context, struct shape shape, float rate,
                              int layer, struct error *error)
{
  enum status status = map_new(out, &dropout_kind, context, shape, error);
  if (status) return status;
  ((struct map_op *)*out)->dropout = dropout_of(rate);
  ((struct map_op *)*out)->layer = layer;
  return OK;
}
