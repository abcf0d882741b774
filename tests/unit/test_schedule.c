// Learning rates at the corners of every schedule.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "engine/fit/schedule.h"

#include <cmocka.h> // last: it has a macro called fail

static void assert_rate(const struct schedule *schedule, uint64_t step, double expected)
{
  assert_true(fabs((double)schedule_lr(schedule, step, 10) - expected) < 1e-7);
}

static void constant_stays(void **state)
{
  (void)state;
  const struct schedule schedule = {.kind = SCHEDULE_CONSTANT, .lr = 0.5f, .epochs = 3};
  assert_rate(&schedule, 0, 0.5);
  assert_rate(&schedule, 1000, 0.5);
}

static void warmup_rises_from_the_first_step(void **state)
{
  (void)state;
  const struct schedule schedule = {.kind = SCHEDULE_CONSTANT, .lr = 1, .warmup_epochs = 2, .epochs = 5};
  assert_rate(&schedule, 0, 0.05);
  assert_rate(&schedule, 9, 0.5);
  assert_rate(&schedule, 19, 1);
  assert_rate(&schedule, 20, 1);
}

static void warmup_may_end_within_an_epoch(void **state)
{
  (void)state;
  const struct schedule schedule = {.kind = SCHEDULE_COSINE, .lr = 1, .warmup_epochs = 0.4f, .epochs = 2};
  assert_rate(&schedule, 0, 0.25);
  assert_rate(&schedule, 3, 1);
  assert_rate(&schedule, 4, 1);
  assert_rate(&schedule, 12, 0.5);
  const struct schedule shorter = {.kind = SCHEDULE_COSINE, .lr = 1, .warmup_epochs = 0.01f, .epochs = 2};
  assert_rate(&shorter, 0, 1); // less than half a step
}

static void cosine_reaches_its_end(void **state)
{
  (void)state;
  const struct schedule schedule = {
      .kind = SCHEDULE_COSINE, .lr = 1, .final_lr = 0.1f, .epochs = 12, .warmup_epochs = 2};
  assert_rate(&schedule, 19, 1);
  assert_rate(&schedule, 20, 1);
  assert_rate(&schedule, 70, 0.55);
  assert_rate(&schedule, 45, 0.1 + 0.9 * (1 + cos(3.14159265358979 / 4)) / 2);
  assert_rate(&schedule, 120, 0.1);
  assert_rate(&schedule, 5000, 0.1);
}

static void steps_fall(void **state)
{
  (void)state;
  const struct schedule schedule = {.kind = SCHEDULE_STEP, .lr = 1, .step_epochs = 3, .step_factor = 0.5f, .epochs = 9};
  assert_rate(&schedule, 29, 1);
  assert_rate(&schedule, 30, 0.5);
  assert_rate(&schedule, 59, 0.5);
  assert_rate(&schedule, 60, 0.25);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(constant_stays),
      cmocka_unit_test(warmup_rises_from_the_first_step),
      cmocka_unit_test(warmup_may_end_within_an_epoch),
      cmocka_unit_test(cosine_reaches_its_end),
      cmocka_unit_test(steps_fall),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
