// Dense: all inputs to each unit. Its input may be a map of the net's dtype or another dense layer's floats.
#include "engine/net/net_parts.h"

struct dense_layer {
  struct layer layer;
  struct dense dense;
};

static enum status dense_lower(struct net *net, struct layer *layer, struct error *error)
{
  const struct layer *input = layer_input(net, layer, 0);
  const struct dense *dense = &((const struct dense_layer *)layer)->dense;
  struct dense_spec spec = {.inputs = input->shape.c,
                            .units = dense->units,
                            .input_dtype = net->values[input->value].dtype,
                            .relu = dense->activation == ACT_RELU};
  struct op *op = NULL;
  enum status status = plan_value(net, layer->shape, DTYPE_F32, &layer->value, error);
  if (!status) status = net->ops->dense(&op, &net->context, &spec, error);
  if (status) return status;
  return plan_step(net, layer, op, input->value, -1, layer->value, layer->first_parameter, 2, error);
}

static const struct layer_kind dense_kind = {.name = "Dense", .takes = TAKES_FLOATS, .lower = dense_lower};

int net_dense(struct net *net, const char *name, int x, const struct dense *dense)
{
  struct dense_layer *layer = (struct dense_layer *)layer_add(net, &dense_kind, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  struct shape input = layer_input(net, &layer->layer, 0)->shape;
  if (input.h != 1 || input.w != 1)
    return layer_fail(net, name, "its input is %d x %d x %d: flatten it first", input.h, input.w, input.c);
  if (dense->units < 1) return layer_fail(net, name, "%d units: there must be 1 or more", dense->units);
  layer->dense = *dense;
  layer->layer.shape = (struct shape){1, 1, dense->units};
  if (!layer_parameter(net, &layer->layer, "kernel", 2, (int[]){input.c, dense->units, 0, 0})) return -1;
  if (!layer_parameter(net, &layer->layer, "bias", 1, (int[]){dense->units, 0, 0, 0})) return -1;
  return layer->layer.index;
}
