// Batch norm.
#include "engine/net/net_parts.h"

struct norm_layer {
  struct layer layer;
  struct batch_norm norm;
};

struct batch_norm layer_batch_norm_of(const struct layer *layer)
{
  return ((const struct norm_layer *)layer)->norm;
}

// What the op does besides: the sum with a map that is there by then, a ReLU.
struct behind {
  struct layer *add, *relu;
  int other; // the value that is added; -1: none
};

static struct behind find_behind(const struct net *net, const struct layer *layer)
{
  struct behind behind = {.other = -1};
  behind.add = layer_reader_of_kind(net, layer, &layer_add_kind);
  if (behind.add) {
    const struct layer *other = layer_input(net, behind.add, behind.add->inputs[0] == layer->index);
    if (other->value >= 0 && net->values[other->value].dtype == net->context.dtype) behind.other = other->value;
    if (behind.other < 0) return (struct behind){.other = -1};
  }
  behind.relu = layer_reader_of_kind(net, behind.add ? behind.add : layer, &layer_relu);
  return behind;
}

static enum status norm_lower(struct net *net, struct layer *layer, struct error *error)
{
  struct op_context context = plan_context(net, layer);
  const struct batch_norm norm = layer_batch_norm_of(layer);
  const struct behind behind = find_behind(net, layer);
  const struct norm_spec spec = {.shape = layer->shape,
                                 .epsilon = norm.epsilon,
                                 .momentum = norm.momentum,
                                 .relu = behind.relu,
                                 .sum = behind.add,
                                 .trains = layer_trains(net, layer)};
  struct op *op = NULL;
  if (behind.add) context.training |= net->values[behind.other].wants_gradient;
  enum status status = plan_value(net, layer->shape, net->context.dtype, &layer->value, error);
  if (!status) status = net->ops->norm(&op, &context, &spec, error);
  if (status) return status;
  if (behind.add) behind.add->value = layer->value;
  if (behind.relu) behind.relu->value = layer->value;
  return plan_step(net, layer, op, layer_input(net, layer, 0)->value, behind.other, layer->value,
                   layer->first_parameter, 4, error);
}

const struct layer_kind layer_batch_norm = {.name = "BatchNormalization", .lower = norm_lower};

int net_batch_norm(struct net *net, const char *name, int x, const struct batch_norm *norm)
{
  static const char *const parts[4] = {"gamma", "beta", "moving_mean", "moving_variance"};
  struct norm_layer *layer = (struct norm_layer *)layer_add(net, &layer_batch_norm, sizeof *layer, name, x, -1);
  if (!layer) return -1;
  layer->norm = *norm;
  layer->layer.shape = layer_input(net, &layer->layer, 0)->shape;
  if (!(norm->epsilon > 0) || !(norm->momentum >= 0 && norm->momentum <= 1))
    return layer_fail(net, name, "epsilon %g, momentum %g: above 0, and from 0 to 1", (double)norm->epsilon,
                      (double)norm->momentum);
  for (int i = 0; i < 4; i++) {
    if (!layer_parameter(net, &layer->layer, parts[i], 1, (int[4]){layer->layer.shape.c})) return -1;
    struct parameter *parameter = &net->parameters[net->parameter_count - 1];
    parameter->initial = (i == 0 && !norm->zero) || i == 3 ? 1 : 0;
    parameter->trainable = i < 2;
    parameter->variance = i == 3;
  }
  return layer->layer.index;
}
