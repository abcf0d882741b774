// What ResNet50's trunk makes of images, for comparing with another framework's: tests/tools/check_resnet50.py.
//
//   build/tools/resnet50_features WEIGHTS.safetensors IMAGES OUT --part head|last4 --precision fp32|bf16 [--variant
//   v1.5]
//
// WEIGHTS are imported ones (build/helpers/import_weights); IMAGES is bytes, [images, 224, 224, 3], RGB; OUT becomes
// float32, [images, values].
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/mem.h"
#include "models/models.h"
#include "models/weights.h"

enum { SIDE = 224, IMAGE = SIDE * SIDE * 3, IMAGES_LIMIT = 64 };

struct options {
  const char *weights, *images, *out;
  struct model_options model;
  struct net_options plan;
};

static bool parse(struct options *options, int argc, char **argv)
{
  *options = (struct options){
      .model = {.name = "resnet50", .classes = 2, .part = MODEL_TRUNK, .trainable = TRAIN_HEAD},
      .plan = {.kernels = KERNELS_NATIVE, .threads = 2, .batch = IMAGES_LIMIT},
  };
  if (argc < 4) return false;
  options->weights = argv[1];
  options->images = argv[2];
  options->out = argv[3];
  for (int i = 4; i + 1 < argc; i += 2) {
    const char *key = argv[i], *value = argv[i + 1];
    if (!strcmp(key, "--part"))
      options->model.trainable = strcmp(value, "last4") ? TRAIN_HEAD : TRAIN_LAST4;
    else if (!strcmp(key, "--precision"))
      options->plan.precision = strcmp(value, "bf16") ? NET_FP32 : NET_BF16;
    else if (!strcmp(key, "--variant"))
      options->model.variant = strcmp(value, "v1.5") ? VARIANT_V1 : VARIANT_V1_5;
    else
      return false;
  }
  return true;
}

static void fetch(void *self, size_t index, void *pixels)
{
  memcpy(pixels, (const uint8_t *)self + index * IMAGE, IMAGE);
}

static enum status write_values(const char *path, const float *values, size_t count, struct error *error)
{
  FILE *file = fopen(path, "wbe");
  if (!file) return fail_errno(error, "cannot write %s", path);
  bool whole = fwrite(values, sizeof *values, count, file) == count;
  return fclose(file) == 0 && whole ? OK : fail(error, FAILED, "cannot write %s", path);
}

static enum status run(struct options *options, struct error *error)
{
  struct model_features features = {.values = 0};
  struct net *net = NULL;
  uint8_t *pixels = NULL;
  float *values = NULL;
  size_t bytes = 0, loaded = 0;
  enum status status = file_read(&pixels, &bytes, options->images, (size_t)IMAGES_LIMIT * IMAGE, error);
  size_t images = bytes / IMAGE;
  if (!status) status = model_features(&options->model, &features, error);
  if (!status) status = model_build(&options->model, &net, error);
  if (!status) status = net_plan(net, &options->plan, error);
  if (!status) status = weights_load(options->weights, net, &loaded, error);
  if (!status && loaded != net_parameter_count(net))
    status = fail(error, BAD_DATA, "%s lacks weights", options->weights);
  if (!status) status = mem_aligned((void **)&values, images * features.values, sizeof *values, "features", error);
  const struct net_input input = {pixels, fetch};
  if (!status) status = net_infer(net, &input, images, values, error);
  if (!status) status = write_values(options->out, values, images * features.values, error);
  free(values);
  free(pixels);
  net_free(net);
  return status;
}

int main(int argc, char **argv)
{
  struct options options;
  struct error error = {0};
  if (!parse(&options, argc, argv)) {
    fputs("usage: resnet50_features WEIGHTS IMAGES OUT --part head|last4 --precision fp32|bf16 [--variant v1.5]\n",
          stderr);
    return 2;
  }
  if (options.plan.precision == NET_BF16 && !net_precision_supported(NET_BF16)) return 77;
  if (!run(&options, &error)) return 0;
  fprintf(stderr, "resnet50_features: %s\n", error.text);
  return 1;
}
