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

enum { SIDE = 224, IMAGE = SIDE * SIDE * 3, IMAGES_LIMIT = 64, CLASSES = 29 };

struct options {
  const char *weights, *images, *out, *head;
  struct model_options model;
  struct net_options plan;
};

static bool parse(struct options *options, int argc, char **argv)
{
  *options = (struct options){
      .model = {.name = "resnet50", .classes = CLASSES, .part = MODEL_TRUNK, .trainable = TRAIN_HEAD},
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
    else if (!strcmp(key, "--head"))
      options->head = value;
    else
      return false;
  }
  if (options->head) options->model.part = MODEL_WHOLE;
  options->plan.training = options->head != NULL;
  return true;
}

static void fetch(void *self, size_t index, void *pixels)
{
  memcpy(pixels, (const uint8_t *)self + index * IMAGE, IMAGE);
}

static enum status write_values(FILE *file, const float *values, size_t count, const char *path, struct error *error)
{
  return fwrite(values, sizeof *values, count, file) == count ? OK : fail_errno(error, "cannot write %s", path);
}

static enum status write_features(const struct options *options, struct net *net, const struct net_input *input,
                                  size_t images, FILE *out, struct error *error)
{
  struct model_features features = {.values = 0};
  float *values = NULL;
  enum status status = model_features(&options->model, &features, error);
  if (!status) status = mem_aligned((void **)&values, images * features.values, sizeof *values, "features", error);
  if (!status) status = net_infer(net, input, images, values, error);
  if (!status) status = write_values(out, values, images * features.values, options->out, error);
  free(values);
  return status;
}

static enum status write_gradients(const struct options *options, struct net *net, const struct net_input *input,
                                   size_t images, FILE *out, struct error *error)
{
  int32_t labels[IMAGES_LIMIT];
  float logits[IMAGES_LIMIT * CLASSES];
  double loss = 0;
  const struct net_target target = {.labels = labels};
  for (int32_t i = 0; i < IMAGES_LIMIT; i++) labels[i] = 5 * i % CLASSES;
  enum status status = net_train(net, input, &target, images, 0, &loss, logits, error);
  for (size_t p = 0; !status && p < net_parameter_count(net); p++) {
    const struct parameter *parameter = net_parameter(net, p);
    if (parameter->trainable) status = write_values(out, parameter->gradient, parameter->count, options->out, error);
  }
  return status;
}

static enum status open_net(const struct options *options, struct net **net, struct error *error)
{
  size_t trunk = 0, head = 0;
  enum status status = model_build(&options->model, net, error);
  if (!status) status = net_plan(*net, &options->plan, error);
  if (!status) status = weights_load(options->weights, *net, &trunk, error);
  if (!status && options->head) status = weights_load(options->head, *net, &head, error);
  if (!status && trunk + head != net_parameter_count(*net))
    status = fail(error, BAD_DATA, "%s: %zu tensors of %zu", options->weights, trunk + head, net_parameter_count(*net));
  return status;
}

static enum status run(const struct options *options, struct error *error)
{
  struct net *net = NULL;
  uint8_t *pixels = NULL;
  size_t bytes = 0;
  FILE *out = fopen(options->out, "wbe");
  if (!out) return fail_errno(error, "cannot write %s", options->out);
  enum status status = file_read(&pixels, &bytes, options->images, (size_t)IMAGES_LIMIT * IMAGE, error);
  if (!status) status = open_net(options, &net, error);
  const struct net_input input = {pixels, fetch};
  if (!status)
    status = (options->head ? write_gradients : write_features)(options, net, &input, bytes / IMAGE, out, error);
  if (fclose(out) && !status) status = fail_errno(error, "cannot write %s", options->out);
  free(pixels);
  net_free(net);
  return status;
}

int main(int argc, char **argv)
{
  struct options options;
  struct error error = {0};
  if (!parse(&options, argc, argv)) {
    fputs("usage: resnet50_features WEIGHTS IMAGES OUT --part head|last4 --precision fp32|bf16 [--variant v1.5] "
          "[--head HEAD]\n",
          stderr);
    return 2;
  }
  if (options.plan.precision == NET_BF16 && !net_precision_supported(NET_BF16)) return 77;
  if (!run(&options, &error)) return 0;
  fprintf(stderr, "resnet50_features: %s\n", error.text);
  return 1;
}
