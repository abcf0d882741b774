// Optimizers on a net of one dense layer, against updates written out by hand in double.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/fit/optimizer.h"

#include "dense_net.h"

enum { INPUTS = 70, UNITS = 131, STEPS = 5 }; // the kernel spans several blocks

static void make_gradients(struct net *net, uint64_t step)
{
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    struct rng rng = rng_at(1, RNG_TEST, step, p);
    for (size_t i = 0; i < net_parameter(net, p)->count; i++)
      net_parameter(net, p)->gradient[i] = rng_uniform(&rng, -1, 1);
  }
}

// One number's update by the books. state: momentum, or m and v.
static double updated(const struct optimizer_options *o, double w, double g, double state[2], uint64_t step, double lr,
                      bool kernel)
{
  if (kernel && o->kind != OPTIMIZER_SGD && o->lr_inputs && INPUTS > o->lr_inputs) lr *= (double)o->lr_inputs / INPUTS;
  double decay = kernel ? (double)o->weight_decay : 0, b1 = (double)o->beta1, b2 = (double)o->beta2;
  if (o->kind == OPTIMIZER_ADAMW)
    w -= lr * decay * w;
  else
    g += decay * w;
  if (o->kind == OPTIMIZER_SGD) {
    state[0] = (double)o->momentum * state[0] - lr * g;
    return w + state[0];
  }
  state[0] = b1 * state[0] + (1 - b1) * g;
  state[1] = b2 * state[1] + (1 - b2) * g * g;
  double rate = lr * sqrt(1 - pow(b2, (double)step)) / (1 - pow(b1, (double)step));
  return w - rate * state[0] / (sqrt(state[1]) + (double)o->epsilon);
}

static void check_against_the_books(struct optimizer_options options)
{
  struct error error = {0};
  struct net *net = dense_net(INPUTS, UNITS);
  struct optimizer *optimizer = NULL;
  assert_int_equal(optimizer_new(&optimizer, net, &options, &error), OK);
  struct {
    double w, state[2];
  } expected[INPUTS * UNITS + UNITS] = {0};
  size_t at = 0;
  for (size_t p = 0; p < 2; p++)
    for (size_t i = 0; i < net_parameter(net, p)->count; i++)
      expected[at++].w = (double)net_parameter(net, p)->value[i];
  for (uint64_t step = 1; step <= STEPS; step++) {
    double lr = 0.01 / (double)step;
    make_gradients(net, step);
    at = 0;
    for (size_t p = 0; p < 2; p++)
      for (size_t i = 0; i < net_parameter(net, p)->count; i++, at++)
        expected[at].w = updated(&options, expected[at].w, (double)net_parameter(net, p)->gradient[i],
                                 expected[at].state, step, lr, p == 0);
    assert_int_equal(optimizer_step(optimizer, step, (float)lr, 2, &error), OK);
  }
  at = 0;
  for (size_t p = 0; p < 2; p++)
    for (size_t i = 0; i < net_parameter(net, p)->count; i++, at++) {
      assert_true(fabs((double)net_parameter(net, p)->value[i] - expected[at].w) < 2e-6);
      for (int slot = 0; slot < optimizer_slots(optimizer); slot++)
        assert_true(fabs((double)optimizer_slot(optimizer, p, slot)[i] - expected[at].state[slot]) < 1e-5);
    }
  optimizer_free(optimizer);
  net_free(net);
}

static void every_kind_follows_its_paper(void **state)
{
  (void)state;
  const struct optimizer_options base = {.momentum = 0.9f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-7f};
  for (int kind = OPTIMIZER_SGD; kind <= OPTIMIZER_ADAMW; kind++)
    for (int decay = 0; decay < 2; decay++) {
      struct optimizer_options options = base;
      options.kind = (enum optimizer_kind)kind;
      options.weight_decay = decay ? 0.1f : 0;
      for (options.lr_inputs = 0; options.lr_inputs <= 2 * INPUTS; options.lr_inputs += INPUTS / 2)
        check_against_the_books(options);
    }
}

static void slots_have_names(void **state)
{
  (void)state;
  struct net *net = dense_net(INPUTS, UNITS);
  struct optimizer *optimizer = NULL;
  net_parameter(net, 1)->trainable = false;
  assert_int_equal(optimizer_new(&optimizer, net, &(struct optimizer_options){.kind = OPTIMIZER_ADAM}, NULL), OK);
  assert_int_equal(optimizer_slots(optimizer), 2);
  assert_string_equal(optimizer_slot_name(optimizer, 0), "m");
  assert_string_equal(optimizer_slot_name(optimizer, 1), "v");
  assert_non_null(optimizer_slot(optimizer, 0, 1));
  assert_null(optimizer_slot(optimizer, 1, 0)); // frozen
  optimizer_free(optimizer);
  assert_int_equal(optimizer_new(&optimizer, net, &(struct optimizer_options){.kind = OPTIMIZER_SGD}, NULL), OK);
  assert_int_equal(optimizer_slots(optimizer), 1);
  assert_string_equal(optimizer_slot_name(optimizer, 0), "momentum");
  optimizer_free(optimizer);
  net_free(net);
}

static void averages_follow_the_weights(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = dense_net(INPUTS, UNITS);
  struct optimizer *optimizer = NULL;
  const struct optimizer_options options = {.kind = OPTIMIZER_SGD, .momentum = 0.9f, .ema = 0.4f};
  assert_int_equal(optimizer_new(&optimizer, net, &options, &error), OK);
  assert_int_equal(optimizer_slots(optimizer), 2);
  assert_string_equal(optimizer_slot_name(optimizer, 0), "momentum");
  assert_string_equal(optimizer_slot_name(optimizer, 1), "ema");
  const float *w = net_parameter(net, 0)->value;
  double average = 0;
  for (uint64_t step = 1; step <= 20; step++) {
    make_gradients(net, step);
    assert_int_equal(optimizer_step(optimizer, step, 0.01f, 2, &error), OK);
    double decay = fmin(0.4, (1 + (double)step) / (10 + (double)step));
    average = step == 1 ? (double)w[3] : decay * average + (1 - decay) * (double)w[3];
    assert_true(fabs((double)optimizer_slot(optimizer, 0, 1)[3] - average) < 1e-6);
  }
  float last = w[3];
  optimizer_swap_average(optimizer);
  assert_true(fabs((double)w[3] - average) < 1e-6 && w[3] != last);
  optimizer_swap_average(optimizer);
  assert_true(w[3] == last);
  optimizer_free(optimizer);
  net_free(net);
}

// Plain gradient descent shows the gradient that is left: the weights' change has no mean over a unit's inputs, and is
// otherwise the gradient's; a bias moves as before.
static void centralized_gradients_have_no_mean_over_inputs(void **state)
{
  (void)state;
  for (int threads = 1; threads <= 3; threads++) {
    struct error error = {0};
    struct net *net = dense_net(INPUTS, UNITS);
    struct optimizer *optimizer = NULL;
    const struct optimizer_options options = {.kind = OPTIMIZER_SGD, .centralize = true};
    assert_int_equal(optimizer_new(&optimizer, net, &options, &error), OK);
    make_gradients(net, 7);
    const struct parameter *kernel = net_parameter(net, 0), *bias = net_parameter(net, 1);
    size_t rows = kernel->count / UNITS;
    float *before = malloc(kernel->count * sizeof *before), *gradient = malloc(kernel->count * sizeof *gradient);
    assert_true(before && gradient);
    memcpy(before, kernel->value, kernel->count * sizeof *before);
    memcpy(gradient, kernel->gradient, kernel->count * sizeof *gradient);
    float bias_before = bias->value[1], bias_gradient = bias->gradient[1];
    assert_int_equal(optimizer_step(optimizer, 1, 0.5f, threads, &error), OK);
    for (size_t unit = 0; unit < UNITS; unit++) {
      double mean = 0;
      for (size_t i = unit; i < kernel->count; i += UNITS) mean += (double)gradient[i] / (double)rows;
      assert_true(fabs(mean) > 1e-4); // or nothing would be tested
      for (size_t i = unit; i < kernel->count; i += UNITS)
        assert_true(fabs((double)(kernel->value[i] - before[i]) + 0.5 * ((double)gradient[i] - mean)) < 1e-5);
    }
    assert_true(fabs((double)(bias->value[1] - bias_before) + 0.5 * (double)bias_gradient) < 1e-6);
    free(before);
    free(gradient);
    optimizer_free(optimizer);
    net_free(net);
  }
}

static void a_gradient_that_is_not_finite_changes_nothing(void **state)
{
  (void)state;
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 3; i++) {
    struct error error = {0};
    struct net *net = dense_net(INPUTS, UNITS);
    struct optimizer *optimizer = NULL;
    assert_int_equal(optimizer_new(&optimizer, net, &(struct optimizer_options){.kind = OPTIMIZER_SGD}, NULL), OK);
    make_gradients(net, 1);
    struct parameter *kernel = net_parameter(net, 0), *bias = net_parameter(net, 1);
    float *before = malloc(kernel->count * sizeof *before);
    assert_non_null(before);
    memcpy(before, kernel->value, kernel->count * sizeof *before);
    bias->gradient[UNITS - 1] = bad[i];
    assert_int_equal(optimizer_step(optimizer, 1, 0.1f, 2, &error), FAILED);
    assert_non_null(strstr(error.text, "out/bias"));
    assert_memory_equal(before, kernel->value, kernel->count * sizeof *before);
    free(before);
    optimizer_free(optimizer);
    net_free(net);
  }
}

static void check_threads(const struct optimizer_options *options)
{
  float *first = NULL;
  for (int threads = 1; threads <= 4; threads++) {
    struct net *net = dense_net(INPUTS, UNITS);
    struct optimizer *optimizer = NULL;
    assert_int_equal(optimizer_new(&optimizer, net, options, NULL), OK);
    for (uint64_t step = 1; step <= 3; step++) {
      make_gradients(net, step);
      assert_int_equal(optimizer_step(optimizer, step, 0.1f, threads, NULL), OK);
    }
    size_t bytes = net_parameter(net, 0)->count * sizeof(float);
    if (!first) {
      first = malloc(bytes);
      assert_non_null(first);
      memcpy(first, net_parameter(net, 0)->value, bytes);
    }
    assert_memory_equal(first, net_parameter(net, 0)->value, bytes);
    optimizer_free(optimizer);
    net_free(net);
  }
  free(first);
}

static void threads_do_not_change_a_bit(void **state)
{
  (void)state;
  static const enum optimizer_kind kinds[] = {OPTIMIZER_ADAM, OPTIMIZER_MUON};
  for (int i = 0; i < 2; i++)
    check_threads(&(struct optimizer_options){.kind = kinds[i],
                                              .momentum = 0.95f,
                                              .matrix_rate = 20,
                                              .beta1 = 0.9f,
                                              .beta2 = 0.999f,
                                              .epsilon = 1e-7f,
                                              .centralize = true});
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_follows_its_paper),
      cmocka_unit_test(slots_have_names),
      cmocka_unit_test(averages_follow_the_weights),
      cmocka_unit_test(centralized_gradients_have_no_mean_over_inputs),
      cmocka_unit_test(a_gradient_that_is_not_finite_changes_nothing),
      cmocka_unit_test(threads_do_not_change_a_bit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
