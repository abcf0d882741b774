// Convolutions of bytes against plain loops, and against the convolution of the numbers that the bytes stand for.
#include "engine/ops/int8.h"
#include "op_harness.h"

struct bytes_trial {
  struct shape x;
  int filters, size, stride, pad;
  bool relu, sum;
  enum dtype added;
};

static const struct bytes_trial trials[] = {
    {{9, 8, 16}, 32, 1, 1, 0, true, false, DTYPE_U8},   {{9, 8, 16}, 32, 3, 1, 1, true, false, DTYPE_U8},
    {{9, 8, 16}, 32, 1, 2, 0, false, false, DTYPE_U8},  {{7, 7, 64}, 128, 1, 1, 0, true, true, DTYPE_S8},
    {{7, 7, 64}, 128, 1, 1, 0, true, true, DTYPE_U8},   {{11, 13, 17}, 19, 3, 2, 1, true, false, DTYPE_U8},
    {{6, 5, 3}, 7, 3, 1, 1, false, true, DTYPE_S8},     {{1, 1, 1}, 1, 1, 1, 0, true, false, DTYPE_U8},
    {{14, 14, 256}, 64, 3, 1, 1, true, false, DTYPE_U8}};

struct bytes_rig {
  struct conv_int8_spec spec;
  size_t x_count, y_count;
  uint8_t *x, *y;
  float *values[OP_PARAMETERS];
  size_t counts[OP_PARAMETERS];
};

static uint8_t *random_bytes(struct rng *rng, size_t count)
{
  void *bytes = NULL;
  assert_int_equal(mem_aligned(&bytes, count, 1, "test", NULL), OK);
  for (size_t i = 0; i < count; i++) ((uint8_t *)bytes)[i] = (uint8_t)(rng_bits(rng) >> 24);
  return bytes;
}

static void bytes_init(struct bytes_rig *rig, const struct bytes_trial *trial)
{
  struct rng rng = rng_at(3, RNG_TEST, 7, 0);
  *rig = (struct bytes_rig){.spec = {.conv = {.relu = trial->relu, .sum = trial->sum, .norm = true, .epsilon = 1e-3f},
                                     .x_scale = 0.02f,
                                     .y = {trial->relu ? DTYPE_U8 : DTYPE_S8, 0.05f},
                                     .added = {trial->added, 0.03f}}};
  struct window *w = &rig->spec.conv.window;
  assert_true(window_fit_padded(w, trial->x, trial->filters, trial->size, trial->stride, trial->pad));
  rig->x_count = shape_elements(w->x);
  rig->y_count = shape_elements(w->y);
  rig->x = random_bytes(&rng, rig->x_count);
  rig->y = random_bytes(&rng, rig->y_count);
  const size_t filters = (size_t)trial->filters, inputs = (size_t)(trial->size * trial->size * trial->x.c);
  rig->counts[0] = inputs * filters;
  for (int p = 0; p < 6; p++) {
    if (p > 0) rig->counts[p] = filters;
    rig->values[p] = random_floats(&rng, rig->counts[p], p == 0 ? 1.5f / sqrtf((float)inputs) : 1, DTYPE_F32);
  }
  for (size_t f = 0; f < filters; f++) rig->values[5][f] = fabsf(rig->values[5][f]) + 0.5f; // a variance
}

static void bytes_release(struct bytes_rig *rig)
{
  free(rig->x);
  free(rig->y);
  for (int p = 0; p < 6; p++) free(rig->values[p]);
}

// y of a table's op, from the same bytes.
static uint8_t *bytes_run(const struct bytes_rig *rig, const struct ops *ops)
{
  const struct op_context context = {.dtype = DTYPE_F32, .threads = 1, .batch = 1};
  struct op *op = NULL;
  struct error error;
  if (ops->conv_int8(&op, &context, &rig->spec, &error)) fail_msg("%s: %s", ops->name, error.text);
  op->kind->pack(op, rig->values);
  void *y = NULL, *scratch = NULL;
  assert_int_equal(mem_aligned(&y, rig->y_count, 1, "test", NULL), OK);
  assert_int_equal(mem_aligned(&scratch, op->scratch_bytes, 1, "test", NULL), OK);
  memcpy(y, rig->y, rig->y_count);
  op->kind->forward(op, &(struct op_run){.x = {rig->x}, .y = y, .scratch = scratch});
  free(scratch);
  op_free(op);
  return y;
}

static int number_at(const uint8_t *map, enum dtype dtype, size_t i)
{
  return dtype == DTYPE_S8 ? ((const int8_t *)map)[i] : map[i];
}

// Sums are exact; what differs is one rounding of floats, beside a half.
static void tables_agree(void **state)
{
  (void)state;
  const struct ops *tables[] = {&ops_native, &ops_onednn};
  for (size_t t = 0; t < sizeof trials / sizeof *trials; t++) {
    struct bytes_rig rig;
    bytes_init(&rig, &trials[t]);
    uint8_t *judge = bytes_run(&rig, &ops_reference);
    for (int table = 0; table < 2; table++) {
      uint8_t *y = bytes_run(&rig, tables[table]);
      size_t different = 0;
      for (size_t i = 0; i < rig.y_count; i++) {
        int d = abs(number_at(y, rig.spec.y.dtype, i) - number_at(judge, rig.spec.y.dtype, i));
        if (d > 1) fail_msg("%s, trial %zu: y[%zu] differs by %d steps", tables[table]->name, t, i, d);
        different += d > 0;
      }
      assert_in_range(different, 0, rig.y_count / 1000);
      free(y);
    }
    free(judge);
    bytes_release(&rig);
  }
}

// The convolution of the numbers, by the reference for floats.
static float *numbers_run(const struct bytes_rig *rig)
{
  const struct op_context context = {.dtype = DTYPE_F32, .threads = 1, .batch = 1};
  const struct conv_int8_spec *spec = &rig->spec;
  struct op *op = NULL;
  assert_int_equal(ops_reference.conv(&op, &context, &spec->conv, NULL), OK);
  op->kind->pack(op, rig->values);
  float *x = floats(rig->x_count), *y = floats(rig->y_count);
  for (size_t i = 0; i < rig->x_count; i++) x[i] = (float)rig->x[i] * spec->x_scale;
  for (size_t i = 0; i < rig->y_count; i++) y[i] = (float)number_at(rig->y, spec->added.dtype, i) * spec->added.scale;
  op->kind->forward(op, &(struct op_run){.x = {x}, .y = y});
  op_free(op);
  free(x);
  return y;
}

// Half a step of y, and what rounding to 7 bits does to sums of this length: weights are off by up to a 128th of the
// filter's largest, like noise.
static void stands_for_the_convolution_of_numbers(void **state)
{
  (void)state;
  for (size_t t = 0; t < sizeof trials / sizeof *trials; t++) {
    struct bytes_rig rig;
    bytes_init(&rig, &trials[t]);
    const enum dtype dtype = rig.spec.y.dtype;
    uint8_t *y = bytes_run(&rig, &ops_reference);
    float *numbers = numbers_run(&rig);
    double error = 0, size = 0;
    for (size_t i = 0; i < rig.y_count; i++) {
      float wanted = numbers[i] / rig.spec.y.scale;
      wanted = fminf(fmaxf(wanted, int8_least(dtype)), int8_largest(dtype));
      double d = (double)((float)number_at(y, dtype, i) - wanted);
      error += d * d, size += (double)wanted * (double)wanted;
    }
    if (sqrt(error) > 0.02 * sqrt(size) + 0.5 * sqrt((double)rig.y_count))
      fail_msg("trial %zu: off by %.3g of %.3g", t, sqrt(error), sqrt(size));
    free(numbers);
    free(y);
    bytes_release(&rig);
  }
}

static void filters_of_zeros_are_their_bias(void **state)
{
  (void)state;
  struct bytes_rig rig;
  bytes_init(&rig, &trials[0]);
  for (int p = 0; p < 6; p++)
    for (size_t i = 0; i < rig.counts[p]; i++) rig.values[p][i] = p == 3 || p == 5 ? 1 : 0;
  for (int table = 0; table < 2; table++) {
    uint8_t *y = bytes_run(&rig, table ? &ops_native : &ops_reference);
    for (size_t i = 0; i < rig.y_count; i++) assert_int_equal(y[i], 20); // beta 1 in steps of 0.05
    free(y);
  }
  bytes_release(&rig);
}

static void quantise_rounds_and_holds(void **state)
{
  (void)state;
  const float x[8] = {0, 0.24f, 0.26f, 1, -0.3f, 1000, -1000, 0.75f};
  const uint8_t bytes[8] = {0, 0, 1, 2, 0, 255, 0, 2};
  const int8_t signs[8] = {0, 0, 1, 2, -1, 127, -128, 2};
  for (int negative = 0; negative < 2; negative++) {
    const struct op_context context = {.dtype = DTYPE_F32, .threads = 1, .batch = 1};
    const struct byte_map map = {negative ? DTYPE_S8 : DTYPE_U8, 0.5f};
    struct op *op = NULL;
    uint8_t y[8];
    assert_int_equal(ops_native.quantise(&op, &context, (struct shape){1, 2, 4}, map, NULL), OK);
    op->kind->forward(op, &(struct op_run){.x = {x}, .y = y});
    assert_memory_equal(y, negative ? (const void *)signs : (const void *)bytes, 8);
    op_free(op);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_agree),
      cmocka_unit_test(stands_for_the_convolution_of_numbers),
      cmocka_unit_test(filters_of_zeros_are_their_bias),
      cmocka_unit_test(quantise_rounds_and_holds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
