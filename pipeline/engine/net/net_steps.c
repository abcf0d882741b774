// Values and steps: what lowering adds, and what scheduling and running ask of them.
#include "core/mem.h"
#include "engine/net/net_parts.h"

enum status plan_value(struct net *net, struct shape shape, enum dtype dtype, int *value, struct error *error)
{
  enum status status =
      mem_grow((void **)&net->values, &net->value_capacity, net->value_count + 1, sizeof *net->values, "values", error);
  if (status) return status;
  *value = (int)net->value_count++;
  net->values[*value] = (struct value){.row_bytes = (size_t)shape.w * (size_t)shape.c * dtype_size(dtype),
                                       .rows = shape.h,
                                       .ring = shape.h,
                                       .gradient_ring = shape.h,
                                       .dtype = dtype,
                                       .twin = -1};
  return OK;
}

enum status plan_step(struct net *net, const struct layer *layer, struct op *op, int a, int b, int output,
                      size_t first_parameter, size_t parameter_count, struct error *error)
{
  enum status status =
      mem_grow((void **)&net->steps, &net->step_capacity, net->step_count + 1, sizeof *net->steps, "steps", error);
  if (status) {
    op_free(op);
    return status;
  }
  net->steps[net->step_count++] = (struct step){.op = op,
                                                .layer = layer,
                                                .inputs = {a, b},
                                                .input_count = 1 + (b >= 0),
                                                .output = output,
                                                .first_parameter = first_parameter,
                                                .parameter_count = parameter_count};
  struct value *y = &net->values[output];
  y->wants_gradient = false;
  for (size_t p = first_parameter; net->options.training && p < first_parameter + parameter_count; p++)
    y->wants_gradient |= net->parameters[p].trainable;
  for (int i = 0; i < 1 + (b >= 0); i++)
    y->wants_gradient |= net->values[net->steps[net->step_count - 1].inputs[i]].wants_gradient;
  return OK;
}

struct op_context plan_context(const struct net *net, const struct layer *layer)
{
  struct op_context context = net->context;
  bool passes = layer_trains(net, layer);
  for (int i = 0; i < layer->input_count; i++) passes |= net->values[layer_input(net, layer, i)->value].wants_gradient;
  context.training = passes;
  return context;
}

bool plan_goes_back(const struct net *net, const struct step *step)
{
  return net->options.training && net->values[step->output].wants_gradient;
}

const struct stream *stream_of(const struct streams *streams, size_t step)
{
  for (size_t i = 0; i < streams->count; i++)
    if (step >= streams->items[i].first && step < streams->items[i].end) return &streams->items[i];
  return NULL;
}
