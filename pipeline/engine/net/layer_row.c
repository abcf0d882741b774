// Layers between maps and rows of numbers: flatten, slice, row.
#include <limits.h>

#include "engine/net/net_parts.h"

static enum status flatten_lower(struct net *net, struct layer *layer, struct error *error)
{
  (void)error;
  layer->value = layer_input(net, layer, 0)->value; // the same bytes by another shape
  return OK;
}

static const struct layer_kind flatten_kind = {.name = "Flatten", .takes = TAKES_ANY, .lower = flatten_lower};

int net_flatten(struct net *net, const char *name, int x)
{
  struct layer *layer = layer_add(net, &flatten_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  size_t elements = shape_elements(layer_input(net, layer, 0)->shape);
  if (elements > INT_MAX) return layer_fail(net, name, "%zu values: at most %d are allowed", elements, INT_MAX);
  layer->shape = (struct shape){1, 1, (int)elements};
  return layer->index;
}

struct slice_layer {
  struct layer layer;
  struct slice slice;
};

static enum status slice_lower(struct net *net, struct layer *layer, struct error *error)
{
  int x = layer_input(net, layer, 0)->value;
  struct op *op = NULL;
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status)
    status =
        net->ops->slice(&op, &net->context, net->values[x].dtype, &((const struct slice_layer *)layer)->slice, error);
  if (status) return status;
  return plan_step(net, layer, op, x, -1, layer->value, 0, 0, error);
}

static const struct layer_kind slice_kind = {.name = "Slice", .takes = TAKES_ANY, .lower = slice_lower};

int net_slice(struct net *net, const char *name, int x, const struct slice *slice)
{
  struct slice_layer *layer = (struct slice_layer *)layer_add(net, &slice_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  layer->slice = *slice;
  layer->layer.shape = slice->shape;
  size_t there = shape_elements(layer_input(net, &layer->layer, 0)->shape), count = shape_elements(slice->shape);
  if (x != NET_INPUT || net->input_dtype == DTYPE_U8)
    return layer_fail(net, name, "only an input of floats or bf16 can be sliced");
  if (slice->shape.h < 1 || slice->shape.w < 1 || slice->shape.c < 1 || slice->first > there ||
      count > there - slice->first)
    return layer_fail(net, name, "values %zu to %zu: the input has %zu", slice->first, slice->first + count, there);
  return layer->layer.index;
}

static enum status row_lower(struct net *net, struct layer *layer, struct error *error)
{
  const struct layer *a = layer_input(net, layer, 0), *b = layer_input(net, layer, 1);
  struct op *op = NULL;
  if (net->values[a->value].wants_gradient || net->values[b->value].wants_gradient)
    return fail(error, BAD_USAGE, "%s: layer %s: it has no gradient: freeze what is before it", net->name, layer->name);
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->row(&op, &net->context, a->shape, b->shape, error);
  if (status) return status;
  return plan_step(net, layer, op, a->value, b->value, layer->value, 0, 0, error);
}

static const struct layer_kind row_kind = {.name = "Concatenate", .lower = row_lower};

int net_row(struct net *net, const char *name, int a, int b)
{
  struct layer *layer = layer_add(net, &row_kind, sizeof *layer, name, a, b);
  if (!layer) return -1;
  if (layer->input_count != 2) return layer_fail(net, name, "needs two inputs");
  size_t elements =
      shape_elements(layer_input(net, layer, 0)->shape) + shape_elements(layer_input(net, layer, 1)->shape);
  if (elements > INT_MAX) return layer_fail(net, name, "%zu values: at most %d are allowed", elements, INT_MAX);
  layer->shape = (struct shape){1, 1, (int)elements};
  return layer->index;
}
