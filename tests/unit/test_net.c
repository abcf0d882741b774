// A net as a whole: shapes, reproducibility, learning.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/fit/optimizer.h"
#include "engine/net/net.h"
#include "models/models.h"
#include "models/seed_cnn.h"

#include <cmocka.h> // last: it has a macro called fail

enum { SIDE = 12, CLASSES = 5, IMAGES = 21 };

struct images {
  uint8_t pixels[IMAGES][SIDE * SIDE * 3];
  int32_t labels[IMAGES];
};

static void fetch(void *self, size_t index, void *pixels)
{
  memcpy(pixels, ((struct images *)self)->pixels[index], SIDE * SIDE * 3);
}

static void make_images(struct images *images)
{
  struct rng rng = rng_at(1, RNG_TEST, 0, 0);
  for (size_t i = 0; i < IMAGES; i++) {
    images->labels[i] = (int32_t)(i % CLASSES);
    for (size_t k = 0; k < sizeof images->pixels[i]; k++)
      images->pixels[i][k] = (uint8_t)(rng_bits(&rng) % 64 + 30 * (unsigned)images->labels[i]);
  }
}

static struct net *planned_as(struct net_options options, bool training)
{
  struct error error = {0};
  struct net *net = seed_cnn((struct shape){SIDE, SIDE, 3}, CLASSES, 0.3f);
  assert_non_null(net);
  options.batch = IMAGES;
  options.training = training;
  if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
  net_initialise(net, 7);
  return net;
}

static struct net *planned(struct net_options options)
{
  return planned_as(options, true);
}

// The weights after three steps of n images.
static float *weights_after(struct net_options options, size_t n, size_t *count)
{
  struct error error = {0};
  static struct images images;
  make_images(&images);
  struct net *net = planned(options);
  struct optimizer *optimizer = NULL;
  struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  assert_int_equal(optimizer_new(&optimizer, net, &adam, &error), OK);
  for (uint64_t step = 1; step <= 3; step++) {
    double loss;
    struct net_input input = {&images, fetch};
    struct net_target target = {.labels = images.labels, .label_smoothing = 0.1f};
    if (net_train(net, &input, &target, n, step, &loss, NULL, &error)) fail_msg("%s", error.text);
    if (optimizer_step(optimizer, step, 1e-3f, options.threads, &error)) fail_msg("%s", error.text);
  }
  *count = 0;
  for (size_t i = 0; i < net_parameter_count(net); i++) *count += net_parameter(net, i)->count;
  float *all = malloc(*count * sizeof *all + 1), *next = all;
  assert_non_null(all);
  for (size_t i = 0; i < net_parameter_count(net); i++) {
    memcpy(next, net_parameter(net, i)->value, net_parameter(net, i)->count * sizeof *next);
    next += net_parameter(net, i)->count;
  }
  optimizer_free(optimizer);
  net_free(net);
  return all;
}

static void same_bits(struct net_options options, size_t n)
{
  size_t count;
  options.threads = 1;
  float *one = weights_after(options, n, &count);
  for (int threads = 1; threads <= 4; threads++) {
    options.threads = threads;
    float *some = weights_after(options, n, &count);
    assert_memory_equal(one, some, count * sizeof *one);
    free(some);
  }
  free(one);
}

static void threads_do_not_change_a_bit(void **state)
{
  (void)state;
  const enum net_kernels tables[] = {KERNELS_NATIVE, KERNELS_ONEDNN, KERNELS_REFERENCE};
  for (int i = 0; i < 3; i++)
    for (size_t n = 3; n <= (tables[i] == KERNELS_REFERENCE ? 3 : IMAGES); n += 9) { // the plain loops are slow
      same_bits((struct net_options){.kernels = tables[i]}, n);
      if (net_precision_supported(NET_BF16))
        same_bits((struct net_options){.kernels = tables[i], .precision = NET_BF16}, n);
    }
}

static void the_seed_of_dropout_changes_the_weights(void **state)
{
  (void)state;
  size_t count;
  float *one = weights_after((struct net_options){.kernels = KERNELS_NATIVE, .threads = 1}, 5, &count);
  float *two = weights_after((struct net_options){.kernels = KERNELS_NATIVE, .threads = 1, .seed = 1}, 5, &count);
  assert_memory_not_equal(one, two, count * sizeof *one);
  free(one);
  free(two);
}

static void seed_cnn_has_its_shape(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = NULL;
  assert_int_equal(
      model_build(&(struct model_options){.name = "seed-cnn", .classes = 29, .dropout = 0.3f}, &net, &error), OK);
  size_t total = 0;
  for (size_t i = 0; i < net_layer_count(net); i++) total += net_layer(net, i).parameters;
  assert_int_equal(total, 656733);
  static const struct {
    const char *name;
    struct shape shape;
    size_t parameters;
  } expected[] = {{"conv1", {100, 100, 64}, 1792}, {"sep1", {100, 100, 64}, 4736}, {"pool1", {50, 50, 64}, 0},
                  {"res1", {50, 50, 64}, 4160},    {"add1", {50, 50, 64}, 0},      {"drop1", {50, 50, 64}, 0},
                  {"sep2", {50, 50, 32}, 2656},    {"sep3", {50, 50, 32}, 1344},   {"pool2", {25, 25, 32}, 0},
                  {"res2", {25, 25, 32}, 1056},    {"add2", {25, 25, 32}, 0},      {"drop2", {25, 25, 32}, 0},
                  {"flatten", {1, 1, 20000}, 0},   {"dense", {1, 1, 32}, 640032},  {"predictions", {1, 1, 29}, 957}};
  size_t found = 0;
  for (size_t i = 0; i < net_layer_count(net); i++)
    for (size_t k = 0; k < sizeof expected / sizeof *expected; k++) {
      struct layer_summary layer = net_layer(net, i);
      if (strcmp(layer.name, expected[k].name) != 0) continue;
      assert_memory_equal(&layer.output, &expected[k].shape, sizeof layer.output);
      assert_int_equal(layer.parameters, expected[k].parameters);
      found++;
    }
  assert_int_equal(found, sizeof expected / sizeof *expected);
  net_free(net);
}

static void an_unknown_model_is_named(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = NULL;
  assert_int_equal(model_build(&(struct model_options){.name = "sead-cnn", .classes = 29}, &net, &error), BAD_USAGE);
  assert_non_null(strstr(error.text, "sead-cnn"));
  assert_null(net);
}

static void building_errors_reach_plan(void **state)
{
  (void)state;
  struct error error = {0};
  struct net_options options = {.threads = 1, .batch = 1};
  struct net *net = net_new("odd", (struct shape){2, 2, 3}, DTYPE_F32);
  int x = net_conv2d(net, "big", NET_INPUT, &(struct conv2d){.filters = 4, .kernel = 3, .stride = 1});
  assert_int_equal(x, -1);
  net_dense(net, "out", net_flatten(net, "flat", x), &(struct dense){.units = 2});
  assert_int_equal(net_plan(net, &options, &error), BAD_USAGE);
  assert_non_null(strstr(error.text, "big"));
  net_free(net);

  net = net_new("unread", (struct shape){2, 2, 3}, DTYPE_F32);
  x = net_flatten(net, "flat", NET_INPUT);
  net_dense(net, "lost", x, &(struct dense){.units = 2});
  net_dense(net, "out", x, &(struct dense){.units = 2});
  assert_int_equal(net_plan(net, &options, &error), BAD_USAGE);
  assert_non_null(strstr(error.text, "lost"));
  net_free(net);

  net = net_new("bytes", (struct shape){2, 2, 3}, DTYPE_U8);
  net_dense(net, "out", net_flatten(net, "flat", NET_INPUT), &(struct dense){.units = 2});
  assert_int_equal(net_plan(net, &options, &error), BAD_USAGE);
  assert_non_null(strstr(error.text, "rescale"));
  net_free(net);
}

// Kernels count on a pixel of the map in each window.
static void a_padding_as_wide_as_its_window_is_refused(void **state)
{
  (void)state;
  const struct net_options options = {.threads = 1, .batch = 1};
  for (int pad = 2; pad <= 3; pad++)
    for (int pooled = 0; pooled < 2; pooled++) {
      struct error error = {0};
      struct net *net = net_new("padded", (struct shape){6, 6, 3}, DTYPE_F32);
      int x = net_zero_pad2d(net, "pad", net_relu(net, "relu", NET_INPUT), pad);
      if (pooled)
        x = net_max_pool2d(net, "window", x, &(struct pool2d){.size = 3, .stride = 2, .padding = PAD_VALID});
      else
        x = net_conv2d(net, "window", x, &(struct conv2d){.filters = 4, .kernel = 3, .stride = 1});
      net_dense(net, "out", net_flatten(net, "flat", x), &(struct dense){.units = 2});
      assert_int_equal(net_plan(net, &options, &error), pad < 3 ? OK : BAD_USAGE);
      if (pad == 3) assert_non_null(strstr(error.text, "layer window: a padding of 3: less than the window's 3"));
      net_free(net);
    }
}

static void bad_calls_are_refused(void **state)
{
  (void)state;
  struct error error = {0};
  static struct images images;
  make_images(&images);
  struct net *net = planned((struct net_options){.threads = 1, .kernels = KERNELS_NATIVE});
  struct net_input input = {&images, fetch};
  double loss;
  int32_t labels[2] = {0, CLASSES};
  assert_int_equal(net_train(net, &input, &(struct net_target){.labels = labels}, 2, 0, &loss, NULL, &error), BAD_DATA);
  assert_int_equal(net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES + 1, 0, &loss, NULL, &error),
                   BAD_USAGE);
  net_free(net);
}

// Also where a kernel's ReLU or max pool would swallow it.
static void a_weight_that_is_not_finite_is_named(void **state)
{
  (void)state;
  struct error error = {0};
  static struct images images;
  make_images(&images);
  const struct net_input input = {&images, fetch};
  const struct net_target target = {.labels = images.labels};
  const enum net_kernels tables[] = {KERNELS_NATIVE, KERNELS_ONEDNN, KERNELS_REFERENCE};
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 3; i++) {
    struct net *net = planned((struct net_options){.threads = 2, .kernels = tables[i]});
    struct parameter *parameter = net_parameter(net, (size_t)i);
    double loss;
    float logits[CLASSES], before = parameter->value[1];
    parameter->value[1] = bad[i];
    net_parameters_changed(net);
    assert_int_equal(net_train(net, &input, &target, 1, 0, &loss, NULL, &error), FAILED);
    assert_non_null(strstr(error.text, parameter->name));
    assert_int_equal(net_infer(net, &input, 1, logits, &error), FAILED);
    parameter->value[1] = before;
    net_parameters_changed(net);
    assert_int_equal(net_train(net, &input, &target, 1, 0, &loss, NULL, &error), OK);
    net_free(net);
  }
}

// Two frozen convolutions with batch norms: their ReLU makes 0 of NaN.
static struct net *normed(enum net_kernels kernels)
{
  struct error error = {0};
  struct net *net = net_new("normed", (struct shape){SIDE, SIDE, 3}, DTYPE_U8);
  assert_non_null(net);
  int x = net_rescale(net, "rescale", NET_INPUT, 1 / 255.0f);
  const char *const names[2][3] = {{"conv1", "bn1", "relu1"}, {"conv2", "bn2", "relu2"}};
  for (int i = 0; i < 2; i++) {
    x = net_conv2d(net, names[i][0], x, &(struct conv2d){.filters = 8, .kernel = 3, .stride = 1});
    x = net_batch_norm(net, names[i][1], x, &(struct batch_norm){.epsilon = 1e-3f, .momentum = 0.9f});
    x = net_relu(net, names[i][2], x);
  }
  net_dense(net, "out", net_flatten(net, "flatten", x), &(struct dense){.units = CLASSES});
  if (net_plan(net, &(struct net_options){.kernels = kernels, .threads = 2, .batch = 2}, &error))
    fail_msg("%s", error.text);
  net_initialise(net, 7);
  return net;
}

static void expect_failure(struct net *net, const struct net_input *input, const char *text)
{
  struct error error = {0};
  float logits[2 * CLASSES];
  net_parameters_changed(net);
  for (int again = 0; again < 2; again++) {
    assert_int_equal(net_infer(net, input, 2, logits, &error), FAILED);
    if (!strstr(error.text, text)) fail_msg("\"%s\" does not say \"%s\"", error.text, text);
  }
}

static void weights_that_overflow_are_refused(void **state)
{
  (void)state;
  enum { CONV1, VARIANCE1 = 5, CONV2, OUT = 12 }; // parameters
  static struct images images;
  make_images(&images);
  memset(images.pixels[0], 0, sizeof images.pixels[0]);
  const struct net_input input = {&images, fetch};
  for (int kernels = KERNELS_REFERENCE; kernels <= KERNELS_NATIVE; kernels++) {
    float logits[2 * CLASSES];
    struct error error = {0};
    struct net *net = normed((enum net_kernels)kernels);
    assert_string_equal(net_parameter(net, VARIANCE1)->name, "bn1/moving_variance");
    assert_string_equal(net_parameter(net, OUT)->name, "out/kernel");
    if (net_infer(net, &input, 2, logits, &error)) fail_msg("%s", error.text);
    net_parameter(net, VARIANCE1)->value[3] = -1;
    expect_failure(net, &input, "normed: the weights of layer conv1 are not finite once its batch norm is folded in");
    net_parameter(net, VARIANCE1)->value[3] = 1;
    net_parameter(net, CONV1 + 1)->value[0] = 1; // the first picture is of zeros
    const size_t huge[] = {CONV1, CONV2};
    for (int i = 0; i < 2; i++) {
      struct parameter *kernel = net_parameter(net, huge[i]);
      for (size_t k = 0; k < kernel->count; k++) kernel->value[k] *= 1e30f;
    }
    expect_failure(net, &input, "normed: layer conv2 makes numbers of 2^50 and more");
    net_initialise(net, 7);
    for (size_t k = 0; k < net_parameter(net, OUT)->count; k++) net_parameter(net, OUT)->value[k] = 3e38f;
    expect_failure(net, &input, "normed: the output for image 1 of the batch is not finite");
    net_initialise(net, 7);
    if (net_infer(net, &input, 2, logits, &error)) fail_msg("%s", error.text);
    net_free(net);
  }
}

static void it_learns(void **state)
{
  (void)state;
  struct error error = {0};
  static struct images images;
  make_images(&images);
  struct net *net = planned((struct net_options){.threads = 2, .kernels = KERNELS_NATIVE});
  struct optimizer *optimizer = NULL;
  struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  assert_int_equal(optimizer_new(&optimizer, net, &adam, &error), OK);
  struct net_input input = {&images, fetch};
  struct net_target target = {.labels = images.labels};
  double first = 0, loss = 0;
  for (uint64_t step = 1; step <= 40; step++) {
    assert_int_equal(net_train(net, &input, &target, IMAGES, step, &loss, NULL, &error), OK);
    assert_int_equal(optimizer_step(optimizer, step, 3e-3f, 2, &error), OK);
    if (step == 1) first = loss;
  }
  assert_true(loss < first / 2);
  float logits[IMAGES * CLASSES];
  assert_int_equal(net_infer(net, &input, IMAGES, logits, &error), OK);
  int right = 0;
  for (int i = 0; i < IMAGES; i++) {
    int best = 0;
    for (int k = 1; k < CLASSES; k++)
      if (logits[i * CLASSES + k] > logits[i * CLASSES + best]) best = k;
    right += best == images.labels[i];
  }
  assert_true(right > IMAGES * 3 / 4);
  optimizer_free(optimizer);
  net_free(net);
}

// What training says of its validation part is what judging the finished run says: to the bit.
static void a_plan_for_training_infers_as_one_without(void **state)
{
  (void)state;
  static struct images images;
  make_images(&images);
  struct net_input input = {&images, fetch};
  for (int precision = NET_FP32; precision <= NET_BF16; precision++) {
    if (!net_precision_supported((enum net_precision)precision)) continue;
    for (int kernels = KERNELS_REFERENCE; kernels <= KERNELS_NATIVE; kernels++) {
      float logits[2][IMAGES * CLASSES];
      for (int training = 0; training < 2; training++) {
        struct error error = {0};
        struct net_options options = {
            .precision = (enum net_precision)precision, .kernels = (enum net_kernels)kernels, .threads = 1};
        struct net *net = planned_as(options, training == 1);
        if (net_infer(net, &input, IMAGES, logits[training], &error)) fail_msg("%s", error.text);
        net_free(net);
      }
      assert_memory_equal(logits[0], logits[1], sizeof logits[0]);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(seed_cnn_has_its_shape),
      cmocka_unit_test(an_unknown_model_is_named),
      cmocka_unit_test(building_errors_reach_plan),
      cmocka_unit_test(a_padding_as_wide_as_its_window_is_refused),
      cmocka_unit_test(bad_calls_are_refused),
      cmocka_unit_test(a_weight_that_is_not_finite_is_named),
      cmocka_unit_test(weights_that_overflow_are_refused),
      cmocka_unit_test(a_plan_for_training_infers_as_one_without),
      cmocka_unit_test(threads_do_not_change_a_bit),
      cmocka_unit_test(the_seed_of_dropout_changes_the_weights),
      cmocka_unit_test(it_learns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
