#include "weights/layout.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

#include "core/mem.h"

static const char *const weight_names[] = {"kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"};
static const char *const torch_names[] = {"weight", NULL, "weight", "bias", "running_mean", "running_var"};

const char *layout_weight_name(enum layout_weight weight)
{
  return weight_names[weight];
}

// Where the list is being written, and a layer's names in the three schemes.
struct names {
  struct layout_tensor *next;
  char layer[LAYOUT_NAME], old_layer[LAYOUT_NAME], torch[LAYOUT_NAME - 16];
};

static struct layout_tensor *add(struct names *names, enum layout_weight weight, int rank)
{
  struct layout_tensor *tensor = names->next++;
  tensor->weight = weight;
  tensor->rank = rank;
  snprintf(tensor->layer, sizeof tensor->layer, "%s", names->layer);
  snprintf(tensor->old_layer, sizeof tensor->old_layer, "%s", names->old_layer);
  int length = snprintf(tensor->name, sizeof tensor->name, "%s/%s", names->layer, weight_names[weight]);
  assert(length < LAYOUT_NAME);
  if (torch_names[weight]) snprintf(tensor->torch, sizeof tensor->torch, "%s.%s", names->torch, torch_names[weight]);
  return tensor;
}

static void add_conv(struct names *names, int kernel, int in, int out)
{
  struct layout_tensor *tensor = add(names, KERNEL, 4);
  tensor->shape[0] = tensor->shape[1] = (uint64_t)kernel;
  tensor->shape[2] = (uint64_t)in;
  tensor->shape[3] = (uint64_t)out;
  add(names, BIAS, 1)->shape[0] = (uint64_t)out;
}

static void add_norm(struct names *names, int channels)
{
  for (enum layout_weight weight = GAMMA; weight <= MOVING_VARIANCE; weight++)
    add(names, weight, 1)->shape[0] = (uint64_t)channels;
}

// A block's names: its convolution (or batch norm) `part`, 0 being the shortcut's projection.
static void name_layer(struct names *names, int stage, int block, int part, bool norm)
{
  snprintf(names->layer, sizeof names->layer, "conv%d_block%d_%d_%s", stage, block + 1, part, norm ? "bn" : "conv");
  const char *old = norm ? "bn" : "res", letter = (char)('a' + block);
  if (part == 0) {
    snprintf(names->old_layer, sizeof names->old_layer, "%s%d%c_branch1", old, stage, letter);
    snprintf(names->torch, sizeof names->torch, "layer%d.%d.downsample.%d", stage - 1, block, norm ? 1 : 0);
    return;
  }
  snprintf(names->old_layer, sizeof names->old_layer, "%s%d%c_branch2%c", old, stage, letter, 'a' + part - 1);
  snprintf(names->torch, sizeof names->torch, "layer%d.%d.%s%d", stage - 1, block, norm ? "bn" : "conv", part);
}

// Three convolutions with their batch norms, and the shortcut's where Keras lists it.
static void add_block(struct names *names, int stage, int block, int in, int filters)
{
  const int ins[] = {in, in, filters, filters}, outs[] = {4 * filters, filters, filters, 4 * filters};
  const int kernels[] = {1, 1, 3, 1};
  static const struct {
    int part;
    bool norm;
  } order[] = {{1, false}, {1, true}, {2, false}, {2, true}, {0, false}, {3, false}, {0, true}, {3, true}};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
    int part = order[i].part;
    if (part == 0 && block > 0) continue; // its shortcut is the block's input itself
    name_layer(names, stage, block, part, order[i].norm);
    if (order[i].norm)
      add_norm(names, outs[part]);
    else
      add_conv(names, kernels[part], ins[part], outs[part]);
  }
}

enum status layout_new(struct layout_tensor **out, int width, struct error *error)
{
  static const int blocks[] = {3, 4, 6, 3};
  enum status status = mem_zeroed((void **)out, LAYOUT_TENSORS, sizeof **out, "the list of ResNet50's tensors", error);
  if (status) return status;
  struct names names = {.next = *out, .layer = "conv1_conv", .old_layer = "conv1", .torch = "conv1"};
  add_conv(&names, 7, 3, width);
  names = (struct names){.next = names.next, .layer = "conv1_bn", .old_layer = "bn_conv1", .torch = "bn1"};
  add_norm(&names, width);
  int in = width;
  for (int stage = 2; stage <= 5; stage++) {
    int filters = width << (stage - 2);
    for (int block = 0; block < blocks[stage - 2]; block++) {
      add_block(&names, stage, block, in, filters);
      in = 4 * filters;
    }
  }
  assert(names.next == *out + LAYOUT_TENSORS);
  return OK;
}

uint64_t layout_count(const struct layout_tensor *tensor)
{
  uint64_t count = 1;
  for (int d = 0; d < tensor->rank; d++) count *= tensor->shape[d];
  return count;
}

enum status layout_check_values(const struct layout_tensor *tensor, const float *values, const char *path,
                                struct error *error)
{
  uint64_t count = layout_count(tensor);
  float least = tensor->weight == MOVING_VARIANCE ? 0 : -INFINITY;
  for (uint64_t i = 0; i < count; i++)
    if (!isfinite(values[i]) || values[i] < least)
      return fail(error, BAD_DATA, "%s: layer %s, weight %s: value %llu is %g; allowed: %s", path, tensor->layer,
                  weight_names[tensor->weight], (unsigned long long)i, (double)values[i],
                  least == 0 ? "finite numbers, 0 or more" : "finite numbers");
  return OK;
}
