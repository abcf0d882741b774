// Ops element by element on oneDNN: rescale as a reorder with a scale, add as a binary primitive.
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/ops/onednn.h"

struct map_op {
  struct op op;
  struct onednn onednn;
  size_t bytes; // of a map
  struct call call;
};

static void map_free(struct op *op)
{
  struct map_op *map = (struct map_op *)op;
  call_free(&map->call);
  onednn_close(&map->onednn);
  free(map);
}

// An op without its call yet.
static enum status map_new(struct op **out, const struct op_kind *kind, const struct op_context *context,
                           struct shape shape, struct error *error)
{
  enum status status = mem_zeroed((void **)out, 1, sizeof(struct map_op), kind->name, error);
  if (status) return status;
  struct map_op *map = (struct map_op *)*out;
  map->op.kind = kind;
  map->bytes = shape_elements(shape) * dtype_size(context->dtype);
  status = onednn_open(&map->onednn, context, error);
  if (!status) return OK;
  map_free(*out);
  *out = NULL;
  return status;
}

// Takes over `description`; frees the op on error.
static enum status map_complete(struct op **out, const struct op_context *context, dnnl_primitive_desc_t description,
                                const int *kinds, int count, struct error *error)
{
  struct map_op *map = (struct map_op *)*out;
  onednn_note(&map->op, description);
  enum status status = call_new(&map->call, &map->onednn, description, context->threads, kinds, count, error);
  map->op.scratch_bytes = map->call.scratchpad_bytes;
  if (!status) return OK;
  map_free(*out);
  *out = NULL;
  return status;
}

// --- rescale ---------------------------------------------------------------------------------------------------------

static void rescale_forward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  call_run(&map->call, &map->onednn, run->thread, (void *[]){(void *)run->x[0], run->y, run->scratch});
}

static const struct op_kind rescale_kind = {.name = "rescale", .free = map_free, .forward = rescale_forward};

static enum status describe_rescale(dnnl_primitive_desc_t *out, const struct onednn *onednn, struct shape shape,
                                    enum dtype from, enum dtype to, float scale, struct error *error)
{
  dnnl_memory_desc_t x, y;
  dnnl_dims_t elements = {(dnnl_dim_t)shape_elements(shape)};
  dnnl_primitive_attr_t attribute = NULL;
  enum status failed = onednn_attribute(&attribute, false, error);
  if (failed) return failed;
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&x, 1, elements, onednn_type(from), dnnl_x);
  if (!status) status = dnnl_memory_desc_init_by_tag(&y, 1, elements, onednn_type(to), dnnl_x);
  if (!status) status = dnnl_primitive_attr_set_output_scales(attribute, 1, 0, &scale);
  if (!status) status = dnnl_reorder_primitive_desc_create(out, &x, onednn->engine, &y, onednn->engine, attribute);
  dnnl_primitive_attr_destroy(attribute);
  return onednn_check(status, "a rescale", error);
}

enum status onednn_rescale(struct op **out, const struct op_context *context, struct shape shape, enum dtype from,
                           float scale, struct error *error)
{
  dnnl_primitive_desc_t description = NULL;
  enum status status = map_new(out, &rescale_kind, context, shape, error);
  if (status) return status;
  status = describe_rescale(&description, &((struct map_op *)*out)->onednn, shape, from, context->dtype, scale, error);
  if (!status) return map_complete(out, context, description, (int[]){DNNL_ARG_FROM, DNNL_ARG_TO}, 2, error);
  map_free(*out);
  *out = NULL;
  return status;
}

// --- add -------------------------------------------------------------------------------------------------------------

static void sum_to(const struct map_op *map, const struct op_run *run, const void *a, const void *b, void *sum)
{
  call_run(&map->call, &map->onednn, run->thread, (void *[]){(void *)a, (void *)b, sum, run->scratch});
}

static void add_forward(const struct op *op, const struct op_run *run)
{
  sum_to((const struct map_op *)op, run, run->x[0], run->x[1], run->y);
}

static void add_backward(const struct op *op, const struct op_run *run)
{
  const struct map_op *map = (const struct map_op *)op;
  for (int input = 0; input < 2; input++) {
    if (!run->dx[input]) continue;
    if (run->add[input])
      sum_to(map, run, run->dx[input], run->dy, run->dx[input]);
    else
      memcpy(run->dx[input], run->dy, map->bytes);
  }
}

static const struct op_kind add_kind = {
    .name = "add", .free = map_free, .forward = add_forward, .backward = add_backward};

enum status onednn_add(struct op **out, const struct op_context *context, struct shape shape, struct error *error)
{
  dnnl_memory_desc_t each;
  dnnl_binary_desc_t what;
  dnnl_primitive_desc_t description = NULL;
  dnnl_dims_t dims = {1, shape.c, shape.h, shape.w};
  enum status status = map_new(out, &add_kind, context, shape, error);
  if (status) return status;
  const struct onednn *onednn = &((struct map_op *)*out)->onednn;
  dnnl_status_t made = dnnl_memory_desc_init_by_tag(&each, 4, dims, onednn_type(context->dtype), dnnl_nhwc);
  if (!made) made = dnnl_binary_desc_init(&what, dnnl_binary_add, &each, &each, &each);
  status = onednn_check(made, "the shape of an addition", error);
  if (!status) status = onednn_description(&description, onednn, &what, false, NULL, "an addition", error);
  if (!status)
    return map_complete(out, context, description, (int[]){DNNL_ARG_SRC_0, DNNL_ARG_SRC_1, DNNL_ARG_DST}, 3, error);
  map_free(*out);
  *out = NULL;
  return status;
}
