// Resizing: each fit keeps what it says it keeps, each filter does what its name says.
#include "core/rng.h"
#include "image/opencv.h"
#include "image/pixels.h"
#include "image/resize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

// After our headers: it makes a macro of "fail".
#include <cmocka.h>

static uint8_t *pixel(const struct image *image, int x, int y)
{
  return image->pixels + ((size_t)y * (size_t)image->width + (size_t)x) * 3;
}

// Three vertical bands: 10, 100, 200.
static struct image bands(int width, int height)
{
  struct image image;
  assert_int_equal(image_init(&image, width, height, NULL), OK);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) memset(pixel(&image, x, y), x < width / 3 ? 10 : x < width * 2 / 3 ? 100 : 200, 3);
  return image;
}

static struct image resized(const struct image *source, int size, enum resize_fit fit, enum resize_filter filter)
{
  struct image out = {0};
  assert_int_equal(resize_image(source, size, fit, filter, &out, NULL), OK);
  assert_int_equal(out.width, size);
  assert_int_equal(out.height, size);
  return out;
}

static void area_averages(void **state)
{
  (void)state;
  struct image source;
  assert_int_equal(image_init(&source, 4, 4, NULL), OK);
  for (int i = 0; i < 16; i++) memset(source.pixels + 3 * i, i * 16, 3);
  struct image out = resized(&source, 2, FIT_STRETCH, FILTER_AREA);
  assert_int_equal(*pixel(&out, 0, 0), (0 + 16 + 64 + 80) / 4);
  assert_int_equal(*pixel(&out, 1, 1), (160 + 176 + 224 + 240) / 4);
  image_release(&out);
  image_release(&source);
}

static void area_upwards_is_linear(void **state)
{
  (void)state;
  struct image source = bands(9, 5);
  struct image area = resized(&source, 16, FIT_STRETCH, FILTER_AREA);
  struct image linear = resized(&source, 16, FIT_STRETCH, FILTER_LINEAR);
  assert_memory_equal(area.pixels, linear.pixels, 16 * 16 * 3);
  image_release(&area);
  image_release(&linear);
  image_release(&source);
}

static void fits_differ(void **state)
{
  (void)state;
  struct image wide = bands(90, 30);
  struct image stretched = resized(&wide, 30, FIT_STRETCH, FILTER_AREA);
  assert_int_equal(*pixel(&stretched, 0, 15), 10);
  assert_int_equal(*pixel(&stretched, 29, 15), 200);
  struct image boxed = resized(&wide, 30, FIT_LETTERBOX, FILTER_AREA);
  assert_int_equal(*pixel(&boxed, 0, 9), RESIZE_GREY);
  assert_int_equal(*pixel(&boxed, 0, 10), 10);
  assert_int_equal(*pixel(&boxed, 29, 19), 200);
  assert_int_equal(*pixel(&boxed, 29, 20), RESIZE_GREY);
  struct image cropped = resized(&wide, 30, FIT_CENTER_CROP, FILTER_AREA);
  assert_int_equal(*pixel(&cropped, 0, 0), 100);
  assert_int_equal(*pixel(&cropped, 29, 29), 100);
  image_release(&stretched);
  image_release(&boxed);
  image_release(&cropped);
  image_release(&wide);
}

static void flat_stays_flat_with_every_filter(void **state)
{
  (void)state;
  struct image flat;
  assert_int_equal(image_init(&flat, 50, 31, NULL), OK);
  memset(flat.pixels, 77, 50 * 31 * 3);
  for (int filter = FILTER_AREA; filter <= FILTER_NEAREST; filter++) {
    for (int size = 1; size <= 100; size += 33) {
      struct image out = resized(&flat, size, FIT_STRETCH, (enum resize_filter)filter);
      for (int i = 0; i < size * size * 3; i++) assert_int_equal(out.pixels[i], 77);
      image_release(&out);
    }
  }
  image_release(&flat);
}

static void extreme_shapes_work(void **state)
{
  (void)state;
  struct image line = bands(3000, 1);
  for (int fit = FIT_STRETCH; fit <= FIT_CENTER_CROP; fit++) {
    struct image out = resized(&line, 8, (enum resize_fit)fit, FILTER_AREA);
    image_release(&out);
  }
  struct error error;
  struct image out = {0};
  assert_int_equal(resize_image(&line, 0, FIT_STRETCH, FILTER_AREA, &out, &error), BAD_DATA);
  assert_int_equal(resize_image(&line, 5000, FIT_STRETCH, FILTER_AREA, &out, &error), BAD_DATA);
  assert_string_equal(error.text, "cannot resize to 5000 pixels: 1 to 4096 are allowed");
  image_release(&line);
}

// OpenCV's own area and linear filters are the judges of ours.
static void area_and_linear_are_opencvs(void **state)
{
  (void)state;
  static const int shapes[][3] = {{224, 224, 100}, {200, 200, 100}, {112, 112, 100}, {101, 67, 50},  {640, 480, 100},
                                  {1000, 3, 2},    {57, 300, 57},   {64, 64, 100},   {7, 9, 31},     {300, 120, 1},
                                  {1, 1, 5},       {2, 3, 2},       {21, 40, 21},    {200, 200, 224}};
  struct rng rng = rng_at(1, RNG_TEST, 7, 8);
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    int width = shapes[i][0], height = shapes[i][1], size = shapes[i][2];
    struct image source, judge;
    assert_int_equal(image_init(&source, width, height, NULL), OK);
    assert_int_equal(image_init(&judge, size, size, NULL), OK);
    for (size_t b = 0; b < (size_t)width * (size_t)height * 3; b++) source.pixels[b] = (uint8_t)rng_bits(&rng);
    for (int filter = FILTER_AREA; filter <= FILTER_LINEAR; filter++) {
      if (filter == FILTER_AREA && (size > width || size > height)) continue;
      struct opencv_pixels from = {source.pixels, width, height, (size_t)width * 3};
      struct opencv_pixels to = {judge.pixels, size, size, (size_t)size * 3};
      assert_int_equal(opencv_resize(&from, &to, (enum resize_filter)filter, NULL), OK);
      struct image ours = resized(&source, size, FIT_STRETCH, (enum resize_filter)filter);
      for (int b = 0; b < size * size * 3; b++)
        if (abs(ours.pixels[b] - judge.pixels[b]) > 1)
          fail_msg("%dx%d to %d, filter %d, byte %d: %d, OpenCV has %d", width, height, size, filter, b, ours.pixels[b],
                   judge.pixels[b]);
      image_release(&ours);
    }
    image_release(&judge);
    image_release(&source);
  }
}

static void every_instruction_set_mixes_alike(void **state)
{
  (void)state;
  enum { PIXELS = 71, ROWS = 6, OUTPUTS = 29, TAPS_LIMIT = 5 };
  static uint8_t source[ROWS][3 * PIXELS];
  static uint16_t rows[8][3 * PIXELS + MIX_BEYOND], weights[OUTPUTS * (TAPS_LIMIT + 1)];
  int32_t first[OUTPUTS];
  uint8_t out[8][2 * (3 * OUTPUTS + 1)];
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  struct rng rng = rng_at(1, RNG_TEST, 9, 10);
  for (int y = 0; y < ROWS; y++)
    for (int i = 0; i < 3 * PIXELS; i++) source[y][i] = (uint8_t)rng_bits(&rng);
  for (int trial = 0; trial < 2 * TAPS_LIMIT; trial++) {
    int taps = 1 + trial / 2;
    bool ordered = trial % 2;
    int pitch = taps + taps % 2;
    memset(weights, 0, sizeof weights);
    for (int o = 0; o < OUTPUTS; o++) {
      uint32_t left = MIX_UNIT;
      // In order, as a resize has them, at several scales; or anywhere.
      int last = PIXELS - taps, near = o * (taps - 1) * 3 / 4;
      first[o] = ordered ? (near < last ? near : last) : (int32_t)rng_below(&rng, (uint32_t)(last + 1));
      for (int t = 0; t < taps; t++) {
        uint32_t weight = t < taps - 1 ? rng_below(&rng, left + 1) : left;
        weights[o * pitch + t] = (uint16_t)weight;
        left -= weight;
      }
    }
    struct mix mix = {OUTPUTS, taps, pitch, first, weights};
    for (size_t n = 1; n <= sizeof source[0]; n += 53) {
      for (size_t k = 0; k < tables; k++) {
        kernels[k]->mix_rows(source[0], sizeof source[0], weights, taps, n, rows[k]);
        assert_memory_equal(rows[0], rows[k], n * sizeof rows[0][0]);
      }
    }
    for (size_t k = 0; k < tables; k++) {
      kernels[k]->mix_rows(source[0], sizeof source[0], weights, taps, sizeof source[0], rows[k]);
      memset(out[k], 0xA5, sizeof out[k]);
      kernels[k]->mix_columns(rows[k], 0, 2, &mix, sizeof out[k] / 2, out[k]); // twice the same line
      assert_memory_equal(out[0], out[k], sizeof out[0]);
      assert_memory_equal(out[k], out[k] + sizeof out[k] / 2, sizeof out[k] / 2);
      assert_int_equal(out[k][3 * OUTPUTS], 0xA5);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(area_averages),
      cmocka_unit_test(area_upwards_is_linear),
      cmocka_unit_test(fits_differ),
      cmocka_unit_test(flat_stays_flat_with_every_filter),
      cmocka_unit_test(extreme_shapes_work),
      cmocka_unit_test(area_and_linear_are_opencvs),
      cmocka_unit_test(every_instruction_set_mixes_alike),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
