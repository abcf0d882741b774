// Rows of features as bytes: sizes, what is lost, groups that do not share a scale.
#include <math.h>
#include <stdlib.h>

#include "core/rng.h"
#include "data/feature_rows.h"
#include "engine/tensor.h"

#include "check.h"

enum { MOST = 1000 };

static void test_sizes_go_back_and_forth(void **state)
{
  (void)state;
  assert_int_equal(feature_row_bytes(100352), 100352 + 392 * 4);
  assert_int_equal(feature_row_values(3), 0); // not even a scale
  assert_int_equal(feature_row_values(4), 0); // a scale of nothing
  assert_int_equal(feature_row_values(260 + 2), 0);
  for (size_t count = 1; count < MOST; count++) assert_int_equal(feature_row_values(feature_row_bytes(count)), count);
}

// Half a step of the group's scale, and then half of bf16's last bit.
static void test_nothing_is_lost_but_half_a_step(void **state)
{
  (void)state;
  static float values[MOST];
  static uint16_t back[MOST];
  uint8_t row[MOST + 16 + 1];
  for (size_t count = 1; count <= MOST; count += 111) {
    struct rng rng = rng_at(1, RNG_TEST, count, 0);
    for (size_t i = 0; i < count; i++) {
      float size = i < FEATURE_GROUP ? 100.0f : 0.01f; // groups of other sizes beside each other
      values[i] = fmaxf(rng_uniform(&rng, -size, size), 0);
    }
    uint8_t *place = row + count % 2; // rows in a file are aligned to nothing
    feature_row_pack(values, count, place);
    feature_row_unpack(place, count, back);
    for (size_t i = 0; i < count; i++) {
      float most = 0, is = bf16_to_float(back[i]);
      size_t first = i / FEATURE_GROUP * FEATURE_GROUP;
      for (size_t k = first; k < count && k < first + FEATURE_GROUP; k++) most = fmaxf(most, values[k]);
      assert_true(fabsf(is - values[i]) <= most / 255 / 2 * 1.001f + values[i] / 250);
      if (values[i] == 0) assert_true(is == 0);
    }
  }
}

static void test_zeros_and_the_least_numbers(void **state)
{
  (void)state;
  const float values[4] = {0, 1e-44f, 0, 1e-45f};
  uint8_t row[8];
  uint16_t back[4] = {1, 1, 1, 1};
  feature_row_pack(values, 4, row);
  feature_row_unpack(row, 4, back);
  for (int i = 0; i < 4; i++) assert_int_equal(back[i], 0);
}

static void test_the_largest_of_a_group_stays(void **state)
{
  (void)state;
  const float values[3] = {255, 64, 0.4f};
  uint8_t row[3 + 4];
  uint16_t back[3];
  feature_row_pack(values, 3, row);
  assert_int_equal(row[0], 255);
  assert_int_equal(row[1], 64);
  assert_int_equal(row[2], 0);
  feature_row_unpack(row, 3, back);
  assert_true(bf16_to_float(back[0]) == 255 && bf16_to_float(back[1]) == 64);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sizes_go_back_and_forth),
      cmocka_unit_test(test_nothing_is_lost_but_half_a_step),
      cmocka_unit_test(test_zeros_and_the_least_numbers),
      cmocka_unit_test(test_the_largest_of_a_group_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
