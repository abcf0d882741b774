// Muon's directions against the paper's recurrence, X = a X + b (X X^T) X + c (X X^T)^2 X, on whole matrices in double;
// and what the optimizer makes of them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "engine/fit/muon.h"
#include "engine/fit/optimizer.h"

#include "dense_net.h"

// Gradients of a kernel that differ by a tenth of what they share: what makes Adam's steps all alike.
static void make_gradients(struct net *net, uint64_t step)
{
  for (size_t p = 0; p < net_parameter_count(net); p++) {
    struct rng rng = rng_at(2, RNG_TEST, step, p);
    const float shared = p ? 0 : 0.5F;
    for (size_t i = 0; i < net_parameter(net, p)->count; i++)
      net_parameter(net, p)->gradient[i] = shared + 0.05F * rng_uniform(&rng, -1, 1);
  }
}

static double *doubles(size_t n)
{
  double *values = calloc(n, sizeof *values);
  assert_non_null(values);
  return values;
}

// x[rows, columns] becomes the paper's, by the products as they are written there.
static void recurrence(size_t rows, size_t columns, double *x)
{
  static const double steps[][3] = {{3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315},
                                    {3.4445, -4.7750, 2.0315}, {3.4445, -4.7750, 2.0315}, {1.875, -1.25, 0.375}};
  double norm = 0;
  for (size_t i = 0; i < rows * columns; i++) norm += x[i] * x[i];
  for (size_t i = 0; i < rows * columns; i++) x[i] /= sqrt(norm);
  double *gram = doubles(columns * columns), *square = doubles(columns * columns), *row = doubles(columns);
  for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
    for (size_t i = 0; i < columns; i++)
      for (size_t j = 0; j < columns; j++) {
        gram[i * columns + j] = 0;
        for (size_t r = 0; r < rows; r++) gram[i * columns + j] += x[r * columns + i] * x[r * columns + j];
      }
    for (size_t i = 0; i < columns; i++)
      for (size_t j = 0; j < columns; j++) {
        square[i * columns + j] = 0;
        for (size_t k = 0; k < columns; k++) square[i * columns + j] += gram[i * columns + k] * gram[k * columns + j];
      }
    for (size_t r = 0; r < rows; r++) {
      for (size_t j = 0; j < columns; j++) {
        row[j] = steps[s][0] * x[r * columns + j];
        for (size_t k = 0; k < columns; k++)
          row[j] += x[r * columns + k] * (steps[s][1] * gram[k * columns + j] + steps[s][2] * square[k * columns + j]);
      }
      memcpy(x + r * columns, row, columns * sizeof *row);
    }
  }
  free(gram);
  free(square);
  free(row);
}

static void check_directions(int inputs, int units, int threads)
{
  enum { STEPS = 3 };
  struct error error = {0};
  struct net *net = dense_net(inputs, units);
  struct muon *muon = NULL;
  assert_int_equal(muon_new(&muon, net, &error), OK);
  const struct parameter *kernel = net_parameter(net, 0);
  float *momenta[2] = {calloc(kernel->count, sizeof(float)), NULL};
  double *momentum = doubles(kernel->count), *expected = doubles(kernel->count);
  assert_non_null(momenta[0]);
  const double scale = units > inputs ? sqrt((double)units / inputs) : 1;
  for (uint64_t step = 1; step <= STEPS; step++) {
    make_gradients(net, step);
    for (size_t i = 0; i < kernel->count; i++) {
      momentum[i] = 0.9 * momentum[i] + (double)kernel->gradient[i];
      expected[i] = (double)kernel->gradient[i] + 0.9 * momentum[i];
    }
    const float bias = net_parameter(net, 1)->gradient[0];
    recurrence((size_t)inputs, (size_t)units, expected);
    assert_int_equal(muon_directions(muon, momenta, 0.9F, threads, &error), OK);
    double squares = 0, wrong = 0;
    for (size_t i = 0; i < kernel->count; i++) {
      double difference = (double)kernel->gradient[i] / scale - expected[i];
      squares += expected[i] * expected[i];
      wrong += difference * difference;
      assert_true(fabs((double)momenta[0][i] - momentum[i]) < 1e-5);
    }
    // Its squares add up to the singular values', which are all near 1.
    const double values = inputs < units ? inputs : units;
    assert_true(squares > 0.7 * values && squares < 1.3 * values);
    // Singular values a thousandth of the largest are squared in floats: those are what differs.
    if (wrong > 1e-4 * squares) fail_msg("%d to %d: off by %g of 1", inputs, units, sqrt(wrong / squares));
    assert_true(net_parameter(net, 1)->gradient[0] == bias);
  }
  free(momenta[0]);
  free(momentum);
  free(expected);
  muon_free(muon);
  net_free(net);
}

static void directions_are_the_papers(void **state)
{
  (void)state;
  static const int shapes[][2] = {{64, 64}, {27, 64}, {64, 32}, {5, 2}, {2, 7}, {97, 131}, {3001, 33}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    for (int threads = 1; threads <= 3; threads += 2) check_directions(shapes[i][0], shapes[i][1], threads);
}

static void no_gradient_is_no_direction(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = dense_net(20, 6);
  struct muon *muon = NULL;
  assert_int_equal(muon_new(&muon, net, &error), OK);
  const struct parameter *kernel = net_parameter(net, 0);
  float *momenta[2] = {calloc(kernel->count, sizeof(float)), NULL};
  assert_non_null(momenta[0]);
  static const float sizes[] = {0, 1e-30F};
  for (int s = 0; s < 2; s++) {
    for (size_t i = 0; i < kernel->count; i++) kernel->gradient[i] = sizes[s];
    assert_int_equal(muon_directions(muon, momenta, 0.9F, 1, &error), OK);
    for (size_t i = 0; i < kernel->count; i++) assert_true(kernel->gradient[i] == 0);
  }
  for (size_t i = 0; i < kernel->count; i++) kernel->gradient[i] = 1e25F;
  assert_int_equal(muon_directions(muon, momenta, 0.9F, 1, &error), FAILED);
  assert_non_null(strstr(error.text, "out/kernel"));
  free(momenta[0]);
  muon_free(muon);
  net_free(net);
}

// A step moves a matrix by the matrices' rate and shrinks it by that times the decay; a bias takes Adam's first step,
// which is the rate by the sign of its gradient.
static void steps_go_along_directions(void **state)
{
  (void)state;
  struct error error = {0};
  struct net *net = dense_net(50, 20), *twin = dense_net(50, 20);
  const struct optimizer_options options = {.kind = OPTIMIZER_MUON,
                                            .momentum = 0.95F,
                                            .matrix_rate = 20,
                                            .beta1 = 0.9F,
                                            .beta2 = 0.999F,
                                            .epsilon = 1e-7F,
                                            .weight_decay = 0.1F};
  struct optimizer *optimizer = NULL;
  struct muon *muon = NULL;
  assert_int_equal(optimizer_new(&optimizer, net, &options, &error), OK);
  assert_int_equal(muon_new(&muon, twin, &error), OK);
  assert_null(optimizer_slot(optimizer, 0, 1)); // a matrix has no second moment
  assert_non_null(optimizer_slot(optimizer, 1, 1));
  make_gradients(net, 1);
  make_gradients(twin, 1);
  const struct parameter *kernel = net_parameter(net, 0), *bias = net_parameter(net, 1);
  const struct parameter *before = net_parameter(twin, 0), *bias_before = net_parameter(twin, 1);
  float *momenta[2] = {calloc(kernel->count, sizeof(float)), NULL};
  assert_non_null(momenta[0]);
  assert_int_equal(muon_directions(muon, momenta, 0.95F, 1, &error), OK);
  assert_int_equal(optimizer_step(optimizer, 1, 0.001F, 2, &error), OK);
  for (size_t i = 0; i < kernel->count; i++) {
    double expected = (double)before->value[i] * (1 - 0.02 * 0.1) - 0.02 * (double)before->gradient[i];
    assert_true(fabs((double)kernel->value[i] - expected) < 1e-6);
  }
  for (size_t i = 0; i < bias->count; i++) {
    double expected = (double)bias_before->value[i] - copysign(0.001, (double)bias_before->gradient[i]);
    assert_true(fabs((double)bias->value[i] - expected) < 1e-5);
  }
  free(momenta[0]);
  muon_free(muon);
  optimizer_free(optimizer);
  net_free(net);
  net_free(twin);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(directions_are_the_papers),
      cmocka_unit_test(no_gradient_is_no_direction),
      cmocka_unit_test(steps_go_along_directions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
