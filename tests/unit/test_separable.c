// The separable convolution in one op, with and without the pool behind it, against its parts by the reference, in nets
// whose shapes fit no vector and no pair of rows.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/rng.h"
#include "engine/net/net.h"

#include <cmocka.h> // last: it has a macro called fail

enum { IMAGES = 3, CLASSES = 5 };

struct trial {
  int height, width, channels, filters;
  enum activation activation;
  bool pool, branch; // branch: a second reader of the separable convolution's input, whose gradients add up
};

static void fetch(void *self, size_t index, void *pixels)
{
  const struct trial *trial = self;
  struct rng rng = rng_at(1, RNG_TEST, index, 0);
  for (int i = 0; i < trial->height * trial->width * 3; i++) ((uint8_t *)pixels)[i] = (uint8_t)rng_bits(&rng);
}

static struct net *build(const struct trial *trial, enum net_kernels kernels, enum net_precision precision)
{
  struct net *net = net_new("separable", (struct shape){trial->height, trial->width, 3}, DTYPE_U8);
  int x = net_rescale(net, "rescale", NET_INPUT, 1 / 255.0f);
  x = net_conv2d(net, "before", x, &(struct conv2d){trial->channels, 1, 1, PAD_SAME, ACT_LINEAR});
  int before = x;
  x = net_separable_conv2d(net, "separable", x, &(struct conv2d){trial->filters, 3, 1, PAD_SAME, trial->activation});
  if (trial->pool) x = net_max_pool2d(net, "pool", x, &(struct pool2d){2, 2, PAD_SAME});
  if (trial->branch) {
    int stride = trial->pool ? 2 : 1;
    int other = net_conv2d(net, "branch", before, &(struct conv2d){trial->filters, 1, stride, PAD_SAME, ACT_LINEAR});
    x = net_add(net, "add", x, other);
  }
  x = net_flatten(net, "flatten", x);
  net_dense(net, "predictions", x, &(struct dense){CLASSES, ACT_LINEAR});
  struct error error = {0};
  struct net_options options = {
      .precision = precision, .kernels = kernels, .threads = 1, .batch = IMAGES, .training = true};
  if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
  net_initialise(net, 7);
  struct rng rng = rng_at(2, RNG_TEST, 0, 0);
  for (size_t i = 0; i < net_parameter_count(net); i++)
    for (size_t k = 0; net_parameter(net, i)->rank == 1 && k < net_parameter(net, i)->count; k++)
      net_parameter(net, i)->value[k] = rng_uniform(&rng, -0.1f, 0.1f); // biases begin at zero, which would hide them
  net_parameters_changed(net);
  return net;
}

static void train(struct net *net, const struct trial *trial, float *logits)
{
  const int32_t labels[IMAGES] = {0, 4, 2};
  struct net_input input = {(void *)trial, fetch};
  double loss = 0;
  struct error error = {0};
  if (net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES, 1, &loss, logits, &error))
    fail_msg("%s", error.text);
}

// Euclidean distance relative to the judge's size.
static void assert_close(const char *what, const float *a, const float *judge, size_t count, double tolerance)
{
  double difference = 0, size = 0;
  for (size_t i = 0; i < count; i++) {
    difference += ((double)a[i] - judge[i]) * ((double)a[i] - judge[i]);
    size += (double)judge[i] * judge[i];
  }
  if (!(sqrt(difference) <= tolerance * sqrt(size)))
    fail_msg("%s differs by %.3g of %.3g", what, sqrt(difference), sqrt(size));
}

static void compare(const struct trial *trial, enum net_precision precision, double tolerance)
{
  struct net *judge = build(trial, KERNELS_REFERENCE, precision), *net = build(trial, KERNELS_NATIVE, precision);
  float expected[IMAGES * CLASSES], actual[IMAGES * CLASSES];
  train(judge, trial, expected);
  train(net, trial, actual);
  assert_close("logits", actual, expected, IMAGES * CLASSES, tolerance);
  for (size_t i = 0; i < net_parameter_count(net); i++) {
    const struct parameter *a = net_parameter(net, i), *b = net_parameter(judge, i);
    assert_close(a->name, a->gradient, b->gradient, a->count, tolerance);
  }
  struct net_input input = {(void *)trial, fetch};
  float inferred[IMAGES * CLASSES];
  struct error error = {0};
  if (net_infer(net, &input, IMAGES, inferred, &error)) fail_msg("%s", error.text);
  assert_close("inferred logits", inferred, expected, IMAGES * CLASSES, tolerance);
  net_free(judge);
  net_free(net);
}

static const struct trial trials[] = {
    {10, 12, 64, 64, ACT_RELU, true, true}, {10, 12, 64, 32, ACT_RELU, true, false},
    {7, 5, 18, 34, ACT_RELU, false, false}, {9, 9, 32, 32, ACT_RELU, false, true},
    {1, 1, 6, 4, ACT_LINEAR, false, false}, {2, 2, 20, 10, ACT_RELU, true, true},
    {6, 4, 66, 70, ACT_LINEAR, true, true}, {3, 8, 16, 16, ACT_RELU, false, true},
    {5, 6, 64, 64, ACT_RELU, true, false}, // odd: the pool stays a step of its own
};

static void it_agrees_with_its_parts(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) compare(&trials[i], NET_FP32, 1e-5);
}

static void it_agrees_in_bf16(void **state)
{
  (void)state;
  if (!net_precision_supported(NET_BF16)) skip();
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
    compare(&trials[i], NET_BF16, 0.1); // a maximum may change place
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_agrees_with_its_parts),
      cmocka_unit_test(it_agrees_in_bf16),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
