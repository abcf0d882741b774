// What a convolution that does not train takes over: x --conv--norm--add--ReLU--> y in one op, which writes y over the
// map that is added where nobody else needs that any more.
#include "engine/net/net_parts.h"

// Whether everything that reads this value, but for `last`, has been lowered, and so runs earlier.
static bool read_by_none_after(const struct net *net, int value, const struct layer *last)
{
  for (size_t i = 0; i < net->layer_count; i++)
    for (int k = 0; k < net->layers[i]->input_count; k++) {
      const struct layer *reader = net->layers[i];
      if (net->layers[reader->inputs[k]]->value == value && reader != last && reader->value < 0) return false;
    }
  return true;
}

// The value of the other input of `add`, if it can be overwritten; -1: it cannot.
static int sum_of(const struct net *net, const struct layer *add, const struct layer *mine, bool bytes)
{
  const struct layer *other = net->layers[add->inputs[add->inputs[0] == mine->index]];
  if (other->value < 0 || other->value == net->layers[NET_INPUT]->value) return -1;
  const struct value *value = &net->values[other->value];
  if (value->wants_gradient || (bytes ? !(value->scale > 0) : value->dtype != net->context.dtype)) return -1;
  return read_by_none_after(net, other->value, add) ? other->value : -1;
}

struct fusion fuse_behind(const struct net *net, const struct layer *conv, bool bytes)
{
  struct fusion fusion = {.sum = -1};
  const struct layer *last = conv;
  if (net->values[layer_input(net, conv, 0)->value].wants_gradient || layer_trains(net, conv)) return fusion;
  fusion.norm = layer_reader_of_kind(net, last, &layer_batch_norm);
  if (fusion.norm &&
      (layer_trains(net, fusion.norm) || fusion.norm->first_parameter != conv->first_parameter + conv->parameter_count))
    fusion.norm = NULL;
  // Without a norm to fold nothing is taken over: judging such a net then gives what training's validation gave, bit
  // for bit, because no rounding between a convolution and what follows goes away.
  if (!fusion.norm) return fusion;
  last = fusion.norm;
  struct layer *add = layer_reader_of_kind(net, last, &layer_add_kind);
  if (add) fusion.sum = sum_of(net, add, last, bytes);
  if (fusion.sum >= 0) last = fusion.add = add;
  fusion.relu = layer_reader_of_kind(net, last, &layer_relu);
  return fusion;
}

void fusion_take(const struct fusion *fusion, int value)
{
  struct layer *const layers[] = {fusion->norm, fusion->add, fusion->relu};
  for (int i = 0; i < 3; i++)
    if (layers[i]) layers[i]->value = value;
}
