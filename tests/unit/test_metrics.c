// Figures of classifiers against figures worked out by hand.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "engine/fit/metrics.h"
#include "engine/net/loss.h"

#include <cmocka.h> // last: it has a macro called fail

static void assert_near(double a, double b, double tolerance)
{
  if (!(fabs(a - b) <= tolerance)) fail_msg("%.9g is not %.9g", a, b);
}

static void softmax_is_stable(void **state)
{
  (void)state;
  float values[3] = {1000, 1001, 999};
  metrics_softmax(values, 3, values);
  assert_near((double)values[0], 0.24472847, 1e-6);
  assert_near((double)values[1], 0.66524096, 1e-6);
  assert_near((double)values[2], 0.09003057, 1e-6);
}

static void top_and_rank_settle_ties_by_index(void **state)
{
  (void)state;
  const float values[5] = {0.1f, 0.4f, 0.1f, 0.4f, 0.0f};
  int top[5];
  metrics_top(values, 5, 5, top);
  const int expected[5] = {1, 3, 0, 2, 4};
  assert_memory_equal(top, expected, sizeof top);
  for (int place = 0; place < 5; place++) assert_int_equal(metrics_rank(values, 5, expected[place]), place + 1);
}

static void nan_is_never_right(void **state)
{
  (void)state;
  const float all[3] = {NAN, NAN, NAN}, mine[3] = {1, NAN, 0}, another[3] = {NAN, 1, 0};
  for (int label = 0; label < 3; label++) assert_int_equal(metrics_rank(all, 3, label), 3);
  assert_int_equal(metrics_rank(mine, 3, 1), 3);
  assert_int_equal(metrics_rank(another, 3, 1), 2);
}

// Wilson 1927 as tabulated by Newcombe, "Two-sided confidence intervals for the single proportion", 1998, table I.
static void wilson_has_newcombes_values(void **state)
{
  (void)state;
  static const struct {
    uint64_t hits, n;
    double low, high;
  } rows[] = {{81, 263, 0.2553, 0.3662}, {15, 148, 0.0624, 0.1605}, {0, 20, 0, 0.1611}, {1, 29, 0.0061, 0.1718}};
  double low, high;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    metrics_wilson(rows[i].hits, rows[i].n, &low, &high);
    assert_near(low, rows[i].low, 5e-5);
    assert_near(high, rows[i].high, 5e-5);
  }
  metrics_wilson(20, 20, &low, &high);
  assert_near(low, 1 - 0.1611, 5e-5);
  assert_true(high == 1);
  metrics_wilson(0, 0, &low, &high);
  assert_true(low == 0 && high == 1);
}

static void per_class_figures(void **state)
{
  (void)state;
  // label x predicted; class 2 never occurs, class 3 is never predicted
  const uint64_t confusion[16] = {8, 2, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0};
  struct class_figures figures[4];
  metrics_per_class(confusion, 4, figures);
  assert_int_equal(figures[0].images, 10);
  assert_int_equal(figures[0].predicted, 12);
  assert_int_equal(figures[0].right, 8);
  assert_near(figures[0].precision, 8 / 12.0, 1e-12);
  assert_near(figures[0].recall, 0.8, 1e-12);
  assert_near(figures[0].f1, 16 / 22.0, 1e-12);
  assert_true(isnan(figures[2].recall));
  assert_near(figures[2].precision, 0, 0);
  assert_true(isnan(figures[3].precision));
  assert_near(figures[3].recall, 0, 0);
}

static void cross_entropy_by_hand(void **state)
{
  (void)state;
  const float logits[3] = {1, 2, 4};
  float gradient[3];
  double sum = exp(1) + exp(2) + exp(4);
  assert_near(loss_cross_entropy(logits, 3, 2, 2, 1, 0, 1, gradient), log(sum) - 4, 1e-12);
  assert_near((double)gradient[0], exp(1) / sum, 1e-6);
  assert_near((double)gradient[2], exp(4) / sum - 1, 1e-6);
  double smooth = log(sum) - (0.9 * 4 + 0.1 * 7 / 3);
  assert_near(loss_cross_entropy(logits, 3, 2, 2, 1, 0.1f, 0.5f, gradient), smooth, 1e-7);
  assert_near((double)gradient[2], 0.5 * (exp(4) / sum - 0.9 - 0.1 / 3), 1e-6);
  double mixed = log(sum) - (0.75 * 4 + 0.25 * 1);
  assert_near(loss_cross_entropy(logits, 3, 2, 0, 0.75f, 0, 1, gradient), mixed, 1e-12);
  assert_near((double)gradient[0], exp(1) / sum - 0.25, 1e-6);
  assert_near((double)gradient[2], exp(4) / sum - 0.75, 1e-6);
  assert_near(loss_cross_entropy(logits, 3, 2, 2, 0.75f, 0, 1, NULL), log(sum) - 4, 1e-12); // of one class
  const float far[2] = {3e38f, -3e38f};
  assert_near(loss_cross_entropy(far, 2, 0, 0, 1, 0, 1, NULL), 0, 0);
  assert_true(isfinite(loss_cross_entropy(far, 2, 1, 1, 1, 0, 1, NULL)));
  const float broken[2] = {NAN, 0};
  assert_false(isfinite(loss_cross_entropy(broken, 2, 1, 1, 1, 0, 1, NULL)));
  const float infinite[2] = {0, INFINITY};
  assert_false(isfinite(loss_cross_entropy(infinite, 2, 0, 0, 1, 0, 1, NULL)));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(softmax_is_stable),  cmocka_unit_test(top_and_rank_settle_ties_by_index),
      cmocka_unit_test(nan_is_never_right), cmocka_unit_test(wilson_has_newcombes_values),
      cmocka_unit_test(per_class_figures),  cmocka_unit_test(cross_entropy_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
