// Figures against numbers worked out by hand.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "training/judgement.h"

#include <cmocka.h> // last: it defines fail() as a macro

static double value_of(const struct metric_row *metrics, const char *name)
{
  for (int m = 0; m < JUDGEMENT_METRICS; m++)
    if (!strcmp(metrics[m].name, name)) return metrics[m].value;
  fail_msg("there is no %s", name);
  return NAN;
}

static void assert_near(double value, double wanted)
{
  if (fabs(value - wanted) > 1e-6) fail_msg("%.9f, not %.9f", value, wanted);
}

// Softmax of (log 8, 0, 0, 0, 0) is 8/12 and four times 1/12.
static void add(struct judgement *judgement, int64_t image, int label, int predicted)
{
  float logits[5] = {0};
  logits[predicted] = logf(8);
  judgement_add(judgement, image, label, logits);
}

static void test_figures(void **state)
{
  (void)state;
  struct judgement judgement;
  struct metric_row metrics[JUDGEMENT_METRICS];
  assert_int_equal(judgement_init(&judgement, 5, 5, NULL), OK);
  add(&judgement, 10, 0, 0);
  add(&judgement, 11, 0, 0);
  add(&judgement, 12, 0, 1);
  add(&judgement, 13, 1, 1);
  add(&judgement, 14, 4, 0); // ranked behind 0, 1, 2, 3
  assert_int_equal(judgement_metrics(&judgement, metrics, NULL), OK);
  assert_near(value_of(metrics, "accuracy"), 3.0 / 5);
  assert_near(value_of(metrics, "top3_accuracy"), 4.0 / 5);
  assert_near(value_of(metrics, "loss"), (3 * -log(8.0 / 12) + 2 * -log(1.0 / 12)) / 5);
  assert_near(value_of(metrics, "macro_precision"), (2.0 / 3 + 1.0 / 2 + 0) / 3);
  assert_near(value_of(metrics, "macro_recall"), (2.0 / 3 + 1 + 0) / 3);
  assert_near(value_of(metrics, "macro_f1"), (2.0 / 3 + 2.0 / 3 + 0) / 3);
  assert_near(value_of(metrics, "weighted_precision"), (3 * 2.0 / 3 + 1 * 1.0 / 2 + 0) / 5);
  assert_near(value_of(metrics, "weighted_recall"), 3.0 / 5);
  assert_near(value_of(metrics, "weighted_f1"), (3 * 2.0 / 3 + 2.0 / 3) / 5);
  assert_near(value_of(metrics, "ece"), 8.0 / 12 - 3.0 / 5);
  double low, high; // Wilson for 3 of 5
  low = metrics[0].low, high = metrics[0].high;
  assert_near(low, 0.230724);
  assert_near(high, 0.882379);
  assert_true(isnan(metrics[2].low));
  const struct prediction_row *row = &judgement.rows[4];
  assert_int_equal(row->image, 14);
  assert_int_equal(row->predicted, 0);
  assert_int_equal(row->second, 1);
  assert_int_equal(row->third, 2);
  assert_int_equal(row->label_rank, 5);
  assert_near(row->confidence, 8.0 / 12);
  assert_near(row->label_confidence, 1.0 / 12);
  judgement_release(&judgement);
}

static void test_two_classes_have_no_third(void **state)
{
  (void)state;
  struct judgement judgement;
  struct metric_row metrics[JUDGEMENT_METRICS];
  assert_int_equal(judgement_init(&judgement, 1, 2, NULL), OK);
  judgement_add(&judgement, 1, 1, (const float[]){0, 1});
  assert_int_equal(judgement.rows[0].third, -1);
  assert_int_equal(judgement_metrics(&judgement, metrics, NULL), OK);
  assert_near(value_of(metrics, "macro_f1"), 1);
  judgement_release(&judgement);
}

// An image whose class the net does not know is judged, and no figure counts it.
static void test_unknown_labels_count_nowhere(void **state)
{
  (void)state;
  struct judgement judgement;
  struct metric_row metrics[JUDGEMENT_METRICS];
  assert_int_equal(judgement_init(&judgement, 3, 5, NULL), OK);
  add(&judgement, 10, 0, 0);
  add(&judgement, 11, -1, 0);
  add(&judgement, 12, 1, 0);
  assert_int_equal(judgement.images, 3);
  assert_int_equal(judgement.known, 2);
  assert_int_equal(judgement.rows[1].predicted, 0);
  assert_near(judgement.rows[1].confidence, 8.0 / 12);
  assert_int_equal(judgement_metrics(&judgement, metrics, NULL), OK);
  assert_near(value_of(metrics, "accuracy"), 1.0 / 2);
  assert_near(value_of(metrics, "macro_precision"), (1.0 / 2 + 0) / 2);
  assert_near(value_of(metrics, "ece"), 8.0 / 12 - 1.0 / 2);
  assert_int_equal(metrics[0].images, 2);
  judgement_release(&judgement);
}

static void test_nan_is_wrong(void **state)
{
  (void)state;
  struct judgement judgement;
  const float logits[5] = {NAN, NAN, NAN, NAN, NAN};
  assert_int_equal(judgement_init(&judgement, 2, 5, NULL), OK);
  for (int label = 0; label < 2; label++) judgement_add(&judgement, 10 + label, label, logits);
  assert_int_equal(judgement.known, 2);
  assert_int_equal(judgement.right, 0);
  judgement_release(&judgement);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_figures),
      cmocka_unit_test(test_two_classes_have_no_third),
      cmocka_unit_test(test_nan_is_wrong),
      cmocka_unit_test(test_unknown_labels_count_nowhere),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
