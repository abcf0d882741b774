// Gradients that are made in pieces while the optimizer consumes them, against the same net that writes them out.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/fit/optimizer.h"

#include <cmocka.h> // last: it has a macro called fail

enum { SIDE = 11, CHANNELS = 34, ROW = SIDE * SIDE * CHANNELS, IMAGES = 7, CLASSES = 5, STEPS = 3 };

static uint16_t rows[IMAGES][ROW];
static const int32_t labels[IMAGES] = {0, 1, 2, 3, 4, 0, 1};

// A batch norm, so that the dense layer passes gradients on; whose kernel is large enough.
static struct net *make(int units, enum net_precision precision, int threads, bool pieces)
{
  struct error error = {0};
  struct net *net = net_new("pieces", (struct shape){1, 1, ROW}, DTYPE_BF16);
  int x = net_slice(net, "map", NET_INPUT, &(struct slice){0, {SIDE, SIDE, CHANNELS}});
  x = net_batch_norm(net, "norm", x, &(struct batch_norm){.epsilon = 1e-3f, .momentum = 0.9f});
  x = net_flatten(net, "flatten", x);
  x = net_dense(net, "large", x, &(struct dense){.units = units, .activation = ACT_RELU});
  net_dense(net, "out", x, &(struct dense){.units = CLASSES});
  struct net_options options = {.kernels = KERNELS_NATIVE,
                                .precision = precision,
                                .threads = threads,
                                .batch = IMAGES,
                                .training = true,
                                .pieces = pieces};
  if (net_plan(net, &options, &error)) fail_msg("%s", error.text);
  net_initialise(net, 1);
  return net;
}

static void fetch(void *self, size_t index, void *row)
{
  (void)self;
  memcpy(row, rows[index], sizeof rows[index]);
}

static enum status step(struct net *net, struct optimizer *optimizer, uint64_t number, struct error *error)
{
  const struct net_input input = {NULL, fetch};
  double loss;
  enum status status = net_train(net, &input, &(struct net_target){.labels = labels}, number == 2 ? 4 : IMAGES, number,
                                 &loss, NULL, error);
  return status ? status : optimizer_step(optimizer, number, 0.01f, 3, error);
}

static size_t large(const struct net *net)
{
  for (size_t p = 0; p < net_parameter_count(net); p++)
    if (net_pieces_of(net, p).count) return p;
  return SIZE_MAX;
}

static void compare(int units, enum net_precision precision, struct optimizer_options options)
{
  struct error error = {0};
  struct net *whole = make(units, precision, 1, false), *pieces = make(units, precision, 3, true);
  struct optimizer *one = NULL, *other = NULL;
  assert_int_equal(optimizer_new(&one, whole, &options, &error), OK);
  assert_int_equal(optimizer_new(&other, pieces, &options, &error), OK);
  assert_int_equal(large(whole), SIZE_MAX);
  assert_true(large(pieces) != SIZE_MAX);
  assert_null(net_parameter(pieces, large(pieces))->gradient);
  for (uint64_t number = 1; number <= STEPS; number++) {
    if (step(whole, one, number, &error)) fail_msg("%s", error.text);
    if (step(pieces, other, number, &error)) fail_msg("%s", error.text);
    for (size_t p = 0; p < net_parameter_count(whole); p++)
      if (memcmp(net_parameter(whole, p)->value, net_parameter(pieces, p)->value,
                 net_parameter(whole, p)->count * sizeof(float)) != 0)
        fail_msg("%d units, step %d: %s differs", units, (int)number, net_parameter(whole, p)->name);
  }
  float a[IMAGES * CLASSES], b[IMAGES * CLASSES];
  const struct net_input input = {NULL, fetch};
  assert_int_equal(net_infer(pieces, &input, IMAGES, a, &error), OK);
  net_parameters_changed(pieces); // packs everything: what the steps packed was the same
  assert_int_equal(net_infer(pieces, &input, IMAGES, b, &error), OK);
  assert_memory_equal(a, b, sizeof a);
  optimizer_free(one), optimizer_free(other);
  net_free(whole), net_free(pieces);
}

static void the_same_bits(void **state)
{
  (void)state;
  const struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  const struct optimizer_options sgd = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .weight_decay = 0.1f, .ema = 0.5f};
  const enum net_precision best = net_precision_supported(NET_BF16) ? NET_BF16 : NET_FP32;
  compare(256, best, adam);
  compare(257, best, sgd);
  compare(260, NET_FP32, adam);
}

// Finite factors whose sum is not: nothing may be changed by then.
static void overflow_changes_nothing(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = make(256, NET_FP32, 2, true);
  struct optimizer *optimizer = NULL;
  const struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  const struct net_input input = {NULL, fetch};
  double loss;
  assert_int_equal(optimizer_new(&optimizer, net, &adam, &error), OK);
  struct parameter *kernel = net_parameter(net, large(net)), *out = net_parameter(net, large(net) + 2);
  float *values = malloc(kernel->count * sizeof *values);
  // The layer's inputs are 3e38, its weights nothing, its gradients up to 1e10.
  for (size_t c = 0; c < CHANNELS; c++) {
    net_parameter(net, 0)->value[c] = 0;
    net_parameter(net, 1)->value[c] = 3e38f;
  }
  for (size_t i = 0; i < out->count; i++) out->value[i] *= 1e10f;
  for (size_t i = 0; i < 256; i++) net_parameter(net, large(net) + 1)->value[i] = 1e-12f;
  memset(kernel->value, 0, kernel->count * sizeof(float));
  net_parameters_changed(net);
  memcpy(values, kernel->value, kernel->count * sizeof *values);
  if (net_train(net, &input, &(struct net_target){.labels = labels}, IMAGES, 1, &loss, NULL, &error))
    fail_msg("%s", error.text);
  assert_false(net_pieces_bounded(net, large(net)));
  assert_int_equal(optimizer_step(optimizer, 1, 0.01f, 2, &error), FAILED);
  assert_non_null(strstr(error.text, "the gradient of large/kernel is not finite"));
  assert_memory_equal(kernel->value, values, kernel->count * sizeof *values);
  for (size_t i = 0; i < kernel->count; i++) assert_true(optimizer_slot(optimizer, large(net), 0)[i] == 0);
  free(values);
  optimizer_free(optimizer);
  net_free(net);
}

// What needs a gradient as a whole says so before anything is trained.
static void whole_gradients_are_asked_for_in_vain(void **state)
{
  (void)state;
  struct net *net = make(256, NET_FP32, 1, true);
  const struct optimizer_options wanting[] = {{.kind = OPTIMIZER_MUON}, {.kind = OPTIMIZER_ADAM, .centralize = true}};
  for (int i = 0; i < 2; i++) {
    struct error error = {0};
    struct optimizer *optimizer = NULL;
    assert_int_equal(optimizer_new(&optimizer, net, &wanting[i], &error), BAD_USAGE);
    assert_non_null(strstr(error.text, "large/kernel"));
    assert_null(optimizer);
  }
  net_free(net);
}

static int fill(void **state)
{
  (void)state;
  struct rng rng = rng_at(1, RNG_TEST, 1, 1);
  for (size_t i = 0; i < IMAGES; i++)
    for (size_t k = 0; k < ROW; k++) rows[i][k] = bf16_from_float(rng_uniform(&rng, -1, 1));
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_same_bits),
      cmocka_unit_test(overflow_changes_nothing),
      cmocka_unit_test(whole_gradients_are_asked_for_in_vain),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}
