// Images that look like one of another class.
#include <stdlib.h>

#include "core/rng.h"
#include "data/hash_distance.h"
#include "data/look_alikes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail

enum { COUNT = 600 };

static void test_distances(void **state)
{
  (void)state;
  uint64_t hashes[131];
  uint8_t row[131];
  struct rng rng = rng_at(3, RNG_TEST, 0, 0);
  for (int i = 0; i < 131; i++) hashes[i] = (uint64_t)rng_bits(&rng) << 32 | rng_bits(&rng);
  hashes[7] = 0;
  hashes[8] = UINT64_MAX;
  for (int i = 5; i < 10; i++) {
    hash_distances(hashes[i], hashes, 131, row);
    for (int j = 0; j < 131; j++) assert_int_equal(row[j], __builtin_popcountll(hashes[i] ^ hashes[j]));
  }
}

static void test_what_is_found(void **state)
{
  (void)state;
  const struct hashed_image images[] = {
      {10, 0, 0x0},                // 2 bits from 30, 4 from 11
      {11, 0, 0xf},                // 3 bits from 21
      {20, 1, 0xffffffff00},       // alone of its kind
      {21, 1, 0xf0 | 0xf},         // 4 from 11: too far; 31 is nearer
      {30, 2, 0x3},                // of 10 and 11 at 2 bits, the first
      {31, 2, 0xf0 | 0xf | 0x100}, // 1 bit from 21
      {40, 3, 0x7000000000000000}, // the only one of its class: 3 bits from 10
  };
  const struct look_alike wanted[] = {{10, 30, 2, 4}, {11, 30, 2, 4}, {21, 31, 1, 40},
                                      {30, 10, 2, 7}, {31, 21, 1, 7}, {40, 10, 3, -1}};
  struct look_alike *rows = NULL;
  size_t found = 0;
  struct error error = {0};
  assert_int_equal(look_alikes_find(images, 7, 2, &rows, &found, &error), OK);
  assert_int_equal(found, 6);
  for (size_t i = 0; i < found; i++) {
    assert_int_equal(rows[i].image, wanted[i].image);
    assert_int_equal(rows[i].other, wanted[i].other);
    assert_int_equal(rows[i].distance, wanted[i].distance);
    assert_int_equal(rows[i].class_distance, wanted[i].class_distance);
  }
  free(rows);
}

static void test_against_plain_search(void **state)
{
  (void)state;
  struct hashed_image *images = calloc(COUNT, sizeof *images);
  struct look_alike *rows = NULL, *again = NULL;
  size_t found = 0, at = 0;
  struct error error = {0};
  assert_non_null(images);
  struct rng rng = rng_at(4, RNG_TEST, 0, 0);
  for (int i = 0; i < COUNT; i++) images[i] = (struct hashed_image){i + 1, i / 100, rng_bits(&rng) & 0xfff};
  assert_int_equal(look_alikes_find(images, COUNT, 3, &rows, &found, &error), OK);
  for (int i = 0; i < COUNT; i++) {
    int least = 65;
    for (int j = 0; j < COUNT; j++) {
      int distance = __builtin_popcountll(images[i].dhash ^ images[j].dhash);
      if (images[i].label != images[j].label && distance < least) least = distance;
    }
    if (least > LOOK_ALIKE_BITS) continue;
    assert_true(at < found);
    assert_int_equal(rows[at].image, i + 1);
    assert_int_equal(rows[at++].distance, least);
  }
  assert_int_equal(at, found);
  assert_int_equal(look_alikes_find(images, COUNT, 1, &again, &found, &error), OK);
  assert_int_equal(at, found);
  for (size_t i = 0; i < found; i++) assert_int_equal(rows[i].other, again[i].other);
  free(again);
  assert_int_equal(look_alikes_find(images, 0, 1, &again, &found, &error), OK);
  assert_int_equal(found, 0);
  free(again);
  free(rows);
  free(images);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_distances),
      cmocka_unit_test(test_what_is_found),
      cmocka_unit_test(test_against_plain_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
