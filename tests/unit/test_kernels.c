// Every table of kernels against plain loops in double, on shapes that fit no vector: odd widths, one channel, one row.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"
#include "engine/kernels/kernels.h"

#include <cmocka.h>

// An array of elements in both forms: as the kernel sees it, and as floats (already rounded to the kernel's type).
struct map {
  size_t n;
  enum dtype dtype;
  void *elements;
  float *floats;
};

static struct map map_new(enum dtype dtype, size_t n, struct rng *rng)
{
  struct map map = {.n = n, .dtype = dtype};
  // Two spare elements: bf16 products may read one past a row of odd length.
  assert_int_equal(mem_aligned(&map.elements, n + 2, dtype_size(dtype), "map", NULL), OK);
  assert_int_equal(mem_aligned((void **)&map.floats, n + 2, sizeof(float), "map", NULL), OK);
  for (size_t i = 0; i < n; i++) {
    float value = rng ? rng_uniform(rng, -1, 1) : 0;
    if (dtype == DTYPE_BF16) {
      ((uint16_t *)map.elements)[i] = bf16_from_float(value);
      value = bf16_to_float(bf16_from_float(value));
    } else {
      ((float *)map.elements)[i] = value;
    }
    map.floats[i] = value;
  }
  return map;
}

static float map_at(const struct map *map, size_t i)
{
  return map->dtype == DTYPE_BF16 ? bf16_to_float(((uint16_t *)map->elements)[i]) : ((float *)map->elements)[i];
}

static void map_set(struct map *map, size_t i, float value)
{
  if (map->dtype == DTYPE_BF16)
    ((uint16_t *)map->elements)[i] = bf16_from_float(value);
  else
    ((float *)map->elements)[i] = value;
  map->floats[i] = map_at(map, i);
}

static const void *map_from(const struct map *map, size_t i)
{
  return (const char *)map->elements + i * dtype_size(map->dtype);
}

static void map_free(struct map *map)
{
  free(map->elements);
  free(map->floats);
}

static float rounded(enum dtype dtype, float value)
{
  return dtype == DTYPE_BF16 ? bf16_to_float(bf16_from_float(value)) : value;
}

// bf16 results are within one rounding (2^-8), fp32 ones within the sum's.
static void assert_near(const struct kernels *kernels, double expected, double actual)
{
  double tolerance = kernels->dtype == DTYPE_BF16 ? 0.01 : 2e-5;
  if (fabs(expected - actual) > tolerance * (1 + fabs(expected)))
    fail_msg("%s: expected %g, not %g", kernels->name, expected, actual);
}

struct product_shape {
  size_t m, n, segments, k;
};

static void check_product_of(const struct kernels *kernels, struct product_shape shape, struct rng *rng)
{
  const size_t m = shape.m, n = shape.n, segments = shape.segments, k = shape.k;
  size_t stride = 1 + rng_below(rng, 50), out_stride = n + rng_below(rng, 9), segment = (m - 1) * stride + k + 1;
  bool relu = rng_below(rng, 2);
  struct map a = map_new(kernels->dtype, segments * segment, rng);
  struct map c = map_new(kernels->dtype, m * out_stride, NULL);
  struct map b = map_new(DTYPE_F32, segments * k * n, rng), bias = map_new(DTYPE_F32, n, rng);
  float *c32 = calloc(m * out_stride, sizeof *c32);
  struct rows rows = {.segments = segments, .k = k, .stride = stride};
  for (size_t s = 0; s < segments; s++) rows.base[s] = map_from(&a, s * segment);
  void *packed = NULL;
  assert_int_equal(mem_aligned(&packed, 1, kernels->packed_bytes(segments, k, n), "packed", NULL), OK);
  kernels->pack(segments, k, n, b.floats, n, 1, bias.floats, packed);
  kernels->product(m, n, &rows, packed, relu, c.elements, out_stride);
  kernels->product_f32(m, n, &rows, packed, relu, c32, out_stride);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < out_stride; j++) {
      double sum = j < n ? bias.floats[j] : 0; // beyond n nothing may be written
      for (size_t s = 0; j < n && s < segments; s++)
        for (size_t l = 0; l < k; l++)
          sum +=
              (double)a.floats[s * segment + i * stride + l] * rounded(kernels->dtype, b.floats[(s * k + l) * n + j]);
      if (relu && sum < 0) sum = 0;
      assert_near(kernels, sum, map_at(&c, i * out_stride + j));
      assert_near(kernels, sum, c32[i * out_stride + j]);
    }
  free(packed);
  free(c32);
  map_free(&a), map_free(&b), map_free(&bias), map_free(&c);
}

static void check_product(const struct kernels *kernels, struct rng *rng)
{
  const struct product_shape shape = {.m = 1 + rng_below(rng, 40),
                                      .n = 1 + rng_below(rng, 150),
                                      .segments = 1 + rng_below(rng, 3),
                                      .k = 1 + rng_below(rng, 40)};
  check_product_of(kernels, shape, rng);
}

// Shapes that fill tiles, but for the last rows: long rows, and short ones in segments.
static void check_tiles(const struct kernels *kernels, struct rng *rng)
{
  const size_t m = 16 + rng_below(rng, 60), n = 32 * (1 + rng_below(rng, 5));
  check_product_of(kernels, (struct product_shape){m, n, 1 + rng_below(rng, 3), 32 * (1 + rng_below(rng, 3))}, rng);
  check_product_of(kernels, (struct product_shape){m, n, 1 + rng_below(rng, 3), 1 + rng_below(rng, 10)}, rng);
}

// Rows together are rows by themselves, to the bit.
static void check_lines(const struct kernels *kernels, struct rng *rng)
{
  size_t m = 1 + rng_below(rng, 20), n = 1 + rng_below(rng, 150), k = 1 + rng_below(rng, 400), stride = k + k % 2;
  bool relu = rng_below(rng, 2);
  struct map a = map_new(kernels->dtype, m * stride, rng);
  struct map b = map_new(DTYPE_F32, k * n, rng), bias = map_new(DTYPE_F32, n, rng);
  float *together = calloc(m * n, sizeof *together), *alone = calloc(m * n, sizeof *alone);
  void *packed = NULL;
  assert_int_equal(mem_aligned(&packed, 1, kernels->packed_bytes(1, k, n), "packed", NULL), OK);
  kernels->pack(1, k, n, b.floats, n, 1, bias.floats, packed);
  struct rows rows = {.base = {a.elements}, .segments = 1, .k = k, .stride = stride};
  kernels->product_lines(m, n, &rows, packed, relu, together, n);
  for (size_t i = 0; i < m; i++) {
    rows.base[0] = map_from(&a, i * stride);
    kernels->product_f32(1, n, &rows, packed, relu, alone + i * n, n);
  }
  assert_memory_equal(together, alone, m * n * sizeof *alone);
  free(packed);
  free(together);
  free(alone);
  map_free(&a), map_free(&b), map_free(&bias);
}

// That sum[segments * k, n] and bias[n] were added what A's rows, `segment` elements from one segment to the next, and
// B[m, n] give.
static void assert_gradients(const struct kernels *kernels, size_t m, size_t n, const struct rows *rows,
                             const struct map *a, size_t segment, const struct map *b, size_t b_stride,
                             const struct map *sum, const struct map *bias)
{
  for (size_t j = 0; j < n; j++) {
    double column = bias->floats[j];
    for (size_t i = 0; i < m; i++) column += b->floats[i * b_stride + j];
    assert_near(kernels, column, map_at(bias, j));
    for (size_t row = 0; row < rows->segments * rows->k; row++) {
      const float *from = a->floats + row / rows->k * segment + row % rows->k;
      double expected = sum->floats[row * n + j];
      for (size_t i = 0; i < m; i++) expected += (double)from[i * rows->stride] * b->floats[i * b_stride + j];
      assert_near(kernels, expected, map_at(sum, row * n + j));
    }
  }
}

// Half of the shapes fill tiles, but for the last pixels and channels; some have more pixels than are turned at once.
static struct product_shape gradient_shape(struct rng *rng)
{
  if (rng_below(rng, 2) == 0)
    return (struct product_shape){1 + rng_below(rng, 60), 1 + rng_below(rng, 150), 1 + rng_below(rng, 3),
                                  1 + rng_below(rng, 40)};
  return (struct product_shape){1 + rng_below(rng, 400), 32 * (1 + rng_below(rng, 3)), 1 + rng_below(rng, 3),
                                8 + rng_below(rng, 80)};
}

static void check_transposed(const struct kernels *kernels, struct rng *rng)
{
  const struct product_shape shape = gradient_shape(rng);
  size_t m = shape.m, n = shape.n, k = shape.k, segments = shape.segments;
  size_t stride = 1 + rng_below(rng, 50), b_stride = n + rng_below(rng, 9);
  size_t segment = (m - 1) * stride + k;
  struct map a = map_new(kernels->dtype, segments * segment, rng);
  struct map b = map_new(kernels->dtype, m * b_stride, rng), sum = map_new(DTYPE_F32, segments * k * n, rng);
  struct map bias = map_new(DTYPE_F32, n, rng);
  struct rows rows = {.segments = segments, .k = k, .stride = stride};
  for (size_t s = 0; s < segments; s++) rows.base[s] = map_from(&a, s * segment);
  void *scratch = NULL;
  assert_int_equal(mem_aligned(&scratch, 1, kernels->transposed_scratch(m, n, segments * k), "scratch", NULL), OK);
  kernels->product_transposed(m, n, &rows, b.elements, b_stride, sum.elements, scratch);
  kernels->column_sums(m, n, b.elements, b_stride, bias.elements);
  assert_gradients(kernels, m, n, &rows, &a, segment, &b, b_stride, &sum, &bias);
  // The first run once more, written instead of added, by a zipped b.
  rows.segments = 1;
  void *zipped = NULL;
  assert_int_equal(mem_aligned(&zipped, 1, kernels->zipped_bytes(m, n), "zipped", NULL), OK);
  kernels->zip(m, n, b.elements, b_stride, zipped);
  kernels->product_zipped(m, n, &rows, zipped, sum.elements, scratch);
  for (size_t i = 0; i < k * n; i++) {
    double expected = 0;
    for (size_t r = 0; r < m; r++) expected += (double)a.floats[r * stride + i / n] * b.floats[r * b_stride + i % n];
    assert_near(kernels, expected, map_at(&sum, i));
  }
  free(zipped);
  free(scratch);
  map_free(&a), map_free(&b), map_free(&sum), map_free(&bias);
}

// Rows packed again are as if all had been packed; a transpose is as if it had been packed itself.
static void check_packing(const struct kernels *kernels, struct rng *rng)
{
  const bool whole = rng_below(rng, 2); // whole vectors
  size_t k = whole ? 32 * (1 + rng_below(rng, 5)) : 1 + rng_below(rng, 90);
  size_t n = whole ? 16 * (1 + rng_below(rng, 12)) : 1 + rng_below(rng, 150);
  size_t first = rng_below(rng, (uint32_t)k) & ~(size_t)(whole ? 15 : 1);
  size_t count = whole ? 16 * (1 + rng_below(rng, 4)) : 2 * (1 + rng_below(rng, 30));
  if (count > k - first) count = k - first;
  struct map b = map_new(DTYPE_F32, k * n, rng), other = map_new(DTYPE_F32, k * n, rng);
  size_t bytes = kernels->packed_bytes(1, k, n), turned_bytes = kernels->packed_bytes(1, n, count);
  void *packed = NULL, *again = NULL, *turned = NULL, *expected = NULL;
  assert_int_equal(mem_aligned(&packed, 1, bytes, "packed", NULL), OK);
  assert_int_equal(mem_aligned(&again, 1, bytes, "packed", NULL), OK);
  assert_int_equal(mem_aligned(&turned, 1, turned_bytes, "packed", NULL), OK);
  assert_int_equal(mem_aligned(&expected, 1, turned_bytes, "packed", NULL), OK);
  kernels->pack(1, k, n, b.floats, n, 1, NULL, packed);
  for (size_t i = 0; i < k * n; i++)
    if (i < first * n || i >= (first + count) * n) other.floats[i] = b.floats[i];
  kernels->pack(1, k, n, other.floats, n, 1, NULL, again);
  kernels->pack_again(k, n, first, count, b.floats + first * n, again);
  assert_memory_equal(packed, again, bytes);
  kernels->turn(k, n, first, count, packed, turned);
  kernels->pack(1, n, count, b.floats + first * n, 1, n, NULL, expected);
  assert_memory_equal(turned, expected, turned_bytes);
  free(packed), free(again), free(turned), free(expected);
  map_free(&b), map_free(&other);
}

static void check_adam(const struct kernels *kernels, struct rng *rng)
{
  const struct adam adam = {.lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-3f, .l2 = 0.1f, .decay = 0.02f};
  size_t n = 1 + rng_below(rng, 70);
  struct map w = map_new(DTYPE_F32, n, rng), g = map_new(DTYPE_F32, n, rng), m = map_new(DTYPE_F32, n, rng);
  struct map v = map_new(DTYPE_F32, n, rng), old = map_new(DTYPE_F32, n, NULL);
  for (size_t i = 0; i < n; i++) v.floats[i] *= v.floats[i];
  memcpy(old.floats, w.floats, n * sizeof(float));
  struct map first = map_new(DTYPE_F32, n, NULL), second = map_new(DTYPE_F32, n, NULL);
  memcpy(first.floats, m.floats, n * sizeof(float));
  memcpy(second.floats, v.floats, n * sizeof(float));
  assert_true(kernels->adam(&adam, n, w.floats, g.floats, m.floats, v.floats));
  for (size_t i = 0; i < n; i++) {
    double gradient = (double)g.floats[i] + 0.1 * (double)old.floats[i];
    double moment = 0.9 * (double)first.floats[i] + 0.1 * gradient;
    double square = 0.99 * (double)second.floats[i] + 0.01 * gradient * gradient;
    double weight = 0.98 * (double)old.floats[i] - 0.01 * moment / (sqrt(square) + 1e-3);
    if (fabs(weight - (double)w.floats[i]) > 1e-5 || fabs(moment - (double)m.floats[i]) > 1e-6 ||
        fabs(square - (double)v.floats[i]) > 1e-6)
      fail_msg("%s: number %zu of %zu: %g, not %g", kernels->name, i, n, (double)w.floats[i], weight);
  }
  w.floats[n - 1] = INFINITY;
  assert_false(kernels->adam(&adam, n, w.floats, g.floats, m.floats, v.floats));
  map_free(&w), map_free(&g), map_free(&m), map_free(&v), map_free(&old), map_free(&first), map_free(&second);
}

static double conv_weight_of(const struct conv_weights *job, const struct map *x, const struct map *dy, size_t tap,
                             size_t c, size_t f)
{
  const float *gradient = dy->floats + f;
  double sum = 0;
  for (size_t image = 0; image < job->n; image++)
    for (size_t row = 0; row < job->y_h; row++)
      for (size_t column = 0; column < job->y_w; column++, gradient += job->y_c) {
        size_t x_row = row * job->stride + tap / job->size, x_column = column * job->stride + tap % job->size;
        if (x_row < job->top || x_column < job->left || x_row - job->top >= job->x_h ||
            x_column - job->left >= job->x_w)
          continue;
        size_t pixel = (image * job->x_h + x_row - job->top) * job->x_w + x_column - job->left;
        sum += (double)x->floats[pixel * job->x_c + c] * (double)*gradient;
      }
  return sum;
}

// Channels and filters beside the block must stay as they are.
static void check_conv_weights_of(const struct kernels *kernels, struct conv_weights job, struct rng *rng)
{
  struct map x = map_new(kernels->dtype, job.n * job.x_h * job.x_w * job.x_c, rng);
  struct map dy = map_new(kernels->dtype, job.n * job.y_h * job.y_w * job.y_c, rng);
  struct map sum = map_new(DTYPE_F32, job.size * job.size * job.x_c * job.y_c, rng);
  struct map bias = map_new(DTYPE_F32, job.filters, rng);
  void *scratch = NULL;
  assert_int_equal(mem_aligned(&scratch, 1, kernels->conv_weights_scratch(&job), "scratch", NULL), OK);
  memset(scratch, 0xff, kernels->conv_weights_scratch(&job)); // no numbers: what is read must have been written
  job.x = x.elements, job.dy = dy.elements, job.sum = sum.elements, job.bias = bias.elements;
  kernels->conv_weights(&job, scratch);
  for (size_t i = 0; i < sum.n; i++) {
    size_t f = i % job.y_c, c = i / job.y_c % job.x_c, at = i / job.y_c / job.x_c;
    double expected = conv_weight_of(&job, &x, &dy, at, c, f);
    assert_near(kernels, f < job.filter || c < job.channel ? (double)sum.floats[i] : expected, map_at(&sum, i));
  }
  for (size_t f = 0; f < job.filters; f++) {
    double expected = bias.floats[f];
    for (size_t p = 0; p < job.n * job.y_h * job.y_w; p++) expected += (double)dy.floats[p * job.y_c + job.filter + f];
    assert_near(kernels, expected, map_at(&bias, f));
  }
  free(scratch);
  map_free(&x), map_free(&dy), map_free(&sum), map_free(&bias);
}

static void check_conv_weights(const struct kernels *kernels, struct rng *rng)
{
  enum { BLOCK = CONV_WEIGHTS_BLOCK };
  struct conv_weights job = {.n = rng_below(rng, 4), .size = 1 + 2 * rng_below(rng, 2), .stride = 1};
  if (job.size == 1) job.stride = 1 + rng_below(rng, 2);
  job.y_h = 1 + rng_below(rng, job.size == 1 ? 9 : 20), job.y_w = 1 + rng_below(rng, 17);
  job.x_h = job.y_h * job.stride - rng_below(rng, (uint32_t)job.stride);
  job.x_w = job.y_w * job.stride - rng_below(rng, (uint32_t)job.stride);
  job.top = job.left = job.size / 2;
  job.x_c = BLOCK * (1 + rng_below(rng, 3)), job.y_c = BLOCK * (1 + rng_below(rng, 7));
  job.channel = BLOCK * rng_below(rng, (uint32_t)(job.x_c / BLOCK));
  job.filter = BLOCK * rng_below(rng, (uint32_t)(job.y_c / BLOCK));
  job.channels = job.x_c - job.channel;
  job.filters = job.y_c - job.filter;
  check_conv_weights_of(kernels, job, rng);
}

// Blocks of whole pairs of tiles, in maps whose rows need not fit them; windows that lie anywhere around their pixel.
static void check_conv_tiles(const struct kernels *kernels, struct rng *rng)
{
  enum { BLOCK = 2 * CONV_WEIGHTS_BLOCK };
  static const size_t sizes[] = {1, 1, 2, 3, 3, 5};
  struct conv_weights job = {.n = 1 + rng_below(rng, 4), .size = sizes[rng_below(rng, 6)], .stride = 1};
  const size_t around = job.size - 1;
  if (job.size == 1) job.stride = 1 + rng_below(rng, 2);
  job.y_h = job.size + rng_below(rng, 9), job.y_w = job.size + rng_below(rng, 9);
  if (rng_below(rng, 20) == 0) job.n = 1, job.y_h = job.size, job.y_w = 300 + rng_below(rng, 40); // about a run's
  job.top = rng_below(rng, (uint32_t)job.size), job.left = rng_below(rng, (uint32_t)job.size);
  job.x_h = job.y_h * job.stride - rng_below(rng, (uint32_t)job.stride) + around - job.top;
  job.x_w = job.y_w * job.stride - rng_below(rng, (uint32_t)job.stride) + around - job.left;
  job.x_h -= rng_below(rng, (uint32_t)job.size), job.x_w -= rng_below(rng, (uint32_t)job.size);
  job.channel = BLOCK / 2 * rng_below(rng, 2), job.filter = BLOCK / 2 * rng_below(rng, 2);
  job.channels = BLOCK, job.filters = BLOCK;
  *(rng_below(rng, 2) ? &job.channels : &job.filters) *= 2;
  job.x_c = job.channel + job.channels, job.y_c = job.filter + job.filters;
  check_conv_weights_of(kernels, job, rng);
}

static void check_weights_gradient(const struct kernels *kernels, struct rng *rng)
{
  const struct product_shape shape = gradient_shape(rng);
  size_t m = shape.m, n = shape.n, k = shape.k, segments = shape.segments;
  size_t stride = 1 + rng_below(rng, 50), segment = (m - 1) * stride + k;
  bool relu = rng_below(rng, 2);
  struct map a = map_new(kernels->dtype, segments * segment, rng), value = map_new(kernels->dtype, m * n, rng);
  struct map gradient = map_new(kernels->dtype, m * n, rng), sum = map_new(DTYPE_F32, segments * k * n, rng);
  struct map bias = map_new(DTYPE_F32, n, rng);
  struct rows rows = {.segments = segments, .k = k, .stride = stride};
  for (size_t s = 0; s < segments; s++) rows.base[s] = map_from(&a, s * segment);
  map_set(&value, rng_below(rng, (uint32_t)(m * n)), NAN); // no gradient goes through it, as in relu_gradient
  void *scratch = NULL;
  assert_int_equal(mem_aligned(&scratch, 1, kernels->transposed_scratch(m, n, segments * k), "scratch", NULL), OK);
  kernels->weights_gradient(m, n, &rows, relu ? value.elements : NULL, gradient.elements, sum.elements, bias.elements,
                            scratch);
  for (size_t i = 0; i < m * n; i++) {
    if (relu && !(value.floats[i] > 0)) gradient.floats[i] = 0;
    assert_true(map_at(&gradient, i) == gradient.floats[i]);
  }
  assert_gradients(kernels, m, n, &rows, &a, segment, &gradient, n, &sum, &bias);
  free(scratch);
  map_free(&a), map_free(&value), map_free(&gradient), map_free(&sum), map_free(&bias);
}

static double tap(const struct map rows[4], size_t w, size_t c, size_t row, long x, size_t at)
{
  return x < 0 || x >= (long)w ? 0 : rows[row].floats[(size_t)x * c + at];
}

static void check_depthwise(const struct kernels *kernels, struct rng *rng)
{
  size_t w = 1 + rng_below(rng, 30), c = 1 + rng_below(rng, 70);
  struct map rows[4], out[2], gradients[2];
  struct map kernel = map_new(DTYPE_F32, 9 * c, rng), sum = map_new(DTYPE_F32, 9 * c, rng);
  for (int i = 0; i < 4; i++) rows[i] = map_new(kernels->dtype, w * c, rng);
  for (int i = 0; i < 2; i++) out[i] = map_new(kernels->dtype, w * c, NULL);
  for (int i = 0; i < 2; i++) gradients[i] = map_new(kernels->dtype, w * c, rng);
  const void *inputs[4] = {rows[0].elements, rows[1].elements, rows[2].elements, rows[3].elements};
  void *packed = NULL;
  assert_int_equal(mem_aligned(&packed, 1, kernels->depthwise_bytes(c), "packed", NULL), OK);
  kernels->depthwise_pack(c, kernel.floats, packed);
  kernels->depthwise(w, c, inputs, packed, (void *[2]){out[0].elements, out[1].elements});
  kernels->depthwise_weights(w, c, inputs, (const void *[2]){gradients[0].elements, gradients[1].elements},
                             sum.elements);
  for (size_t at = 0; at < c; at++) {
    for (size_t x = 0; x < 2 * w; x++) { // both rows
      double expected = 0;
      for (size_t i = 0; i < 9; i++)
        expected += rounded(kernels->dtype, kernel.floats[i * c + at]) *
                    tap(rows, w, c, x / w + i / 3, (long)(x % w + i % 3) - 1, at);
      assert_near(kernels, expected, map_at(&out[x / w], x % w * c + at));
    }
    for (size_t i = 0; i < 9; i++) {
      double expected = sum.floats[i * c + at];
      for (size_t x = 0; x < 2 * w; x++)
        expected +=
            gradients[x / w].floats[x % w * c + at] * tap(rows, w, c, x / w + i / 3, (long)(x % w + i % 3) - 1, at);
      assert_near(kernels, expected, map_at(&sum, i * c + at));
    }
  }
  free(packed);
  for (int i = 0; i < 4; i++) map_free(&rows[i]);
  for (int i = 0; i < 2; i++) map_free(&out[i]), map_free(&gradients[i]);
  map_free(&kernel), map_free(&sum);
}

// The place of input i (0..3) of pooling window x, channel `at`, in its row.
static size_t window_place(size_t x, int i, size_t c, size_t at)
{
  return (2 * x + (size_t)i % 2) * c + at;
}

static void check_pool(const struct kernels *kernels, struct rng *rng)
{
  size_t w = 1 + rng_below(rng, 20), c = 1 + rng_below(rng, 70);
  struct map rows[2] = {map_new(kernels->dtype, 2 * w * c, rng), map_new(kernels->dtype, 2 * w * c, rng)};
  struct map pooled = map_new(kernels->dtype, w * c, NULL), gradient = map_new(kernels->dtype, w * c, rng);
  memcpy(rows[1].elements, rows[0].elements, c * dtype_size(kernels->dtype)); // a tie: the first of equal values wins
  memcpy(rows[1].floats, rows[0].floats, c * sizeof(float));
  uint8_t *which = calloc(w * c, 1);
  kernels->pool(w, c, rows[0].elements, rows[1].elements, pooled.elements, which);
  struct map without = map_new(kernels->dtype, w * c, NULL);
  kernels->pool(w, c, rows[0].elements, rows[1].elements, without.elements, NULL);
  assert_memory_equal(without.elements, pooled.elements, w * c * dtype_size(kernels->dtype));
  map_free(&without);
  struct map back[2] = {map_new(kernels->dtype, 2 * w * c, rng), map_new(kernels->dtype, 2 * w * c, rng)};
  kernels->unpool(w, c, gradient.elements, pooled.elements, which, true, back[0].elements, back[1].elements);
  for (size_t x = 0; x < w; x++)
    for (size_t at = 0; at < c; at++) {
      int best = 0;
      for (int i = 1; i < 4; i++)
        if (rows[i / 2].floats[window_place(x, i, c, at)] > rows[best / 2].floats[window_place(x, best, c, at)])
          best = i;
      float value = rows[best / 2].floats[window_place(x, best, c, at)];
      assert_int_equal(which[x * c + at], best);
      assert_true(map_at(&pooled, x * c + at) == value);
      for (int i = 0; i < 4; i++)
        assert_true(map_at(&back[i / 2], window_place(x, i, c, at)) ==
                    (i == best && value > 0 ? gradient.floats[x * c + at] : 0));
    }
  free(which);
  map_free(&pooled), map_free(&gradient);
  for (int i = 0; i < 2; i++) map_free(&rows[i]), map_free(&back[i]);
}

// Against the same sums over an unpooled gradient.
static void check_winners(const struct kernels *kernels, struct rng *rng)
{
  if (kernels->winner_channels == 0) return;
  size_t w = 1 + rng_below(rng, 70), n = 1 + rng_below(rng, WINNER_FILTERS);
  size_t k = kernels->winner_channels * (1 + rng_below(rng, 9));
  struct map gradient = map_new(kernels->dtype, w * n, rng), pooled = map_new(kernels->dtype, w * n, rng);
  struct map a = map_new(kernels->dtype, 4 * w * k, rng), kernel = map_new(DTYPE_F32, k * n, rng);
  struct map sum = map_new(DTYPE_F32, k * n, NULL), bias = map_new(DTYPE_F32, n, rng);
  struct map out = map_new(kernels->dtype, 4 * w * k, NULL), kernel_gradient = map_new(DTYPE_F32, k * n, NULL);
  void *winners = malloc(kernels->winners_bytes(w, n)), *packed = malloc(kernels->winners_packed_bytes(k, n));
  uint8_t *which = calloc(w * n, 1);
  double *product = calloc(4 * w * k, sizeof *product);
  for (size_t i = 0; i < w * n; i++) which[i] = (uint8_t)rng_below(rng, 4);
  kernels->winners_pack(k, n, kernel.floats, packed);
  kernels->winners(w, k, n, gradient.elements, pooled.elements, which, true, winners, bias.elements);
  for (int twice = 0; twice < 2; twice++)
    kernels->winners_transposed(w, k, n, winners, which, a.elements, sum.elements);
  kernels->winners_unpack(k, n, sum.elements, kernel_gradient.elements);
  kernels->winners_product(w, k, n, winners, which, packed, out.elements);
  for (size_t f = 0; f < n; f++) {
    double column = bias.floats[f];
    for (size_t x = 0; x < w; x++) {
      if (pooled.floats[x * n + f] <= 0) continue;
      double value = gradient.floats[x * n + f];
      size_t pixel = which[x * n + f] / 2 * 2 * w + 2 * x + which[x * n + f] % 2;
      column += value;
      for (size_t c = 0; c < k; c++) {
        product[pixel * k + c] += value * rounded(kernels->dtype, kernel.floats[c * n + f]);
        kernel_gradient.floats[c * n + f] += (float)(2 * value * a.floats[pixel * k + c]);
      }
    }
    assert_near(kernels, column, map_at(&bias, f));
  }
  for (size_t i = 0; i < k * n; i++) assert_near(kernels, kernel_gradient.floats[i], map_at(&kernel_gradient, i));
  for (size_t i = 0; i < 4 * w * k; i++) assert_near(kernels, product[i], map_at(&out, i));
  free(winners), free(packed), free(which), free(product);
  map_free(&gradient), map_free(&pooled), map_free(&a), map_free(&kernel);
  map_free(&sum), map_free(&bias), map_free(&out), map_free(&kernel_gradient);
}

static void check_elements(const struct kernels *kernels, struct rng *rng)
{
  size_t n = 1 + rng_below(rng, 100);
  struct map a = map_new(kernels->dtype, n, rng), b = map_new(kernels->dtype, n, rng);
  struct map out = map_new(kernels->dtype, n, NULL);
  uint8_t mask[100];
  float floats[100];
  for (size_t i = 0; i < n; i++) mask[i] = rng_below(rng, 2) ? 255 : 0;
  kernels->add_dropout(n, a.elements, b.elements, mask, 1.5f, out.elements);
  for (size_t i = 0; i < n; i++)
    assert_near(kernels, mask[i] ? 1.5 * ((double)a.floats[i] + b.floats[i]) : 0, map_at(&out, i));
  kernels->add_dropout(n, a.elements, b.elements, NULL, 1, out.elements);
  for (size_t i = 0; i < n; i++) assert_near(kernels, (double)a.floats[i] + b.floats[i], map_at(&out, i));
  kernels->relu_gradient(n, a.elements, b.elements);
  for (size_t i = 0; i < n; i++) assert_true(map_at(&b, i) == (a.floats[i] > 0 ? b.floats[i] : 0));
  kernels->from_u8(n, mask, 1 / 255.0f, out.elements);
  for (size_t i = 0; i < n; i++) assert_near(kernels, mask[i] / 255.0, map_at(&out, i));
  kernels->to_f32(n, a.elements, floats);
  kernels->from_f32(n, floats, out.elements);
  assert_memory_equal(out.elements, a.elements, n * dtype_size(kernels->dtype));
  map_free(&a), map_free(&b), map_free(&out);
}

static void check_add_f32(const struct kernels *kernels, struct rng *rng)
{
  size_t m = 1 + rng_below(rng, 5), n = 1 + rng_below(rng, 100), stride = n + rng_below(rng, 20);
  const bool relu = rng_below(rng, 2);
  struct map before = map_new(kernels->dtype, m * stride, rng), sums = map_new(DTYPE_F32, m * n, rng);
  struct map after = map_new(kernels->dtype, m * stride, NULL);
  const size_t row = rng_below(rng, (uint32_t)m), column = rng_below(rng, (uint32_t)n);
  sums.floats[row * n + column] = NAN; // it must come through a ReLU
  memcpy(after.elements, before.elements, m * stride * dtype_size(kernels->dtype));
  kernels->add_f32(m, n, sums.floats, relu, after.elements, stride);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < stride; j++) {
      const float expected = before.floats[i * stride + j] + (j < n ? sums.floats[i * n + j] : 0);
      const float actual = map_at(&after, i * stride + j);
      if (i == row && j == column)
        assert_true(isnan(actual));
      else
        assert_true(actual == rounded(kernels->dtype, j < n && relu && expected < 0 ? 0 : expected));
    }
  map_free(&before), map_free(&sums), map_free(&after);
}

static void check_dropout_mask(const struct kernels *kernels, struct rng *rng)
{
  size_t n = 1 + rng_below(rng, 400);
  struct rng stream = rng_at(rng_bits(rng), RNG_TEST, rng_bits(rng), rng_bits(rng));
  uint8_t mask[400];
  uint32_t threshold = rng_below(rng, 65536), words[4];
  kernels->dropout_mask(n, stream.key, stream.counter, threshold, mask);
  for (size_t i = 0; i < n; i++) { // element g of a group of 128 has word g / 16 of block g % 16
    uint32_t counter[4] = {(uint32_t)(i / 128 * 16 + i % 16), stream.counter[1], stream.counter[2], stream.counter[3]};
    rng_block(stream.key, counter, words);
    uint32_t word = words[i % 128 / 32] >> (i % 128 / 16 % 2 * 16) & 0xffff;
    assert_int_equal(mask[i] != 0, word >= threshold);
  }
}

static void for_each_table(void (*check)(const struct kernels *, struct rng *))
{
  const struct kernels *tables[8];
  size_t count = kernels_available(tables, 8);
  assert_true(count >= 1);
  for (size_t t = 0; t < count; t++)
    for (uint64_t trial = 0; trial < 60; trial++) {
      struct rng rng = rng_at(1, RNG_TEST, t, trial);
      check(tables[t], &rng);
    }
}

static void test_product(void **state)
{
  (void)state, for_each_table(check_product);
}
static void test_tiles(void **state)
{
  (void)state, for_each_table(check_tiles);
}
static void test_lines(void **state)
{
  (void)state, for_each_table(check_lines);
}
static void test_transposed(void **state)
{
  (void)state, for_each_table(check_transposed);
}
static void test_packing(void **state)
{
  (void)state, for_each_table(check_packing);
}
static void test_conv_weights(void **state)
{
  (void)state, for_each_table(check_conv_weights);
}
static void test_conv_tiles(void **state)
{
  (void)state, for_each_table(check_conv_tiles);
}
static void test_adam(void **state)
{
  (void)state, for_each_table(check_adam);
}
static void test_weights_gradient(void **state)
{
  (void)state, for_each_table(check_weights_gradient);
}
static void test_depthwise(void **state)
{
  (void)state, for_each_table(check_depthwise);
}
static void test_pool(void **state)
{
  (void)state, for_each_table(check_pool);
}
static void test_winners(void **state)
{
  (void)state, for_each_table(check_winners);
}
static void test_elements(void **state)
{
  (void)state, for_each_table(check_elements);
}

static void test_add_f32(void **state)
{
  (void)state, for_each_table(check_add_f32);
}

static void test_dropout_mask(void **state)
{
  (void)state, for_each_table(check_dropout_mask);
}

static void test_selection(void **state)
{
  (void)state;
  assert_string_equal(kernels_select(DTYPE_F32, "generic")->name, "generic");
  assert_null(kernels_select(DTYPE_BF16, "generic"));
  assert_int_equal(kernels_select(DTYPE_F32, NULL)->dtype, DTYPE_F32);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_product),      cmocka_unit_test(test_lines),        cmocka_unit_test(test_tiles),
      cmocka_unit_test(test_transposed),   cmocka_unit_test(test_depthwise),    cmocka_unit_test(test_pool),
      cmocka_unit_test(test_elements),     cmocka_unit_test(test_dropout_mask), cmocka_unit_test(test_winners),
      cmocka_unit_test(test_selection),    cmocka_unit_test(test_packing),      cmocka_unit_test(test_adam),
      cmocka_unit_test(test_conv_weights), cmocka_unit_test(test_conv_tiles),   cmocka_unit_test(test_weights_gradient),
      cmocka_unit_test(test_add_f32),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
