// The generator against its authors' vectors, and what the project builds on it: independence of streams, no bias.
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "check.h"
#include "core/rng.h"

// Random123's kat_vectors: "philox 4x32 10".
static void test_known_answers(void **state)
{
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], out[4];
  } vectors[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
    uint32_t out[4];
    rng_block(vectors[i].key, vectors[i].counter, out);
    assert_memory_equal(out, vectors[i].out, sizeof out);
  }
}

static void test_a_stream_can_be_drawn_again(void **state)
{
  (void)state;
  struct rng first = rng_at(7, RNG_AUGMENT, 42, 3), again = rng_at(7, RNG_AUGMENT, 42, 3);
  for (int i = 0; i < 100; i++) assert_int_equal(rng_bits(&first), rng_bits(&again));
}

// Streams that differ in any one of seed, purpose, a and b (in their upper halves too) share no eight numbers.
static void test_streams_differ(void **state)
{
  (void)state;
  struct rng streams[] = {
      rng_at(1, RNG_AUGMENT, 5, 9),
      rng_at(2, RNG_AUGMENT, 5, 9),
      rng_at(1 + (1ull << 32), RNG_AUGMENT, 5, 9),
      rng_at(1, RNG_DROPOUT, 5, 9),
      rng_at(1, RNG_AUGMENT, 6, 9),
      rng_at(1, RNG_AUGMENT, 9, 5),
      rng_at(1, RNG_AUGMENT, 5 + (1ull << 32), 9),
      rng_at(1, RNG_AUGMENT, 5, 10),
      rng_at(1, RNG_AUGMENT, 5, 9 + (1ull << 32)),
  };
  enum { COUNT = sizeof streams / sizeof *streams };
  uint32_t numbers[COUNT][8];
  for (int i = 0; i < COUNT; i++)
    for (int j = 0; j < 8; j++) numbers[i][j] = rng_bits(&streams[i]);
  for (int i = 0; i < COUNT; i++)
    for (int j = 0; j < i; j++) assert_memory_not_equal(numbers[i], numbers[j], sizeof numbers[0]);
}

// Chi-squared with n - 1 = 28 degrees of freedom: 62.4 is exceeded once in 5,000 seeds, and this seed is fixed.
static void test_below_is_uniform(void **state)
{
  (void)state;
  enum { N = 29, DRAWS = 29000 };
  int counts[N] = {0};
  struct rng rng = rng_at(1, RNG_TEST, 0, 0);
  for (int i = 0; i < DRAWS; i++) {
    uint32_t value = rng_below(&rng, N);
    assert_true(value < N);
    counts[value]++;
  }
  double squares = 0, expected = (double)DRAWS / N;
  for (int i = 0; i < N; i++) squares += (counts[i] - expected) * (counts[i] - expected) / expected;
  assert_true(squares < 62.4);
  for (int i = 0; i < 10; i++) assert_int_equal(rng_below(&rng, 1), 0);
  // With 3 * 2^30, a plain multiply-shift would draw the multiples of 3 twice as often as the others: half of all
  // draws.
  int multiples = 0;
  for (int i = 0; i < 30000; i++) multiples += rng_below(&rng, 3u << 30) % 3 == 0;
  assert_in_range(multiples, 9600, 10400);
}

static void test_uniform(void **state)
{
  (void)state;
  enum { DRAWS = 50000 };
  struct rng rng = rng_at(2, RNG_TEST, 0, 0);
  double sum = 0;
  for (int i = 0; i < DRAWS; i++) {
    float uniform = rng_uniform(&rng, -15, 15);
    assert_true(uniform >= -15 && uniform < 15);
    sum += uniform;
  }
  assert_true(fabs(sum / DRAWS) < 0.2);
  assert_true(rng_uniform(&rng, 3, 3) == 3);
}

static void test_shuffle_is_a_permutation(void **state)
{
  (void)state;
  enum { N = 1000 };
  uint32_t indices[N];
  bool seen[N] = {0};
  int fixed = 0;
  for (uint32_t i = 0; i < N; i++) indices[i] = i;
  struct rng rng = rng_at(3, RNG_SHUFFLE, 1, 0);
  rng_shuffle(&rng, indices, N);
  for (uint32_t i = 0; i < N; i++) {
    assert_true(indices[i] < N && !seen[indices[i]]);
    seen[indices[i]] = true;
    fixed += indices[i] == i;
  }
  assert_true(fixed < 10);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answers),  cmocka_unit_test(test_a_stream_can_be_drawn_again),
      cmocka_unit_test(test_streams_differ), cmocka_unit_test(test_below_is_uniform),
      cmocka_unit_test(test_uniform),        cmocka_unit_test(test_shuffle_is_a_permutation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
