// Winograd's convolutions beside the direct ones of the reference, in every table of kernels that has them.
#include "engine/kernels/kernels.h"
#include "engine/ops/native.h"
#include "op_harness.h"

static const struct kernels *table; // that `winograd` makes its ops on

static enum status winograd(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                            struct error *error)
{
  assert_true(native_winograd_covers(table, context, spec));
  return native_winograd(out, table, spec, error);
}

// Of the largest number. Seen: 6e-6.
static const double TOLERANCE = 1e-5;

static void compare(const struct trial *trial, size_t number)
{
  static const struct ops tried = {.name = "winograd", .conv = winograd};
  struct rig judge, other;
  rig_init(&judge, &ops_reference, trial);
  rig_init(&other, &tried, trial);
  rig_run(&judge, false);
  rig_run(&other, false);
  double worst = 0, largest = 0;
  for (size_t i = 0; i < judge.y_count; i++) {
    worst = fmax(worst, fabs((double)other.y[i] - (double)judge.y[i]));
    largest = fmax(largest, fabs((double)judge.y[i]));
  }
  if (!(worst <= TOLERANCE * largest))
    fail_msg("%s, trial %zu: differs by %.3g of %.3g", table->name, number, worst, largest);
  rig_release(&judge);
  rig_release(&other);
}

static void agrees_with_the_direct_way(void **state)
{
  (void)state;
  // Squares of 4x4, then of 2x2: that y fills and that it does not; patches beyond every side; one turn of squares,
  // several, a part of one.
  static const struct trial trials[] = {
      {.x = {16, 16, 16}, .channels = 16, .padding = PAD_SAME, .relu = true},
      {.x = {13, 15, 16}, .channels = 48, .padding = PAD_SAME},
      {.x = {14, 14, 256}, .channels = 256, .padding = PAD_SAME, .relu = true},
      {.x = {28, 27, 32}, .channels = 64, .padding = PAD_SAME, .relu = true},
      {.x = {18, 17, 48}, .channels = 16, .padding = PAD_VALID, .relu = true},
      {.x = {21, 11, 32}, .channels = 32, .pad = 1, .relu = true},
      {.x = {1, 46, 16}, .channels = 16, .padding = PAD_SAME},
      {.x = {45, 2, 16}, .channels = 32, .padding = PAD_SAME},
      {.x = {12, 14, 16}, .channels = 16, .pad = 2},
      {.x = {7, 7, 512}, .channels = 512, .padding = PAD_SAME, .relu = true},
      {.x = {10, 8, 16}, .channels = 48, .padding = PAD_SAME},
      {.x = {9, 10, 32}, .channels = 16, .padding = PAD_VALID, .relu = true},
      {.x = {6, 7, 16}, .channels = 32, .pad = 2, .relu = true},
      {.x = {1, 25, 16}, .channels = 16, .padding = PAD_SAME},
  };
  const struct kernels *tables[8];
  size_t tried = 0;
  for (size_t t = kernels_available(tables, 8); t-- > 0;) {
    if (!tables[t]->winograd_patch) continue;
    table = tables[t];
    tried++;
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
      struct trial trial = trials[i];
      trial.kind = TRIAL_FUSED;
      trial.size = 3, trial.stride = 1;
      compare(&trial, i);
    }
  }
  assert_true(tried > 0); // "generic" at least
}

static void leaves_the_rest(void **state)
{
  (void)state;
  const struct kernels *kernels = kernels_select(DTYPE_F32, "generic");
  struct op_context context = {.dtype = DTYPE_F32, .threads = 1, .batch = 1};
  struct conv_spec spec = {.norm = true}, other;
  assert_true(window_fit(&spec.window, (struct shape){14, 14, 32}, 32, 3, 1, PAD_SAME));
  assert_true(native_winograd_covers(kernels, &context, &spec));
  assert_false(native_winograd_covers(NULL, &context, &spec));
  other = spec, other.norm = false;
  assert_false(native_winograd_covers(kernels, &context, &other));
  other = spec, other.sum = true;
  assert_false(native_winograd_covers(kernels, &context, &other));
  other = spec, other.window.x.c = 40;
  assert_false(native_winograd_covers(kernels, &context, &other));
  other = spec, other.window.y.c = 40;
  assert_false(native_winograd_covers(kernels, &context, &other));
  assert_true(window_fit(&other.window, (struct shape){28, 28, 32}, 32, 3, 2, PAD_SAME));
  assert_false(native_winograd_covers(kernels, &context, &other));
  assert_true(window_fit(&other.window, (struct shape){4, 7, 32}, 32, 3, 1, PAD_SAME));
  assert_false(native_winograd_covers(kernels, &context, &other));
  const struct kernels *pairs = kernels_select(DTYPE_BF16, NULL);
  assert_false(native_winograd_covers(pairs, &context, &spec));
  context.training = true;
  assert_false(native_winograd_covers(kernels, &context, &spec));
}

static void weights_that_are_not_finite_are_told(void **state)
{
  (void)state;
  struct op *op = NULL;
  struct error error;
  struct op_context context = {.dtype = DTYPE_F32, .threads = 1, .batch = 1};
  struct conv_spec spec = {.norm = true};
  assert_true(window_fit(&spec.window, (struct shape){14, 14, 16}, 16, 3, 1, PAD_SAME));
  table = kernels_select(DTYPE_F32, NULL);
  assert_int_equal(winograd(&op, &context, &spec, &error), OK);
  float *kernel = floats(9 * 16 * 16), per_filter[5][16] = {{0}}; // bias, gamma, beta, mean, variance
  for (size_t f = 0; f < 16; f++) per_filter[4][f] = 1;
  float *const values[OP_PARAMETERS] = {kernel,        per_filter[0], per_filter[1],
                                        per_filter[2], per_filter[3], per_filter[4]};
  op->kind->pack(op, values);
  assert_int_equal(op->packing, PACKED);
  per_filter[4][7] = -1;
  op->kind->pack(op, values);
  assert_int_equal(op->packing, PACKING_NOT_FINITE);
  free(kernel);
  op_free(op);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(agrees_with_the_direct_way),
      cmocka_unit_test(leaves_the_rest),
      cmocka_unit_test(weights_that_are_not_finite_are_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
