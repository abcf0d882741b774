// Which convolutions of a net work on bytes, and the steps between bytes and numbers where others read their maps.
//
// A convolution does if it has no training of its own or before it, takes over a batch norm, and reads a map without
// negative numbers: with ResNet50, all of the frozen part but the first, whose input is the picture minus a mean.
#include "engine/net/net_parts.h"

// The range that was observed for the map, 0: none was.
static float range_of(const struct net *net, int value)
{
  for (size_t s = net->step_count; s-- > 0;)
    if (net->steps[s].output == value) return net->options.ranges[net->steps[s].layer->index];
  return 0;
}

bool int8_covers(const struct net *net, const struct layer *conv)
{
  if (!net->options.ranges || !(net->options.ranges[conv->index] > 0)) return false;
  const int x = layer_input(net, conv, 0)->value;
  const struct value *value = &net->values[x];
  return value->nonnegative && (value->scale > 0 || range_of(net, x) > 0);
}

struct byte_map int8_map(const struct net *net, const struct layer *conv, bool nonnegative)
{
  const enum dtype dtype = nonnegative ? DTYPE_U8 : DTYPE_S8;
  return (struct byte_map){dtype, net->options.ranges[conv->index] / (nonnegative ? 255 : 127)};
}

enum status int8_value(struct net *net, struct shape shape, struct byte_map map, int *value, struct error *error)
{
  enum status status = plan_value(net, shape, map.dtype, value, error);
  if (status) return status;
  net->values[*value].scale = map.scale;
  net->values[*value].nonnegative = map.dtype == DTYPE_U8;
  return OK;
}

// The map `x` in its other form, by a new step of that layer.
static enum status make_twin(struct net *net, const struct layer *layer, int x, struct op *op, int twin,
                             struct error *error)
{
  enum status status = plan_step(net, layer, op, x, -1, twin, 0, 0, error);
  net->values[x].twin = twin;
  net->values[twin].twin = x;
  net->values[twin].nonnegative = net->values[x].nonnegative;
  return status;
}

// The shape of what the layer's value holds: without the zeros that a padding stands for.
static struct shape held(const struct layer *layer)
{
  return (struct shape){layer->shape.h - 2 * layer->padding, layer->shape.w - 2 * layer->padding, layer->shape.c};
}

enum status int8_bytes_of(struct net *net, struct layer *layer, struct error *error)
{
  const int x = layer->value;
  struct op *op = NULL;
  int twin = net->values[x].twin;
  if (net->values[x].scale > 0) return OK;
  if (twin < 0) {
    const struct byte_map map = {DTYPE_U8, range_of(net, x) / 255};
    enum status status = int8_value(net, held(layer), map, &twin, error);
    if (!status) status = net->ops->quantise(&op, &net->context, held(layer), map, error);
    if (!status) status = make_twin(net, layer, x, op, twin, error);
    if (status) return status;
  }
  layer->value = twin;
  return OK;
}

enum status int8_numbers_of(struct net *net, struct layer *layer, struct error *error)
{
  const int x = layer->value;
  struct op *op = NULL;
  int twin = net->values[x].twin;
  if (!(net->values[x].scale > 0)) return OK;
  if (twin < 0) {
    enum status status = plan_value(net, held(layer), net->context.dtype, &twin, error);
    if (!status)
      status = net->ops->rescale(&op, &net->context, held(layer), net->values[x].dtype, net->values[x].scale, error);
    if (!status) status = make_twin(net, layer, x, op, twin, error);
    if (status) return status;
  }
  layer->value = twin;
  return OK;
}
