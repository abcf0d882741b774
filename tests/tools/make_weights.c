// Makes a file of ResNet50's weights for tests: the tensors, names and layout of Keras' own file, with drawn values of
// the size that trained ones have, so that activations neither vanish nor explode. The same bytes for the same options.
//
//   build/tools/make_weights FILE.h5 [--width 64] [--seed 0] [--old] [--top] [--torch]
//
// FILE.safetensors works, too. --old: the layer names of Keras before 2.2.5; --top: with the classifier, fc1000;
// --torch: torchvision's names, its order of axes, and no biases.
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "weights/export.h"
#include "weights/import.h"
#include "weights/layout.h"

struct options {
  const char *path;
  long width, seed;
  bool old, top, torch;
};

static bool parse(struct options *options, int argc, char **argv)
{
  *options = (struct options){.width = LAYOUT_WIDTH};
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--old"))
      options->old = true;
    else if (!strcmp(argv[i], "--top"))
      options->top = true;
    else if (!strcmp(argv[i], "--torch"))
      options->torch = true;
    else if (!strcmp(argv[i], "--width") && i + 1 < argc)
      options->width = strtol(argv[++i], NULL, 10);
    else if (!strcmp(argv[i], "--seed") && i + 1 < argc)
      options->seed = strtol(argv[++i], NULL, 10);
    else if (!options->path)
      options->path = argv[i];
    else
      return false;
  }
  return options->path && options->width >= 1 && options->width <= LAYOUT_WIDTH;
}

// Twelve uniform numbers make one of variance 1 that is near enough to a normal one.
static float draw(struct rng *rng)
{
  float sum = -6;
  for (int i = 0; i < 12; i++) sum += rng_uniform(rng, 0, 1);
  return sum;
}

static float value_of(const struct layout_tensor *tensor, struct rng *rng)
{
  float fan = (float)(tensor->shape[0] * tensor->shape[1] * tensor->shape[2]);
  switch (tensor->weight) {
  case KERNEL:
    return draw(rng) * sqrtf(2 / fan);
  case GAMMA: // the last batch norm of a block scales the residual
    return rng_uniform(rng, 0.5f, 1) * (strstr(tensor->layer, "_3_bn") ? 0.4f : 1);
  case MOVING_VARIANCE:
    return rng_uniform(rng, 0.5f, 1.5f);
  default:
    return rng_uniform(rng, -0.1f, 0.1f);
  }
}

static bool fill(struct export_tensor *out, char name[2 * LAYOUT_NAME], const struct layout_tensor *tensor,
                 const struct options *options, size_t index)
{
  struct rng rng = rng_at((uint64_t)options->seed, RNG_TEST, index, 0);
  uint64_t count = layout_count(tensor);
  float *values = malloc(count * sizeof *values);
  if (!values) return false;
  for (uint64_t i = 0; i < count; i++) values[i] = value_of(tensor, &rng);
  snprintf(name, 2 * LAYOUT_NAME, "%s/%s", options->old ? tensor->old_layer : tensor->layer,
           layout_weight_name(tensor->weight));
  *out = (struct export_tensor){.name = name, .rank = tensor->rank, .values = values};
  memcpy(out->shape, tensor->shape, sizeof tensor->shape);
  if (options->torch) {
    const uint64_t *shape = tensor->shape;
    snprintf(name, 2 * LAYOUT_NAME, "%s", tensor->torch);
    if (tensor->rank == 4)
      memcpy(out->shape, (const uint64_t[]){shape[3], shape[2], shape[0], shape[1]}, 4 * sizeof *shape);
  }
  return true;
}

int main(int argc, char **argv)
{
  static char names[LAYOUT_TENSORS][2 * LAYOUT_NAME];
  struct export_tensor tensors[LAYOUT_TENSORS + 2];
  struct layout_tensor *layout = NULL;
  struct options options;
  struct error error = {0};
  if (!parse(&options, argc, argv)) {
    fputs("usage: make_weights FILE.h5|FILE.safetensors [--width 64] [--seed 0] [--old] [--top] [--torch]\n", stderr);
    return 2;
  }
  enum status status = layout_new(&layout, (int)options.width, &error);
  size_t count = 0;
  for (size_t i = 0; !status && i < LAYOUT_TENSORS; i++)
    if (!options.torch || *layout[i].torch)
      if (!fill(&tensors[count++], names[i], &layout[i], &options, i)) return 1;
  size_t drawn = count;
  float *top = calloc(1001, (size_t)options.width * 32 * sizeof *top);
  if (options.top && top) {
    tensors[count++] = (struct export_tensor){"fc1000/kernel", 2, {(uint64_t)options.width * 32, 1000}, top};
    tensors[count++] = (struct export_tensor){"fc1000/bias", 1, {1000}, top};
  }
  bool keras = strlen(options.path) > 3 && !strcmp(options.path + strlen(options.path) - 3, ".h5");
  if (!status && keras) status = export_keras(options.path, tensors, count, &error);
  if (!status && !keras) status = export_safetensors(options.path, tensors, count, IMPORT_CAFFE, &error);
  if (status) fprintf(stderr, "make_weights: %s\n", error.text);
  for (size_t i = 0; i < drawn; i++) free((float *)tensors[i].values);
  free(top);
  free(layout);
  return status ? 1 : 0;
}
