// Layers without weights that leave the pixels where they are: rescale, add, dropout, flatten.
#include <limits.h>

#include "engine/net_parts.h"

struct scalar_layer {
  struct layer layer;
  float number; // scale or rate
};

static enum status rescale_lower(struct net *net, struct layer *layer, struct error *error)
{
  int x = layer_input(net, layer, 0)->value;
  struct op *op = NULL;
  if (net->values[x].wants_gradient)
    return fail(error, BAD_USAGE, "%s: layer %s: only the input can be rescaled", net->name, layer->name);
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status)
    status = net->ops->rescale(&op, &net->context, layer->shape, net->values[x].dtype,
                               ((const struct scalar_layer *)layer)->number, error);
  if (status) return status;
  return plan_step(net, layer, op, x, -1, layer->value, 0, 0, error);
}

static const struct layer_kind rescale_kind = {.name = "Rescaling", .takes = TAKES_ANY, .lower = rescale_lower};

static struct scalar_layer *scalar_layer_add(struct net *net, const struct layer_kind *kind, const char *name, int x,
                                             float number)
{
  struct scalar_layer *layer = (struct scalar_layer *)layer_add(net, kind, sizeof *layer, name, x, -1);
  if (!layer) return NULL;
  layer->number = number;
  layer->layer.shape = layer_input(net, &layer->layer, 0)->shape;
  return layer;
}

int net_rescale(struct net *net, const char *name, int x, float scale)
{
  struct scalar_layer *layer = scalar_layer_add(net, &rescale_kind, name, x, scale);
  return layer ? layer->layer.index : -1;
}

static enum status dropout_lower(struct net *net, struct layer *layer, struct error *error)
{
  int x = layer_input(net, layer, 0)->value;
  float rate = ((const struct scalar_layer *)layer)->number;
  struct op *op = NULL;
  layer->value = x; // without training it does nothing
  if (!net->options.training || rate <= 0) return OK;
  struct op_context context = net->context;
  context.dtype = net->values[x].dtype;
  enum status status = plan_value(net, layer->shape, context.dtype, &layer->value, error);
  if (!status) status = net->ops->dropout(&op, &context, layer->shape, rate, layer->index, error);
  if (status) return status;
  return plan_step(net, layer, op, x, -1, layer->value, 0, 0, error);
}

static const struct layer_kind dropout_kind = {.name = "Dropout", .takes = TAKES_FLOATS, .lower = dropout_lower};

int net_dropout(struct net *net, const char *name, int x, float rate)
{
  if (!(rate >= 0 && rate <= 0.99f)) return layer_fail(net, name, "rate %g: from 0 to 0.99 is allowed", (double)rate);
  struct scalar_layer *layer = scalar_layer_add(net, &dropout_kind, name, x, rate);
  if (layer && layer->layer.index > 255)
    return layer_fail(net, name, "dropout in layer %d: at most 255", layer->layer.index);
  return layer ? layer->layer.index : -1;
}

static enum status add_lower(struct net *net, struct layer *layer, struct error *error)
{
  struct op *op = NULL;
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->add(&op, &net->context, layer->shape, error);
  if (status) return status;
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, layer_input(net, layer, 1)->value, layer->value,
                   0, 0, error);
}

static const struct layer_kind add_kind = {.name = "Add", .lower = add_lower};

int net_add(struct net *net, const char *name, int a, int b)
{
  struct layer *layer = layer_add(net, &add_kind, sizeof *layer, name, a, b);
  if (!layer) return -1;
  if (layer->input_count != 2) return layer_fail(net, name, "needs two inputs");
  struct shape p = layer_input(net, layer, 0)->shape, q = layer_input(net, layer, 1)->shape;
  if (p.h != q.h || p.w != q.w || p.c != q.c)
    return layer_fail(net, name, "%d x %d x %d and %d x %d x %d cannot be added", p.h, p.w, p.c, q.h, q.w, q.c);
  layer->shape = p;
  return layer->index;
}

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
