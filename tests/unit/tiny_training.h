// A tiny net, tiny data and a place for its checkpoints: what the tests of training share.
#ifndef TESTS_TINY_TRAINING_H
#define TESTS_TINY_TRAINING_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/fit/fit.h"
#include "models/checkpoint.h"

#include "check.h"

enum { TINY_SIDE = 6, TINY_CLASSES = 3, TINY_BATCH = 4 };

struct tiny {
  struct net *net;
  struct optimizer *optimizer;
};

static inline struct tiny tiny_new_with(enum optimizer_kind kind, int threads)
{
  struct tiny tiny = {net_new("tiny", (struct shape){TINY_SIDE, TINY_SIDE, 3}, DTYPE_U8), NULL};
  assert_non_null(tiny.net);
  int x = net_rescale(tiny.net, "rescale", NET_INPUT, 1 / 255.0f);
  x = net_conv2d(tiny.net, "conv1", x,
                 &(struct conv2d){.filters = 4, .kernel = 3, .stride = 1, .padding = PAD_SAME, .activation = ACT_RELU});
  x = net_max_pool2d(tiny.net, "pool1", x, &(struct pool2d){2, 2, PAD_SAME});
  x = net_dropout(tiny.net, "dropout1", x, 0.3f);
  x = net_flatten(tiny.net, "flatten", x);
  net_dense(tiny.net, "predictions", x, &(struct dense){.units = TINY_CLASSES});
  const struct net_options options = {
      .kernels = KERNELS_REFERENCE, .threads = threads, .batch = TINY_BATCH, .training = true, .seed = 7};
  must(net_plan(tiny.net, &options, error));
  net_initialise(tiny.net, 5);
  const struct optimizer_options adam = {
      .kind = kind, .momentum = 0.9f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  must(optimizer_new(&tiny.optimizer, tiny.net, &adam, error));
  return tiny;
}

static inline struct tiny tiny_new(void)
{
  return tiny_new_with(OPTIMIZER_ADAM, 1);
}

static inline void tiny_free(struct tiny *tiny)
{
  optimizer_free(tiny->optimizer);
  net_free(tiny->net);
}

static const char *const tiny_classes[TINY_CLASSES] = {"A", "B", "space"};

static inline struct checkpoint_subject tiny_subject(void)
{
  return (struct checkpoint_subject){.model = "tiny",
                                     .variant = "v1",
                                     .preprocessing = "RGB / 255",
                                     .classes = tiny_classes,
                                     .class_count = TINY_CLASSES,
                                     .input_size = TINY_SIDE,
                                     .resize_fit = "stretch",
                                     .resize_filter = "area",
                                     .run_key = "key-1",
                                     .library = "pipeline 0",
                                     .precision = "fp32"};
}

static inline void tiny_digest(struct tiny *tiny, char text[DIGEST_TEXT])
{
  must(checkpoint_weights_sha256(tiny->net, text, error));
}

// Pixels that belong to (image, epoch), brighter in the image's own channel: there is something to learn.
static inline void tiny_fetch(void *self, uint64_t epoch, size_t index, void *pixels)
{
  const int32_t *labels = self;
  struct rng rng = rng_at(3, RNG_TEST, index, epoch);
  uint8_t *out = pixels;
  for (int i = 0; i < TINY_SIDE * TINY_SIDE * 3; i++)
    out[i] = (uint8_t)(rng_below(&rng, 128) + (i % 3 == labels[index] ? 100 : 0));
}

static inline struct fit_data tiny_data(int32_t *labels, size_t images)
{
  for (size_t i = 0; i < images; i++) labels[i] = (int32_t)(i % TINY_CLASSES);
  return (struct fit_data){.self = labels, .images = images, .labels = labels, .fetch = tiny_fetch};
}

// A folder below /tmp, and its path with a name.
static inline void tiny_folder(char folder[64])
{
  snprintf(folder, 64, "/tmp/asl-test-XXXXXX");
  assert_non_null(mkdtemp(folder));
}

static inline const char *tiny_path(const char *folder, const char *name)
{
  static char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

#endif
