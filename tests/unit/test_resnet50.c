// A narrow ResNet50 against what another framework computed for it: tests/fixtures/make_torch_resnet.py.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "engine/net/net.h"
#include "models/models.h"

#include "torch_fixtures.h"

enum { H = 40, W = 48, CLASSES = 5, IMAGES = 4, PIXELS = H * W * 3, FEATURES = 2 * 2 * (32 + 128) };

static struct tensorfile *fixtures;

static int open_fixtures(void **state)
{
  (void)state;
  return fixtures_open(&fixtures, "tests/fixtures/resnet50.safetensors");
}

static int close_fixtures(void **state)
{
  (void)state;
  tensorfile_close(fixtures);
  return 0;
}

static const float *fixture(const char *name, size_t count)
{
  return fixtures_find(fixtures, name, count);
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

// --- the net of the fixtures
// -------------------------------------------------------------------------------------------

static struct model_options options_of(enum model_part part, enum model_trainable trainable)
{
  return (struct model_options){.name = "resnet50",
                                .input = {H, W, 3},
                                .width = 4,
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
  return net;
}

// The formulas of make_torch_resnet.py.
static double fraction(uint64_t i, uint64_t ordinal)
{
  uint64_t hash = (i * 7919 + ordinal * 104729 + 12345) * 2654435761u % 4294967296u, high = hash / 65536;
  return (double)high / 65536 - 0.5;
}

static void set_parameter(const struct parameter *parameter, size_t ordinal)
{
  double fan_in = 1, size = 0.2, middle = 0;
  for (int k = 0; k + 1 < parameter->rank; k++) fan_in *= parameter->shape[k];
  if (parameter->rank > 1) size = sqrt(1 / fan_in) * 3;
  if (strstr(parameter->name, "gamma")) size = 0.5, middle = 1;
  if (strstr(parameter->name, "moving_variance")) size = middle = strncmp(parameter->name, "conv1_bn", 8) ? 1 : 3000;
  for (size_t i = 0; i < parameter->count; i++) parameter->value[i] = (float)(middle + fraction(i, ordinal) * size);
}

// A part's parameters have the whole net's names; a parameter's number is that in the whole net.
static void set_parameters(struct net *net)
{
  const struct model_options options = options_of(MODEL_WHOLE, TRAIN_ALL);
  struct net *whole = NULL;
  assert_int_equal(model_build(&options, &whole, NULL), OK);
  size_t found = 0;
  for (size_t p = 0; p < net_parameter_count(whole); p++)
    for (size_t q = 0; q < net_parameter_count(net); q++)
      if (strcmp(net_parameter(whole, p)->name, net_parameter(net, q)->name) == 0) {
        set_parameter(net_parameter(net, q), p);
        found++;
      }
  assert_int_equal(found, net_parameter_count(net));
  net_free(whole);
  net_parameters_changed(net);
}

static void fetch_image(void *self, size_t index, void *pixels)
{
  (void)self;
  for (uint64_t i = 0; i < PIXELS; i++) {
    uint64_t k = index * PIXELS + i;
    ((uint8_t *)pixels)[i] = (uint8_t)((k * k * 31 + k * 7) % 253);
  }
}

struct rows {
  const void *data;
  size_t bytes; // of a row
};

static void fetch_row(void *self, size_t index, void *row)
{
  const struct rows *rows = self;
  memcpy(row, (const unsigned char *)rows->data + index * rows->bytes, rows->bytes);
}

static void infer(struct net *net, struct rows *rows, float *out)
{
  struct error error = {0};
  const struct net_input input = {rows, rows ? fetch_row : fetch_image};
  if (net_infer(net, &input, IMAGES, out, &error)) fail_msg("%s", error.text);
}

// --- tests -----------------------------------------------------------------------------------------------------------

static const struct net_options plans[] = {
    {.kernels = KERNELS_REFERENCE, .threads = 2, .batch = IMAGES},
    {.kernels = KERNELS_ONEDNN, .threads = 2, .batch = IMAGES},
    {.kernels = KERNELS_NATIVE, .threads = 2, .batch = IMAGES},
};
enum { PLANS = sizeof plans / sizeof *plans };

static void features_and_logits_in_fp32(void **state)
{
  (void)state;
  for (int i = 0; i < PLANS; i++) {
    const struct model_options whole = options_of(MODEL_WHOLE, TRAIN_LAST4),
                               trunk = options_of(MODEL_TRUNK, TRAIN_LAST4);
    float logits[IMAGES * CLASSES], features[IMAGES * FEATURES];
    struct net *net = build(&whole, &plans[i]);
    set_parameters(net);
    infer(net, NULL, logits);
    assert_close("logits", logits, fixture("logits", IMAGES * CLASSES), IMAGES * CLASSES, 1e-5);
    net_free(net);
    net = build(&trunk, &plans[i]);
    set_parameters(net);
    infer(net, NULL, features);
    assert_close("features", features, fixture("features", IMAGES * FEATURES), IMAGES * FEATURES, 1e-5);
    net_free(net);
  }
}

static void features_and_logits_in_bf16(void **state)
{
  (void)state;
  if (!net_precision_supported(NET_BF16)) skip();
  for (int i = 0; i < PLANS; i++) {
    const struct model_options whole = options_of(MODEL_WHOLE, TRAIN_LAST4),
                               trunk = options_of(MODEL_TRUNK, TRAIN_LAST4);
    struct net_options plan = plans[i];
    float logits[IMAGES * CLASSES], features[IMAGES * FEATURES];
    plan.precision = NET_BF16;
    struct net *net = build(&whole, &plan);
    set_parameters(net);
    infer(net, NULL, logits);
    assert_true(cosine(logits, fixture("logits", IMAGES * CLASSES), IMAGES * CLASSES) > 0.999);
    net_free(net);
    net = build(&trunk, &plan);
    set_parameters(net);
    infer(net, NULL, features);
    assert_true(cosine(features, fixture("features", IMAGES * FEATURES), IMAGES * FEATURES) > 0.999);
    for (size_t k = 0; k < IMAGES * FEATURES; k++) // nothing is lost when a row is kept in bf16
      assert_true(features[k] == bf16_to_float(bf16_from_float(features[k])) && features[k] >= 0);
    net_free(net);
  }
}

// torchvision's structure: the stride on the 3x3 convolution, padding on all sides alike, other preprocessing.
static void variant_with_the_stride_on_the_3x3(void **state)
{
  (void)state;
  for (int i = 0; i < PLANS; i++)
    for (int precision = NET_FP32; precision <= (net_precision_supported(NET_BF16) ? NET_BF16 : NET_FP32);
         precision++) {
      struct model_options options = options_of(MODEL_WHOLE, TRAIN_LAST4);
      struct net_options plan = plans[i];
      float logits[IMAGES * CLASSES], features[IMAGES * FEATURES];
      const float *wanted_logits = fixture("v1.5:logits", IMAGES * CLASSES),
                  *wanted_features = fixture("v1.5:features", IMAGES * FEATURES);
      options.variant = VARIANT_V1_5;
      plan.precision = (enum net_precision)precision;
      struct net *net = build(&options, &plan);
      set_parameters(net);
      infer(net, NULL, logits);
      net_free(net);
      options.part = MODEL_TRUNK;
      net = build(&options, &plan);
      set_parameters(net);
      infer(net, NULL, features);
      net_free(net);
      if (precision == NET_FP32) {
        assert_close("v1.5:logits", logits, wanted_logits, IMAGES * CLASSES, 1e-5);
        assert_close("v1.5:features", features, wanted_features, IMAGES * FEATURES, 1e-5);
      }
      assert_true(cosine(logits, wanted_logits, IMAGES * CLASSES) > 0.999);
      assert_true(cosine(features, wanted_features, IMAGES * FEATURES) > 0.999);
    }
}

// Wide enough that frozen convolutions run on tiles, where there are any.
static void wider_trunk_agrees(enum model_variant variant)
{
  struct model_options options = options_of(MODEL_TRUNK, TRAIN_LAST4);
  const size_t count = (size_t)IMAGES * FEATURES * 8;
  float *features[3] = {calloc(count, sizeof(float)), calloc(count, sizeof(float)), calloc(count, sizeof(float))};
  assert_true(features[0] && features[1] && features[2]);
  options.width = 32;
  options.variant = variant;
  for (int i = 0; i < 3; i++) {
    struct net_options plan = plans[i == 0 ? 0 : 2];
    plan.precision = i == 2 && net_precision_supported(NET_BF16) ? NET_BF16 : NET_FP32;
    struct net *net = build(&options, &plan);
    set_parameters(net);
    infer(net, NULL, features[i]);
    net_free(net);
  }
  assert_close("features", features[1], features[0], count, 1e-5);
  assert_true(cosine(features[2], features[0], count) > 0.999);
  for (int i = 0; i < 3; i++) free(features[i]);
}

static void wider_trunks_agree(void **state)
{
  (void)state;
  wider_trunk_agrees(VARIANT_V1);
  wider_trunk_agrees(VARIANT_V1_5);
}

static void blocks_may_begin_as_their_shortcuts(void **state)
{
  (void)state;
  for (int zero = 0; zero < 2; zero++) {
    struct model_options options = options_of(MODEL_WHOLE, TRAIN_ALL);
    options.zero_gamma = zero;
    struct net *net = build(&options, &plans[2]);
    size_t zeros = 0, ones = 0;
    net_initialise(net, 1);
    for (size_t p = 0; p < net_parameter_count(net); p++) {
      const struct parameter *parameter = net_parameter(net, p);
      if (!strstr(parameter->name, "_bn/gamma")) continue;
      bool last = strstr(parameter->name, "_3_bn/gamma") != NULL;
      assert_true(parameter->value[0] == (zero && last ? 0.0f : 1.0f));
      zeros += parameter->value[0] == 0;
      ones += parameter->value[0] == 1;
    }
    assert_int_equal(zeros, zero ? 16 : 0);
    assert_int_equal(zeros + ones, 53);
    net_free(net);
  }
}

// Trunk and head are the whole net, cut in two.
static void check_parts(enum model_trainable trainable, enum net_precision precision, enum dtype dtype)
{
  struct net_options plan = plans[2];
  plan.precision = precision;
  struct model_options options = options_of(MODEL_WHOLE, trainable);
  struct model_features features;
  float expected[IMAGES * CLASSES], logits[IMAGES * CLASSES];
  assert_int_equal(model_features(&options, &features, NULL), OK);
  float *rows = calloc(IMAGES * features.values, sizeof *rows);
  uint16_t *halves = calloc(IMAGES * features.values, sizeof *halves);
  assert_true(rows && halves);

  struct net *net = build(&options, &plan);
  set_parameters(net);
  infer(net, NULL, expected);
  net_free(net);

  options.part = MODEL_TRUNK;
  net = build(&options, &plan);
  assert_int_equal(net_layer(net, net_layer_count(net) - 1).output.c, features.values);
  set_parameters(net);
  infer(net, NULL, rows);
  for (size_t i = 0; i < IMAGES * features.values; i++) halves[i] = bf16_from_float(rows[i]);
  net_free(net);

  options.part = MODEL_HEAD;
  options.feature_dtype = dtype;
  net = build(&options, &plan);
  set_parameters(net);
  infer(net, &(struct rows){dtype == DTYPE_F32 ? (void *)rows : halves, features.values * dtype_size(dtype)}, logits);
  if (precision == NET_BF16 || dtype == DTYPE_F32)
    assert_memory_equal(logits, expected, sizeof logits);
  else
    assert_close("logits of rounded features", logits, expected, IMAGES * CLASSES, 1e-2);
  net_free(net);
  free(rows);
  free(halves);
}

static void trunk_and_head_are_the_whole(void **state)
{
  (void)state;
  for (int trainable = TRAIN_LAST4; trainable <= TRAIN_HEAD; trainable++) {
    check_parts((enum model_trainable)trainable, NET_FP32, DTYPE_F32);
    check_parts((enum model_trainable)trainable, NET_FP32, DTYPE_BF16);
    if (net_precision_supported(NET_BF16)) check_parts((enum model_trainable)trainable, NET_BF16, DTYPE_BF16);
  }
}

// --- training --------------------------------------------------------------------------------------------------------

static const int32_t labels[IMAGES] = {0, 3, 1, 4};

static void assert_parameter(const char *prefix, const char *what, const char *name, const float *values, size_t count,
                             double tolerance)
{
  char fixture_name[160];
  snprintf(fixture_name, sizeof fixture_name, "%s:%s%s", prefix, what, name);
  assert_close(fixture_name, values, fixture(fixture_name, count), count, tolerance);
}

// A bias in front of a batch norm has no gradient but for rounding; neither has conv1_bn's beta here, which passes
// every maximum of the pool behind it. The dense layer's kernel is too large for the fixtures.
static bool has_gradient(const struct parameter *parameter)
{
  return parameter->trainable && !strstr(parameter->name, "_conv/bias") && strcmp(parameter->name, "dense/kernel") &&
         strcmp(parameter->name, "conv1_bn/beta");
}

static void check_training(const char *prefix, enum model_trainable trainable, const struct net_options *options,
                           double tolerance, double gradient_tolerance)
{
  struct error error = {0};
  struct net_options plan = *options;
  plan.training = true;
  const struct model_options whole = options_of(MODEL_WHOLE, trainable);
  struct net *net = build(&whole, &plan);
  float logits[IMAGES * CLASSES], loss_float;
  double loss;
  const struct net_input input = {NULL, fetch_image};
  set_parameters(net);
  if (net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES, 1, &loss, logits, &error))
    fail_msg("%s", error.text);
  loss_float = (float)loss;
  assert_parameter(prefix, "", "logits", logits, IMAGES * CLASSES, tolerance);
  assert_parameter(prefix, "", "loss", &loss_float, 1, tolerance);
  net_stepped(net, SIZE_MAX);
  size_t moved = 0;
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    const struct parameter *parameter = net_parameter(net, p);
    if (has_gradient(parameter))
      assert_parameter(prefix, "gradient:", parameter->name, parameter->gradient, parameter->count, gradient_tolerance);
    if (!strstr(parameter->name, "moving") ||
        (trainable != TRAIN_ALL && strncmp(parameter->name, "conv5_block3_3", 14)))
      continue;
    assert_parameter(prefix, "", parameter->name, parameter->value, parameter->count, tolerance);
    moved++;
  }
  assert_int_equal(moved, trainable == TRAIN_ALL ? 106 : 2);
  net_free(net);
}

static void training_in_fp32(void **state)
{
  (void)state;
  for (int i = 0; i < PLANS; i++) {
    check_training("last4", TRAIN_LAST4, &plans[i], 1e-5, 1e-5);
    // 53 layers of few pixels: the fast tables' sums put one value of the last map on the other side of ReLU's kink.
    check_training("all", TRAIN_ALL, &plans[i], 1e-3, plans[i].kernels == KERNELS_REFERENCE ? 1e-3 : 0.4);
  }
}

static struct net *trained_in_bf16(const struct net_options *options)
{
  struct error error = {0};
  struct net_options plan = *options;
  plan.training = true;
  plan.precision = NET_BF16;
  const struct model_options whole = options_of(MODEL_WHOLE, TRAIN_ALL);
  struct net *net = build(&whole, &plan);
  const struct net_input input = {NULL, fetch_image};
  double loss;
  set_parameters(net);
  if (net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES, 1, &loss, NULL, &error))
    fail_msg("%s", error.text);
  return net;
}

// All gradients of the whole net as one direction, against the plain table's in bf16: with batches of four images, 53
// batch norms make so much of a rounding that fp32 is no judge, of the plain table either (a cosine of 0.2).
static void check_direction(const struct net_options *options, double least)
{
  struct net *net = trained_in_bf16(options), *judge = trained_in_bf16(&plans[0]);
  double dot = 0, ours = 0, theirs = 0;
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    const struct parameter *parameter = net_parameter(net, p), *wanted = net_parameter(judge, p);
    for (size_t i = 0; has_gradient(parameter) && i < parameter->count; i++) {
      dot += (double)parameter->gradient[i] * (double)wanted->gradient[i];
      ours += (double)parameter->gradient[i] * (double)parameter->gradient[i];
      theirs += (double)wanted->gradient[i] * (double)wanted->gradient[i];
    }
  }
  if (!(dot > least * sqrt(ours * theirs))) fail_msg("cosine %g, not above %g", dot / sqrt(ours * theirs), least);
  net_free(judge);
  net_free(net);
}

static void training_in_bf16(void **state)
{
  (void)state;
  if (!net_precision_supported(NET_BF16)) skip();
  for (int i = 1; i < PLANS; i++) {
    struct net_options plan = plans[i];
    plan.precision = NET_BF16;
    check_training("last4", TRAIN_LAST4, &plan, 0.05, 0.3);
    check_direction(&plan, 0.99);
  }
}

// Large enough for the gradients that wait for the batch: a convolution of 65,536 weights, a dense layer of 1.2
// million.
enum { WIDE_ROW = 3 * 3 * 640, WIDE_IMAGES = 11 };

static struct net *wide_head(enum net_kernels kernels, enum net_precision precision, int threads)
{
  const struct model_options options = {.name = "resnet50",
                                        .input = {72, 96, 3},
                                        .width = 16,
                                        .classes = CLASSES,
                                        .dropout = 0.5f,
                                        .part = MODEL_HEAD,
                                        .trainable = TRAIN_LAST4,
                                        .feature_dtype = DTYPE_BF16};
  const struct net_options plan = {
      .kernels = kernels, .precision = precision, .threads = threads, .batch = WIDE_IMAGES, .training = true};
  struct net *net = build(&options, &plan);
  net_initialise(net, 3);
  return net;
}

// Trains on the first n rows; the net's gradients are the result.
static void train_wide(struct net *net, size_t n)
{
  static uint16_t rows[WIDE_IMAGES * WIDE_ROW];
  static const int32_t wide_labels[WIDE_IMAGES] = {0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0};
  struct error error = {0};
  double loss;
  for (size_t i = 0; i < WIDE_IMAGES * WIDE_ROW; i++) rows[i] = bf16_from_float((float)fabs(fraction(i, 7)));
  const struct net_input input = {&(struct rows){rows, WIDE_ROW * sizeof *rows}, fetch_row};
  if (net_train(net, &input, &(struct net_target){.labels = wide_labels}, n, 1, &loss, NULL, &error))
    fail_msg("%s", error.text);
}

static void compare_wide(enum net_kernels kernels, enum net_precision precision, size_t n, double tolerance)
{
  struct net *judge = wide_head(KERNELS_REFERENCE, precision, 2), *net = wide_head(kernels, precision, 2);
  train_wide(net, WIDE_IMAGES); // a larger batch before leaves nothing behind
  train_wide(net, n);
  train_wide(judge, n);
  for (size_t p = 0; p < net_parameter_count(net); p++)
    if (net_parameter(net, p)->trainable && strcmp(net_parameter(net, p)->name, "conv5_block3_3_conv/bias") != 0)
      assert_close(net_parameter(net, p)->name, net_parameter(net, p)->gradient, net_parameter(judge, p)->gradient,
                   net_parameter(net, p)->count, tolerance);
  net_free(judge);
  net_free(net);
}

static void gradients_of_the_whole_batch(void **state)
{
  (void)state;
  compare_wide(KERNELS_NATIVE, NET_FP32, WIDE_IMAGES, 1e-4);
  compare_wide(KERNELS_NATIVE, NET_FP32, 3, 1e-4);
  compare_wide(KERNELS_ONEDNN, NET_FP32, 7, 1e-4);
  if (!net_precision_supported(NET_BF16)) return;
  compare_wide(KERNELS_NATIVE, NET_BF16, WIDE_IMAGES, 0.03);
  compare_wide(KERNELS_NATIVE, NET_BF16, 6, 0.03);
}

static void threads_do_not_change_a_bit(void **state)
{
  (void)state;
  const enum net_precision precision = net_precision_supported(NET_BF16) ? NET_BF16 : NET_FP32;
  struct net *one = wide_head(KERNELS_NATIVE, precision, 1), *three = wide_head(KERNELS_NATIVE, precision, 3);
  train_wide(one, WIDE_IMAGES);
  train_wide(three, WIDE_IMAGES);
  for (size_t p = 0; p < net_parameter_count(one); p++)
    if (net_parameter(one, p)->trainable)
      assert_memory_equal(net_parameter(one, p)->gradient, net_parameter(three, p)->gradient,
                          net_parameter(one, p)->count * sizeof(float));
  net_free(one);
  net_free(three);
}

static void count(enum model_part part, enum model_trainable trainable, size_t all, size_t training)
{
  const struct model_options options = {
      .name = "resnet50", .classes = 29, .part = part, .trainable = trainable, .feature_dtype = DTYPE_BF16};
  struct net *net = NULL;
  size_t numbers = 0, trains = 0;
  assert_int_equal(model_build(&options, &net, NULL), OK);
  for (size_t i = 0; i < net_layer_count(net); i++) {
    numbers += net_layer(net, i).parameters;
    trains += net_layer(net, i).trainable;
  }
  assert_int_equal(numbers, all);
  assert_int_equal(trains, training);
  net_free(net);
}

// As Keras counts them: 23,587,712 without the top, of which 53,120 are moving statistics.
static void parameters_are_counted(void **state)
{
  (void)state;
  const size_t notop = 23587712, moving = 53120, last4 = 1050624 + 8192, head = 25690368 + 7453;
  count(MODEL_WHOLE, TRAIN_ALL, notop + head, notop - moving + head);
  count(MODEL_WHOLE, TRAIN_LAST4, notop + head, 26752541);
  count(MODEL_WHOLE, TRAIN_HEAD, notop + head, head);
  count(MODEL_TRUNK, TRAIN_LAST4, notop - last4, 0);
  count(MODEL_HEAD, TRAIN_LAST4, last4 + head, 26752541);
  count(MODEL_TRUNK, TRAIN_HEAD, notop, 0);
  count(MODEL_HEAD, TRAIN_HEAD, head, head);
}

static void layers_have_keras_names(void **state)
{
  (void)state;
  static const struct {
    const char *name, *kind;
    struct shape output;
  } expected[] = {
      {"conv1_pad", "ZeroPadding2D", {230, 230, 3}},
      {"conv1_conv", "Conv2D", {112, 112, 64}},
      {"conv1_bn", "BatchNormalization", {112, 112, 64}},
      {"conv1_relu", "Activation", {112, 112, 64}},
      {"pool1_pad", "ZeroPadding2D", {114, 114, 64}},
      {"pool1_pool", "MaxPooling2D", {56, 56, 64}},
      {"conv2_block1_0_conv", "Conv2D", {56, 56, 256}},
      {"conv2_block1_1_relu", "Activation", {56, 56, 64}},
      {"conv3_block1_1_conv", "Conv2D", {28, 28, 128}},
      {"conv3_block4_out", "Activation", {28, 28, 512}},
      {"conv4_block6_add", "Add", {14, 14, 1024}},
      {"conv5_block3_3_bn", "BatchNormalization", {7, 7, 2048}},
      {"conv5_block3_out", "Activation", {7, 7, 2048}},
      {"flatten", "Flatten", {1, 1, 100352}},
      {"dense", "Dense", {1, 1, 256}},
      {"predictions", "Dense", {1, 1, 29}},
  };
  const struct model_options options = {.name = "resnet50", .classes = 29};
  struct net *net = NULL;
  assert_int_equal(model_build(&options, &net, NULL), OK);
  for (size_t e = 0; e < sizeof expected / sizeof *expected; e++) {
    bool found = false;
    for (size_t i = 0; i < net_layer_count(net) && !found; i++) {
      struct layer_summary layer = net_layer(net, i);
      if (strcmp(layer.name, expected[e].name) != 0) continue;
      found = true;
      assert_string_equal(layer.kind, expected[e].kind);
      assert_memory_equal(&layer.output, &expected[e].output, sizeof layer.output);
    }
    if (!found) fail_msg("there is no layer %s", expected[e].name);
  }
  assert_string_equal(net_parameter(net, 0)->name, "conv1_conv/kernel");
  assert_string_equal(net_parameter(net, 3)->name, "conv1_bn/beta");
  net_free(net);
}

static void parts_that_do_not_exist(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = NULL;
  struct model_features features;
  struct model_options options = options_of(MODEL_TRUNK, TRAIN_ALL);
  assert_int_equal(model_build(&options, &net, &error), BAD_USAGE);
  assert_int_equal(model_features(&options, &features, &error), BAD_USAGE);
  options = (struct model_options){.name = "seed-cnn", .classes = 5, .trainable = TRAIN_LAST4};
  assert_int_equal(model_build(&options, &net, &error), BAD_USAGE);
  assert_non_null(strstr(error.text, "seed-cnn"));
  assert_null(net);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(features_and_logits_in_fp32),
      cmocka_unit_test(features_and_logits_in_bf16),
      cmocka_unit_test(variant_with_the_stride_on_the_3x3),
      cmocka_unit_test(wider_trunks_agree),
      cmocka_unit_test(blocks_may_begin_as_their_shortcuts),
      cmocka_unit_test(trunk_and_head_are_the_whole),
      cmocka_unit_test(training_in_fp32),
      cmocka_unit_test(training_in_bf16),
      cmocka_unit_test(gradients_of_the_whole_batch),
      cmocka_unit_test(threads_do_not_change_a_bit),
      cmocka_unit_test(parameters_are_counted),
      cmocka_unit_test(layers_have_keras_names),
      cmocka_unit_test(parts_that_do_not_exist),
  };
  return cmocka_run_group_tests(tests, open_fixtures, close_fixtures);
}
