// Every op of the fast tables against the reference, on shapes that are multiples of nothing.
#include "engine/net/net.h"
#include "engine/ops/native.h"
#include "op_harness.h"

// |a - b| / |b| over all elements (Euclidean), and the largest difference by the largest value.
static void assert_close(const char *table, const char *what, size_t trial, const float *a, const float *b,
                         size_t count, double tolerance)
{
  double difference = 0, size = 0, worst = 0, largest = 0;
  for (size_t i = 0; i < count; i++) {
    double d = fabs((double)a[i] - (double)b[i]), v = fabs((double)b[i]);
    if (!(d < 1e30))
      fail_msg("%s, trial %zu: %s[%zu] is %g, the reference has %g", table, trial, what, i, (double)a[i], (double)b[i]);
    difference += d * d, size += v * v;
    if (d > worst) worst = d;
    if (v > largest) largest = v;
  }
  if (sqrt(difference) <= tolerance * sqrt(size) && worst <= 4 * tolerance * largest) return;
  fail_msg("%s, trial %zu: %s differs by %.3g of %.3g, at worst %.3g of %.3g", table, trial, what, sqrt(difference),
           sqrt(size), worst, largest);
}

// bf16 has 8 bits: a sum that lands beside a rounding boundary moves a result by 2^-8 of itself.
static double tolerance_of(enum dtype dtype)
{
  return dtype == DTYPE_BF16 ? 6e-3 : 2e-6;
}

// Rows by rows an op gives the same bits as at once.
static void compare_rows(const struct ops *ops, const struct trial *trial, size_t number, const struct rig *whole)
{
  struct rig rows;
  rig_init(&rows, ops, trial);
  rows.by_rows = true;
  rig_run(&rows, true);
  assert_close("by rows", "y", number, rows.y, whole->y, whole->y_count, 0);
  for (int i = 0; i < rows.inputs; i++)
    assert_close("by rows", "dx", number, rows.dx[i], whole->dx[i], whole->x_count, 0);
  for (size_t p = 0; p < rows.parameters; p++)
    assert_close("by rows", "gradient", number, rows.gradients[p], whole->gradients[p], whole->counts[p], 0);
  rig_release(&rows);
}

static void compare(const struct ops *ops, const struct trial *trial, size_t number)
{
  struct rig judge, other;
  rig_init(&judge, &ops_reference, trial);
  rig_init(&other, ops, trial);
  rig_run(&judge, true);
  rig_run(&other, true);
  double tolerance = tolerance_of(trial->dtype);
  assert_close(ops->name, "y", number, other.y, judge.y, judge.y_count, tolerance);
  for (int i = 0; i < judge.inputs; i++)
    assert_close(ops->name, "dx", number, other.dx[i], judge.dx[i], judge.x_count, tolerance);
  for (size_t p = 0; p < judge.parameters; p++)
    assert_close(ops->name, "gradient", number, other.gradients[p], judge.gradients[p], judge.counts[p], tolerance);
  if (other.op->rows_at_once > 0) compare_rows(ops, trial, number, &other);
  rig_release(&judge);
  rig_release(&other);
}

static void compare_all(const struct trial *trials, size_t count)
{
  const struct ops *tables[2] = {&ops_native, &ops_onednn};
  for (int table = 0; table < 2; table++)
    for (size_t i = 0; i < count; i++)
      for (int add = 0; add < 2; add++) {
        struct trial trial = trials[i];
        trial.add = add;
        compare(tables[table], &trial, i);
        trial.dtype = DTYPE_BF16;
        if (net_precision_supported(NET_BF16)) compare(tables[table], &trial, i);
      }
}

static void conv_agrees(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.x = {10, 12, 3}, .channels = 64, .size = 3, .stride = 1, .padding = PAD_SAME, .relu = true, .no_dx = true},
      {.x = {9, 7, 5}, .channels = 17, .size = 3, .stride = 1, .padding = PAD_SAME, .relu = true},
      {.x = {9, 7, 6}, .channels = 18, .size = 3, .stride = 1, .padding = PAD_VALID},
      {.x = {9, 8, 4}, .channels = 6, .size = 3, .stride = 2, .padding = PAD_SAME, .relu = true},
      {.x = {11, 11, 3}, .channels = 8, .size = 7, .stride = 2, .padding = PAD_SAME, .no_dx = true},
      {.x = {6, 5, 16}, .channels = 32, .size = 2, .stride = 1, .padding = PAD_SAME},
      {.x = {13, 11, 64}, .channels = 64, .size = 1, .stride = 1, .padding = PAD_SAME, .relu = true},
      {.x = {13, 11, 20}, .channels = 36, .size = 1, .stride = 1, .padding = PAD_SAME, .relu = true},
      {.x = {5, 3, 7}, .channels = 3, .size = 1, .stride = 1, .padding = PAD_SAME, .relu = true},
      {.x = {10, 12, 64}, .channels = 32, .size = 1, .stride = 2, .padding = PAD_SAME},
      {.x = {11, 9, 33}, .channels = 21, .size = 1, .stride = 2, .padding = PAD_SAME},
      {.x = {11, 9, 34}, .channels = 22, .size = 1, .stride = 2, .padding = PAD_VALID, .relu = true},
      {.x = {1, 1, 1}, .channels = 1, .size = 1, .stride = 1, .padding = PAD_SAME},
      {.x = {1, 1, 2}, .channels = 2, .size = 3, .stride = 1, .padding = PAD_SAME},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

// ResNet50's ways to read a padded map, and what a convolution without training takes over.
static void padded_and_fused_conv_agree(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.x = {20, 22, 3}, .channels = 16, .size = 7, .stride = 2, .pad = 3, .no_dx = true},
      {.x = {9, 8, 16}, .channels = 32, .size = 3, .stride = 1, .pad = 1, .relu = true},
      {.x = {9, 8, 16}, .channels = 32, .size = 1, .stride = 1, .pad = 1},
      {.kind = TRIAL_FUSED,
       .sum = true,
       .x = {20, 22, 3},
       .channels = 16,
       .size = 7,
       .stride = 2,
       .pad = 3,
       .relu = true},
      {.kind = TRIAL_FUSED, .sum = true, .x = {9, 8, 16}, .channels = 64, .size = 1, .stride = 1, .relu = true},
      {.kind = TRIAL_FUSED, .sum = true, .x = {9, 8, 16}, .channels = 32, .size = 1, .stride = 2},
      {.kind = TRIAL_FUSED,
       .sum = true,
       .x = {7, 7, 32},
       .channels = 33,
       .size = 3,
       .stride = 1,
       .padding = PAD_SAME,
       .relu = true},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

// The table whose products run on tiles; NULL: this CPU has none.
static const struct kernels *tiled_kernels(void)
{
  const struct kernels *tables[8];
  for (size_t t = kernels_available(tables, 8); t-- > 0;)
    if (tables[t]->tiles) return tables[t];
  return NULL;
}

static enum status tiled_conv(struct op **out, const struct op_context *context, const struct conv_spec *spec,
                              struct error *error)
{
  assert_true(native_frozen_conv_covers(tiled_kernels(), context, spec));
  return native_frozen_conv(out, tiled_kernels(), spec, error);
}

static void frozen_conv_agrees_on_tiles(void **state)
{
  (void)state;
  static const struct ops tiles = {.name = "tiles", .conv = tiled_conv};
  // 1x1, 3x3, strides and pictures; one block of rows, several, and fewer rows than tiles have; one group of columns,
  // several.
  static const struct trial trials[] = {
      {.x = {8, 8, 64}, .channels = 32, .size = 1, .stride = 1, .relu = true},
      {.x = {33, 17, 224}, .channels = 256, .size = 1, .stride = 1},
      {.x = {13, 11, 32}, .channels = 288, .size = 1, .stride = 1, .relu = true, .sum = true},
      {.x = {7, 7, 64}, .channels = 128, .size = 1, .stride = 1, .sum = true},
      {.x = {3, 2, 32}, .channels = 64, .size = 1, .stride = 1, .sum = true},
      {.x = {9, 8, 32}, .channels = 32, .size = 1, .stride = 1, .pad = 1, .relu = true},
      {.x = {29, 31, 32}, .channels = 64, .size = 1, .stride = 2, .relu = true},
      {.x = {28, 28, 64}, .channels = 160, .size = 1, .stride = 2, .sum = true},
      {.x = {7, 7, 64}, .channels = 96, .size = 3, .stride = 1, .padding = PAD_SAME, .relu = true},
      {.x = {28, 27, 128}, .channels = 128, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.x = {11, 11, 32}, .channels = 160, .size = 3, .stride = 1, .pad = 1, .relu = true, .sum = true},
      {.x = {9, 8, 32}, .channels = 32, .size = 3, .stride = 1, .padding = PAD_VALID},
      {.x = {9, 8, 32}, .channels = 32, .size = 2, .stride = 1, .padding = PAD_SAME},
      {.x = {15, 14, 32}, .channels = 64, .size = 3, .stride = 2, .pad = 1, .relu = true},
      {.x = {14, 15, 32}, .channels = 64, .size = 3, .stride = 2, .padding = PAD_SAME, .sum = true},
      {.x = {2, 2, 32}, .channels = 32, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.x = {21, 70, 3}, .channels = 64, .size = 7, .stride = 2, .pad = 3, .relu = true},
      {.x = {20, 35, 3}, .channels = 32, .size = 3, .stride = 1, .padding = PAD_SAME, .sum = true},
      {.x = {11, 9, 3}, .channels = 32, .size = 8, .stride = 3, .padding = PAD_VALID},
      {.x = {5, 6, 3}, .channels = 32, .size = 1, .stride = 1},
  };
  if (!tiled_kernels()) skip();
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
    struct trial trial = trials[i];
    trial.kind = TRIAL_FUSED;
    trial.dtype = DTYPE_BF16;
    compare(&tiles, &trial, i);
  }
}

// What trains, what has no batch norm to fold in, and what tiles do not fit.
static void tiles_leave_the_rest(void **state)
{
  (void)state;
  const struct kernels *kernels = tiled_kernels();
  if (!kernels) skip();
  struct op_context context = {.dtype = DTYPE_BF16, .threads = 1, .batch = 1};
  struct conv_spec spec = {.norm = true}, other;
  assert_true(window_fit(&spec.window, (struct shape){9, 9, 64}, 64, 3, 1, PAD_SAME));
  assert_true(native_frozen_conv_covers(kernels, &context, &spec));
  assert_false(native_frozen_conv_covers(kernels_select(DTYPE_F32, NULL), &context, &spec));
  assert_false(native_frozen_conv_covers(NULL, &context, &spec));
  other = spec, other.norm = false;
  assert_false(native_frozen_conv_covers(kernels, &context, &other));
  other = spec, other.window.x.c = 16;
  assert_false(native_frozen_conv_covers(kernels, &context, &other));
  other = spec, other.window.y.c = 48;
  assert_false(native_frozen_conv_covers(kernels, &context, &other));
  context.training = true;
  assert_false(native_frozen_conv_covers(kernels, &context, &spec));
}

static void norm_and_relu_agree(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.kind = TRIAL_NORM, .x = {7, 7, 128}},
      {.kind = TRIAL_NORM, .x = {13, 11, 70}, .relu = true},
      {.kind = TRIAL_NORM, .x = {1, 2, 3}, .relu = true},
      {.kind = TRIAL_NORM, .x = {7, 9, 128}, .relu = true, .sum = true},
      {.kind = TRIAL_NORM, .x = {13, 11, 70}, .sum = true},
      {.kind = TRIAL_RELU, .x = {7, 5, 33}},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

static void depthwise_agrees(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.kind = TRIAL_DEPTHWISE, .x = {10, 12, 64}, .channels = 64, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {7, 5, 19}, .channels = 19, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {1, 1, 3}, .channels = 3, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {1, 9, 32}, .channels = 32, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {9, 9, 6}, .channels = 6, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {9, 8, 6}, .channels = 6, .size = 5, .stride = 1, .padding = PAD_VALID},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

static void pool_agrees(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.kind = TRIAL_POOL, .x = {10, 12, 64}, .channels = 64, .size = 2, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {11, 13, 5}, .channels = 5, .size = 2, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {11, 13, 21}, .channels = 21, .size = 2, .stride = 2, .padding = PAD_VALID},
      {.kind = TRIAL_POOL, .x = {10, 11, 16}, .channels = 16, .size = 2, .stride = 2, .padding = PAD_VALID},
      {.kind = TRIAL_POOL, .x = {9, 9, 8}, .channels = 8, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {10, 12, 64}, .channels = 64, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {10, 13, 16}, .channels = 16, .size = 3, .stride = 2, .pad = 1},
      {.kind = TRIAL_POOL, .x = {10, 7, 19}, .channels = 19, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {9, 8, 17}, .channels = 17, .size = 5, .stride = 3, .padding = PAD_VALID},
      {.kind = TRIAL_POOL, .x = {1, 1, 2}, .channels = 2, .size = 2, .stride = 2, .padding = PAD_SAME},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

static void add_and_dropout_agree(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.kind = TRIAL_ADD, .x = {10, 12, 64}},
      {.kind = TRIAL_ADD, .x = {3, 5, 7}},
      {.kind = TRIAL_DROPOUT, .x = {10, 12, 64}, .rate = 0.3f},
      {.kind = TRIAL_DROPOUT, .x = {3, 5, 7}, .rate = 0.5f},
      {.kind = TRIAL_DROPOUT, .x = {1, 1, 1}, .rate = 0.9f},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

static void dense_agrees(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.kind = TRIAL_DENSE, .x = {1, 1, 640}, .channels = 32, .relu = true},
      {.kind = TRIAL_DENSE, .x = {1, 1, 32}, .channels = 29},
      {.kind = TRIAL_DENSE, .x = {1, 1, 131}, .channels = 7, .relu = true},
      {.kind = TRIAL_DENSE, .x = {1, 1, 1}, .channels = 1},
      {.kind = TRIAL_DENSE, .x = {1, 1, 5}, .channels = 70},
  };
  compare_all(trials, sizeof trials / sizeof *trials);
}

// Of equal values the first gets the gradient.
static void ties_go_to_the_first(void **state)
{
  (void)state;
  const struct trial trial = {
      .kind = TRIAL_POOL, .x = {4, 4, 16}, .channels = 16, .size = 2, .stride = 2, .padding = PAD_SAME};
  const struct ops *tables[] = {&ops_reference, &ops_native, &ops_onednn};
  for (int table = 0; table < 3; table++) {
    struct rig rig;
    rig_init(&rig, tables[table], &trial);
    for (size_t i = 0; i < rig.x_count; i++) rig.x[0][i] = 1;
    rig_run(&rig, true);
    for (int row = 0; row < 4; row++)
      for (int column = 0; column < 4; column++)
        for (int c = 0; c < 16; c++) {
          float expected = row % 2 || column % 2 ? 0 : rig.r[((row / 2) * 2 + column / 2) * 16 + c];
          assert_true(rig.dx[0][(row * 4 + column) * 16 + c] == expected);
        }
    rig_release(&rig);
  }
}

static void dropout_keeps_its_share_and_the_mean(void **state)
{
  (void)state;
  const struct trial trial = {.kind = TRIAL_DROPOUT, .x = {100, 100, 16}, .rate = 0.3f};
  struct rig rig;
  rig_init(&rig, &ops_native, &trial);
  for (size_t i = 0; i < rig.x_count; i++) rig.x[0][i] = 1;
  rig_run(&rig, false);
  double kept = 0, sum = 0;
  for (size_t i = 0; i < rig.y_count; i++) kept += rig.y[i] != 0, sum += (double)rig.y[i];
  assert_true(fabs(kept / (double)rig.y_count - 0.7) < 0.005); // four standard deviations of 160,000 draws
  assert_true(fabs(sum / (double)rig.y_count - 1) < 0.007);
  rig_release(&rig);
}

// seed-cnn's shapes: neither oneDNN's own plain loops nor ours.
static void onednn_is_fast_where_it_matters(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.x = {100, 100, 3}, .channels = 64, .size = 3, .stride = 1, .padding = PAD_SAME, .relu = true, .no_dx = true},
      {.x = {100, 100, 64}, .channels = 64, .size = 1, .stride = 1, .relu = true},
      {.x = {100, 100, 64}, .channels = 64, .size = 1, .stride = 2, .padding = PAD_SAME},
      {.x = {50, 50, 64}, .channels = 32, .size = 1, .stride = 1, .relu = true},
      {.x = {50, 50, 32}, .channels = 32, .size = 1, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {100, 100, 64}, .channels = 64, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_DEPTHWISE, .x = {50, 50, 32}, .channels = 32, .size = 3, .stride = 1, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {100, 100, 64}, .channels = 64, .size = 2, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {50, 50, 32}, .channels = 32, .size = 2, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_ADD, .x = {50, 50, 64}},
      {.kind = TRIAL_DENSE, .x = {1, 1, 20000}, .channels = 32, .relu = true},
      {.kind = TRIAL_DENSE, .x = {1, 1, 32}, .channels = 29},
  };
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++)
    for (int precision = NET_FP32; precision <= NET_BF16; precision++) {
      struct trial trial = trials[i];
      trial.dtype = precision == NET_BF16 ? DTYPE_BF16 : DTYPE_F32;
      if (!net_precision_supported((enum net_precision)precision)) continue;
      struct rig rig = {.trial = trial};
      struct error error = {0};
      if (rig_make(&rig, &ops_onednn, &error)) fail_msg("%s", error.text);
      if (strcmp(rig.op->implementation, "oneDNN") != 0)
        fail_msg("trial %zu, %s: %s", i, trial.dtype == DTYPE_BF16 ? "bf16" : "fp32", rig.op->implementation);
      op_free(rig.op);
    }
}

// ResNet's shapes that our kernels do not cover.
static void native_leaves_the_rest_to_onednn(void **state)
{
  (void)state;
  static const struct trial trials[] = {
      {.x = {56, 56, 64}, .channels = 128, .size = 3, .stride = 2, .padding = PAD_SAME, .relu = true},
      {.kind = TRIAL_DEPTHWISE, .x = {28, 28, 32}, .channels = 32, .size = 3, .stride = 2, .padding = PAD_SAME},
      {.kind = TRIAL_POOL, .x = {112, 112, 64}, .channels = 64, .size = 3, .stride = 2, .padding = PAD_SAME},
  };
  for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
    struct rig rig = {.trial = trials[i]};
    assert_int_equal(rig_make(&rig, &ops_native, NULL), OK);
    assert_string_equal(rig.op->implementation, "oneDNN");
    op_free(rig.op);
  }
}

// Bytes to maps, alike in all tables.
static void rescale_agrees(void **state)
{
  (void)state;
  const struct shape shape = {7, 5, 3};
  const struct ops *tables[] = {&ops_reference, &ops_native, &ops_onednn};
  uint8_t bytes[105];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 17);
  for (int precision = NET_FP32; precision <= NET_BF16; precision++) {
    if (!net_precision_supported((enum net_precision)precision)) continue;
    const enum dtype dtype = precision == NET_BF16 ? DTYPE_BF16 : DTYPE_F32;
    const struct op_context context = {.dtype = dtype, .threads = 1, .batch = 1};
    float maps[3][105];
    for (int table = 0; table < 3; table++) {
      struct op *op = NULL;
      void *scratch = NULL;
      assert_int_equal(tables[table]->rescale(&op, &context, shape, DTYPE_U8, 1 / 255.0f, NULL), OK);
      assert_int_equal(mem_aligned(&scratch, op->scratch_bytes, 1, "test", NULL), OK);
      if (table == 2) assert_string_equal(op->implementation, "oneDNN");
      op->kind->forward(op, &(struct op_run){.x = {bytes}, .y = maps[table], .scratch = scratch});
      free(scratch);
      op_free(op);
    }
    for (int table = 1; table < 3; table++) assert_memory_equal(maps[table], maps[0], sizeof bytes * dtype_size(dtype));
  }
}

static void windows_are_tensorflows(void **state)
{
  (void)state;
  struct window w;
  assert_true(window_fit(&w, (struct shape){100, 50, 3}, 8, 3, 1, PAD_SAME));
  assert_true(w.y.h == 100 && w.y.w == 50 && w.y.c == 8 && w.top == 1 && w.left == 1);
  assert_true(window_fit(&w, (struct shape){100, 99, 3}, 8, 3, 2, PAD_SAME)); // the odd pixel goes behind
  assert_true(w.y.h == 50 && w.y.w == 50 && w.top == 0 && w.left == 1);
  assert_true(window_fit(&w, (struct shape){25, 25, 3}, 3, 2, 2, PAD_VALID));
  assert_true(w.y.h == 12 && w.top == 0);
  assert_true(window_fit(&w, (struct shape){25, 25, 3}, 3, 2, 2, PAD_SAME));
  assert_true(w.y.h == 13 && w.top == 0);
  assert_false(window_fit(&w, (struct shape){2, 5, 3}, 3, 3, 1, PAD_VALID));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(windows_are_tensorflows),
      cmocka_unit_test(conv_agrees),
      cmocka_unit_test(padded_and_fused_conv_agree),
      cmocka_unit_test(frozen_conv_agrees_on_tiles),
      cmocka_unit_test(tiles_leave_the_rest),
      cmocka_unit_test(norm_and_relu_agree),
      cmocka_unit_test(depthwise_agrees),
      cmocka_unit_test(pool_agrees),
      cmocka_unit_test(add_and_dropout_agree),
      cmocka_unit_test(dense_agrees),
      cmocka_unit_test(rescale_agrees),
      cmocka_unit_test(onednn_is_fast_where_it_matters),
      cmocka_unit_test(native_leaves_the_rest_to_onednn),
      cmocka_unit_test(ties_go_to_the_first),
      cmocka_unit_test(dropout_keeps_its_share_and_the_mean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
