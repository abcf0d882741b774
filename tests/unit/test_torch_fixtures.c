// A small seed-cnn against what another framework computed for it: tests/fixtures/make_torch_fixtures.py.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/fit/optimizer.h"
#include "engine/net/net.h"
#include "models/seed_cnn.h"

#include "torch_fixtures.h"

enum { H = 11, W = 12, CLASSES = 5, IMAGES = 4, PIXELS = H * W * 3 };

static struct tensorfile *fixtures;

static int open_fixtures(void **state)
{
  (void)state;
  return fixtures_open(&fixtures, "tests/fixtures/seed_cnn.safetensors");
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

// The formulas of make_torch_fixtures.py.
static double fraction(uint64_t i, uint64_t ordinal)
{
  uint64_t hash = (i * 7919 + ordinal * 104729 + 12345) * 2654435761u % 4294967296u, high = hash / 65536;
  return (double)high / 65536 - 0.5;
}

static void set_parameters(struct net *net)
{
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    struct parameter *parameter = net_parameter(net, p);
    double fan_in = 1, size = 0.2;
    for (int k = 0; k + 1 < parameter->rank; k++) fan_in *= parameter->shape[k];
    if (parameter->rank > 1) size = sqrt(1 / fan_in) * 2;
    if (parameter->rank == 4 && parameter->shape[3] == 1) size = 0.5;
    for (size_t i = 0; i < parameter->count; i++) parameter->value[i] = (float)(fraction(i, p) * size);
  }
  net_parameters_changed(net);
}

static void fetch(void *self, size_t index, void *pixels)
{
  (void)self;
  for (uint64_t i = 0; i < PIXELS; i++) {
    uint64_t k = index * PIXELS + i;
    ((uint8_t *)pixels)[i] = (uint8_t)((k * k * 31 + k * 7) % 253);
  }
}

static const int32_t labels[IMAGES] = {0, 3, 1, 4};

static struct net *planned(enum net_kernels kernels, enum net_precision precision)
{
  struct error error = {0};
  struct net *net = seed_cnn((struct shape){H, W, 3}, CLASSES, 0);
  struct net_options options = {
      .kernels = kernels, .precision = precision, .threads = 2, .batch = IMAGES, .training = true};
  if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
  set_parameters(net);
  return net;
}

static void check_pass(enum net_kernels kernels, enum net_precision precision, double tolerance)
{
  struct error error = {0};
  struct net *net = planned(kernels, precision);
  float logits[IMAGES * CLASSES], inferred[IMAGES * CLASSES], loss_float;
  double loss;
  struct net_input input = {NULL, fetch};
  if (net_train(net, &input, &(struct net_target){.labels = labels, .label_smoothing = 0.1f}, IMAGES, 1, &loss, logits,
                &error))
    fail_msg("%s", error.text);
  assert_int_equal(net_infer(net, &input, IMAGES, inferred, &error), OK);
  assert_memory_equal(logits, inferred, sizeof logits); // there is no dropout
  loss_float = (float)loss;
  assert_close("logits", logits, fixture("logits", IMAGES * CLASSES), IMAGES * CLASSES, tolerance);
  assert_close("loss", &loss_float, fixture("loss", 1), 1, tolerance);
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    const struct parameter *parameter = net_parameter(net, p);
    char name[128];
    snprintf(name, sizeof name, "gradient:%s", parameter->name);
    // Rounding moves values across ReLU's kink and maxima to other places: on four small images that shows.
    double loose = precision == NET_BF16 ? 0.25 : tolerance;
    assert_close(name, parameter->gradient, fixture(name, parameter->count), parameter->count, loose);
  }
  net_free(net);
}

static void logits_loss_and_gradients(void **state)
{
  (void)state;
  check_pass(KERNELS_REFERENCE, NET_FP32, 1e-5);
  check_pass(KERNELS_ONEDNN, NET_FP32, 1e-5);
  check_pass(KERNELS_NATIVE, NET_FP32, 1e-5);
}

static void the_same_in_bf16(void **state)
{
  (void)state;
  if (!net_precision_supported(NET_BF16)) skip();
  check_pass(KERNELS_NATIVE, NET_BF16, 0.02);
  check_pass(KERNELS_ONEDNN, NET_BF16, 0.02);
}

static void check_steps(const char *prefix, struct optimizer_options options, float lr)
{
  struct error error = {0};
  struct net *net = planned(KERNELS_NATIVE, NET_FP32);
  struct optimizer *optimizer = NULL;
  struct net_input input = {NULL, fetch};
  double loss;
  assert_int_equal(optimizer_new(&optimizer, net, &options, &error), OK);
  for (uint64_t step = 1; step <= 3; step++) {
    assert_int_equal(net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES, step, &loss, NULL, &error),
                     OK);
    assert_int_equal(optimizer_step(optimizer, step, lr, 2, &error), OK);
  }
  int found = 0;
  for (size_t i = 0; i < tensorfile_count(fixtures); i++) {
    const char *name = tensorfile_info(fixtures, i)->name;
    if (strncmp(name, prefix, strlen(prefix)) != 0) continue;
    for (size_t p = 0; p < net_parameter_count(net); p++) {
      const struct parameter *parameter = net_parameter(net, p);
      if (strcmp(name + strlen(prefix), parameter->name) != 0) continue;
      assert_close(name, parameter->value, fixture(name, parameter->count), parameter->count, 2e-5);
      found++;
    }
  }
  assert_int_equal(found, 5);
  optimizer_free(optimizer);
  net_free(net);
}

static void optimizer_steps(void **state)
{
  (void)state;
  const struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-4f};
  struct optimizer_options adamw = adam;
  adamw.kind = OPTIMIZER_ADAMW;
  adamw.weight_decay = 0.05f;
  check_steps("sgd:", (struct optimizer_options){.kind = OPTIMIZER_SGD, .momentum = 0.9f}, 0.01f);
  check_steps("adam:", adam, 0.002f);
  check_steps("adamw:", adamw, 0.002f);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(logits_loss_and_gradients),
      cmocka_unit_test(the_same_in_bf16),
      cmocka_unit_test(optimizer_steps),
  };
  return cmocka_run_group_tests(tests, open_fixtures, close_fixtures);
}
