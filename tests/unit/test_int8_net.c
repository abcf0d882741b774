// A narrow ResNet50 whose frozen part works on bytes, beside itself in fp32; and how ranges are chosen.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"
#include "engine/net/ranges.h"
#include "models/models.h"

#include "check.h"

enum { SIDE = 96, IMAGES = 12, CLASSES = 5, WIDTH = 8, LAYERS_LIMIT = 256 };

static struct model_options options_of(enum model_part part, enum model_trainable trainable)
{
  return (struct model_options){.name = "resnet50",
                                .input = {SIDE, SIDE, 3},
                                .width = WIDTH,
                                .classes = CLASSES,
                                .part = part,
                                .trainable = trainable,
                                .feature_dtype = DTYPE_F32};
}

static struct net *build(const struct model_options *options, const struct net_options *plan)
{
  struct error error = {0};
  struct net *net = NULL;
  if (model_build(options, &net, &error)) fail_msg("%s", error.text);
  if (net_plan(net, plan, &error)) fail_msg("%s", error.text);
  net_initialise(net, 3);
  for (size_t p = 0; p < net_parameter_count(net); p++) { // batch norms that do something, equal by name in any part
    struct parameter *parameter = net_parameter(net, p);
    struct rng rng = rng_at(strlen(parameter->name), RNG_TEST, (uint64_t)parameter->name[4], parameter->count);
    if (parameter->rank > 1) continue;
    for (size_t i = 0; i < parameter->count; i++)
      parameter->value[i] = parameter->initial + rng_uniform(&rng, -0.3f, 0.3f);
  }
  net_parameters_changed(net);
  return net;
}

// Pictures of soft blobs.
static void fetch(void *self, size_t index, void *pixels)
{
  struct rng rng = rng_at(1, RNG_TEST, index + *(const size_t *)self, 0);
  float at[6];
  for (int i = 0; i < 6; i++) at[i] = rng_uniform(&rng, 0.02f, 0.2f);
  for (int i = 0; i < SIDE * SIDE * 3; i++) {
    const int column = i / 3 % SIDE, row = i / 3 / SIDE;
    const float x = (float)column, y = (float)row;
    ((uint8_t *)pixels)[i] = (uint8_t)(128 + 100 * sinf(x * at[i % 3]) * cosf(y * at[3 + i % 3]));
  }
}

static const struct net_options fp32 = {.kernels = KERNELS_NATIVE, .threads = 2, .batch = IMAGES};

static void observe(float ranges[LAYERS_LIMIT], enum model_part part, int threads)
{
  const struct model_options model = options_of(part, TRAIN_LAST4);
  struct net_options plan = fp32;
  plan.threads = threads;
  struct net *net = build(&model, &plan);
  struct ranges *seen = NULL;
  size_t first = 0;
  assert_in_range(net_layer_count(net), 1, LAYERS_LIMIT);
  assert_int_equal(ranges_new(&seen, net, NULL), OK);
  assert_int_equal(net_observe(net, &(struct net_input){&first, fetch}, IMAGES, seen, NULL, NULL), OK);
  assert_int_equal(ranges_choose(seen, net, ranges, NULL), OK);
  ranges_free(seen);
  net_free(net);
}

static float *outputs(const struct model_options *model, const struct net_options *plan, size_t first, size_t *width)
{
  struct net *net = build(model, plan);
  struct error error = {0};
  *width = (size_t)net_layer(net, net_layer_count(net) - 1).output.c;
  float *out = malloc(IMAGES * *width * sizeof *out);
  assert_non_null(out);
  if (net_infer(net, &(struct net_input){&first, fetch}, IMAGES, out, &error)) fail_msg("%s", error.text);
  net_free(net);
  return out;
}

static double cosine(const float *a, const float *b, size_t count)
{
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < count; i++) {
    ab += (double)a[i] * (double)b[i];
    aa += (double)a[i] * (double)a[i];
    bb += (double)b[i] * (double)b[i];
  }
  return ab / sqrt(aa * bb);
}

// Other images than the ranges are from.
static void features_stand_for_those_of_fp32(void **state)
{
  (void)state;
  static const enum model_trainable trainables[] = {TRAIN_LAST4, TRAIN_HEAD};
  float ranges[LAYERS_LIMIT];
  observe(ranges, MODEL_WHOLE, 2); // has the layers of either trunk, and their indices
  for (int t = 0; t < 2; t++) {
    const struct model_options model = options_of(MODEL_TRUNK, trainables[t]);
    struct net_options bytes = fp32;
    size_t width;
    bytes.ranges = ranges;
    float *numbers = outputs(&model, &fp32, 100, &width), *rounded = outputs(&model, &bytes, 100, &width);
    assert_memory_not_equal(numbers, rounded, width * sizeof *numbers);
    for (int image = 0; image < IMAGES; image++) {
      double c = cosine(numbers + (size_t)image * width, rounded + (size_t)image * width, width);
      if (!(c > 0.995)) fail_msg("%s, image %d: cosine %g", t ? "head" : "last4", image, c);
    }
    free(numbers);
    free(rounded);
  }
}

static void bits_depend_on_neither_threads_nor_kernels(void **state)
{
  (void)state;
  const struct model_options model = options_of(MODEL_TRUNK, TRAIN_LAST4);
  float ranges[LAYERS_LIMIT], again[LAYERS_LIMIT] = {0};
  size_t width;
  observe(ranges, MODEL_TRUNK, 2);
  observe(again, MODEL_TRUNK, 1);
  struct net_options bytes = fp32;
  bytes.ranges = ranges;
  float *two = outputs(&model, &bytes, 0, &width);
  bytes.threads = 1;
  bytes.ranges = again;
  float *one = outputs(&model, &bytes, 0, &width);
  assert_memory_equal(one, two, IMAGES * width * sizeof *one);
  bytes.kernels = KERNELS_REFERENCE; // the first convolution's floats differ in the last place
  float *plain = outputs(&model, &bytes, 0, &width);
  assert_true(cosine(one, plain, IMAGES * width) > 0.9999);
  free(one);
  free(two);
  free(plain);
}

// Where the frozen part ends, its bytes become numbers again for what is behind.
static void the_whole_net_goes_on_in_numbers(void **state)
{
  (void)state;
  const struct model_options model = options_of(MODEL_WHOLE, TRAIN_LAST4);
  float ranges[LAYERS_LIMIT];
  size_t width;
  observe(ranges, MODEL_WHOLE, 2);
  struct net_options bytes = fp32;
  bytes.ranges = ranges;
  float *numbers = outputs(&model, &fp32, 100, &width), *rounded = outputs(&model, &bytes, 100, &width);
  assert_int_equal(width, CLASSES);
  assert_true(cosine(numbers, rounded, IMAGES * width) > 0.99);
  assert_memory_not_equal(numbers, rounded, width * sizeof *numbers);
  free(numbers);
  free(rounded);
}

// The range for numbers that were seen `times`, and for one more.
static float range_for(const float *numbers, size_t count, int times, float one_more)
{
  const struct model_options model = {.name = "seed-cnn", .classes = 3};
  struct net *net = NULL;
  struct ranges *ranges = NULL;
  float out[LAYERS_LIMIT];
  assert_int_equal(model_build(&model, &net, NULL), OK);
  assert_int_equal(net_plan(net, &(struct net_options){.threads = 1, .batch = 1, .kernels = KERNELS_REFERENCE}, NULL),
                   OK);
  assert_int_equal(ranges_new(&ranges, net, NULL), OK);
  for (int i = 0; i < times; i++) ranges_add(ranges, 0, 1, numbers, count);
  ranges_add(ranges, 0, 1, &one_more, 1);
  enum status status = ranges_choose(ranges, net, out, NULL);
  if (!status) assert_true(out[0] == 0 && out[2] == 0); // not seen
  ranges_free(ranges);
  net_free(net);
  return status ? -1 : out[1];
}

static void ranges_reach_what_is_common(void **state)
{
  (void)state;
  enum { COUNT = 20000 };
  static float numbers[COUNT];
  for (int i = 0; i < COUNT; i++) numbers[i] = 2.0f * (float)i / COUNT;
  float even = range_for(numbers, COUNT, 1, 1); // evenly spread: hardly anything is cut off
  assert_true(even >= 1.95f && even <= 2.13f);
  // To reach one number alone doubles the steps of all others: worth it where those are few.
  assert_true(range_for(numbers, COUNT, 1, 4) > 3.5f);
  assert_true(range_for(numbers, COUNT, 100, 4) < 2.3f);
  assert_true(range_for(numbers, 1, 3, 0) == 1); // zeros
  assert_true(range_for(numbers, COUNT, 1, INFINITY) == -1);
  assert_true(range_for(numbers, COUNT, 1, NAN) == -1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(features_stand_for_those_of_fp32),
      cmocka_unit_test(bits_depend_on_neither_threads_nor_kernels),
      cmocka_unit_test(the_whole_net_goes_on_in_numbers),
      cmocka_unit_test(ranges_reach_what_is_common),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
