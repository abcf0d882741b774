// Building and describing a net.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/net/net_parts.h"

static const struct layer_kind input_kind = {.name = "InputLayer"};

struct net *net_new(const char *name, struct shape input, enum dtype input_dtype)
{
  struct net *net = calloc(1, sizeof *net);
  if (!net) return NULL;
  net->name = strdup(name);
  net->input = input;
  net->input_dtype = input_dtype;
  struct layer *layer = net->name ? layer_add(net, &input_kind, sizeof *layer, "input", -1, -1) : NULL;
  if (!layer) {
    net_free(net);
    return NULL;
  }
  layer->shape = input;
  if (input.h < 1 || input.w < 1 || input.c < 1)
    layer_fail(net, "input", "the shape %d x %d x %d is empty", input.h, input.w, input.c);
  return net;
}

void net_free(struct net *net)
{
  if (!net) return;
  for (size_t i = 0; i < net->layer_count; i++) {
    free(net->layers[i]->name);
    free(net->layers[i]);
  }
  for (size_t i = 0; i < net->parameter_count; i++) {
    free((char *)net->parameters[i].name);
    free(net->parameters[i].value);
    free(net->parameters[i].gradient);
  }
  for (size_t i = 0; i < net->step_count; i++) op_free(net->steps[i].op);
  for (int i = 0; net->workers && i < net->options.threads; i++) {
    free(net->workers[i].arena);
    free(net->workers[i].scratch);
  }
  free(net->layers);
  free(net->parameters);
  free(net->steps);
  free(net->values);
  free(net->workers);
  free(net->lanes);
  free(net->batch_lanes);
  free(net->segments);
  free(net->forward_streams.items);
  free(net->forward_streams.bands);
  free(net->backward_streams.items);
  free(net->backward_streams.bands);
  free(net->store);
  free(net->losses);
  free(net->name);
  free(net);
}

int layer_fail(struct net *net, const char *name, const char *format, ...)
{
  if (net->status) return -1;
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments); // a long text is cut
  va_end(arguments);
  net->status = fail(&net->error, BAD_USAGE, "%s: layer %s: %s", net->name, name, text);
  return -1;
}

struct layer *layer_add(struct net *net, const struct layer_kind *kind, size_t size, const char *name, int a, int b)
{
  if (net->status) return NULL;
  int inputs[2] = {a, b}, count = (a >= 0) + (b >= 0);
  for (int i = 0; i < count; i++)
    if ((size_t)inputs[i] >= net->layer_count) {
      layer_fail(net, name, "input %d is not a layer of this net", inputs[i]);
      return NULL;
    }
  for (size_t i = 0; i < net->layer_count; i++)
    if (strcmp(net->layers[i]->name, name) == 0) {
      layer_fail(net, name, "the name is taken");
      return NULL;
    }
  struct layer *layer = NULL;
  net->status = mem_grow((void **)&net->layers, &net->layer_capacity, net->layer_count + 1, sizeof(struct layer *),
                         "layers", &net->error);
  if (!net->status) net->status = mem_zeroed((void **)&layer, 1, size, "a layer", &net->error);
  if (net->status) return NULL;
  layer->kind = kind;
  layer->index = (int)net->layer_count;
  layer->inputs[0] = a;
  layer->inputs[1] = b;
  layer->input_count = count;
  layer->first_parameter = net->parameter_count;
  layer->value = -1;
  net->status = mem_text(&layer->name, name, &net->error);
  if (net->status) {
    free(layer);
    return NULL;
  }
  net->layers[net->layer_count++] = layer;
  return layer;
}

bool layer_parameter(struct net *net, struct layer *layer, const char *part, int rank, const int shape[4])
{
  char name[256];
  struct parameter parameter = {.rank = rank, .count = 1, .trainable = true};
  for (int i = 0; i < rank; i++) {
    parameter.shape[i] = shape[i];
    if (!mem_multiply(parameter.count, (size_t)shape[i], &parameter.count)) {
      layer_fail(net, layer->name, "its %s is too large", part);
      return false;
    }
  }
  if (snprintf(name, sizeof name, "%s/%s", layer->name, part) >= (int)sizeof name) {
    layer_fail(net, layer->name, "the name is longer than %zu bytes", sizeof name);
    return false;
  }
  net->status = mem_grow((void **)&net->parameters, &net->parameter_capacity, net->parameter_count + 1,
                         sizeof *net->parameters, "parameters", &net->error);
  if (!net->status)
    net->status = mem_aligned((void **)&parameter.value, parameter.count, sizeof(float), name, &net->error);
  if (!net->status) net->status = mem_text((char **)&parameter.name, name, &net->error);
  if (net->status) {
    free(parameter.value);
    return false;
  }
  net->parameters[net->parameter_count++] = parameter;
  layer->parameter_count++;
  return true;
}

const struct layer *layer_input(const struct net *net, const struct layer *layer, int which)
{
  return net->layers[layer->inputs[which]];
}

struct layer *layer_only_reader(const struct net *net, const struct layer *layer)
{
  struct layer *reader = NULL;
  for (size_t i = (size_t)layer->index + 1; i < net->layer_count; i++)
    for (int k = 0; k < net->layers[i]->input_count; k++) {
      if (net->layers[i]->inputs[k] != layer->index) continue;
      if (reader) return NULL;
      reader = net->layers[i];
    }
  return reader;
}

struct layer *layer_reader_of_kind(const struct net *net, const struct layer *layer, const struct layer_kind *kind)
{
  struct layer *reader = layer_only_reader(net, layer);
  return reader && reader->kind == kind ? reader : NULL;
}

bool layer_trains(const struct net *net, const struct layer *layer)
{
  bool trains = false;
  for (size_t i = 0; i < layer->parameter_count; i++) trains |= net->parameters[layer->first_parameter + i].trainable;
  return trains && net->options.training;
}

void net_freeze(struct net *net, int first, int last)
{
  for (int i = first; i <= last && (size_t)i < net->layer_count; i++)
    for (size_t p = 0; i >= 0 && p < net->layers[i]->parameter_count; p++)
      net->parameters[net->layers[i]->first_parameter + p].trainable = false;
}

// --- describing ------------------------------------------------------------------------------------------------------

size_t net_parameter_count(const struct net *net)
{
  return net->parameter_count;
}

struct parameter *net_parameter(struct net *net, size_t index)
{
  return &net->parameters[index];
}

size_t net_layer_count(const struct net *net)
{
  return net->layer_count;
}

struct layer_summary net_layer(const struct net *net, size_t index)
{
  const struct layer *layer = net->layers[index];
  struct layer_summary summary = {.name = layer->name,
                                  .kind = layer->kind->name,
                                  .output = layer->shape,
                                  .inputs = {layer->inputs[0], layer->inputs[1]},
                                  .input_count = layer->input_count};
  for (size_t i = 0; i < layer->parameter_count; i++) {
    const struct parameter *parameter = &net->parameters[layer->first_parameter + i];
    summary.parameters += parameter->count;
    if (parameter->trainable) summary.trainable += parameter->count;
  }
  return summary;
}

size_t net_memory(const struct net *net)
{
  size_t bytes = (size_t)net->options.threads * (net->arena_bytes + net->scratch_bytes);
  bytes += net->store_bytes * (size_t)net->options.batch;
  if (net->batch_lanes) bytes += BATCH_LANES * net->batch_lane_floats * sizeof(float);
  if (net->lanes) bytes += NET_LANES * net->lane_floats * sizeof(float);
  for (size_t i = 0; i < net->parameter_count; i++)
    bytes += net->parameters[i].count * sizeof(float) * (net->parameters[i].gradient ? 2 : 1);
  for (size_t i = 0; i < net->step_count; i++) bytes += net->steps[i].op->own_bytes;
  return bytes;
}
