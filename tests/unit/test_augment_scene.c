// Augmentation that knows more than a pixel: backgrounds, shadows, erasing, blur, resolution, JPEG.
#include <stdlib.h>

#include "core/rng.h"
#include "image/augment.h"
#include "image/background.h"
#include "image/codec.h"
#include "image/image.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

// After our headers: it makes a macro of "fail".
#include <cmocka.h>

enum { SIDE = 100, BYTES = SIDE * SIDE * 3 };

static uint8_t *pixel(uint8_t *pixels, int x, int y)
{
  return pixels + (y * SIDE + x) * 3;
}

// A wall that brightens to the right, and before it a hand of skin with an arm from below.
static void draw_hand(uint8_t *pixels)
{
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) {
      bool palm = (x - 50) * (x - 50) + (y - 50) * (y - 50)<20 * 20, arm = y> 50 && x > 42 && x < 58;
      uint8_t *to = pixel(pixels, x, y);
      if (palm || arm)
        to[0] = 190, to[1] = 140, to[2] = 115;
      else
        to[0] = to[1] = to[2] = (uint8_t)(120 + x / 2);
    }
}

static void a_hand_is_told_from_a_wall(void **state)
{
  (void)state;
  static uint8_t source[BYTES];
  uint8_t hand[3 * BACKGROUND_CELLS];
  draw_hand(source);
  assert_true(background_find_hand(source, SIDE, SIDE, hand));
  for (int y = 0; y < BACKGROUND_GRID; y++)
    for (int x = 0; x < BACKGROUND_GRID; x++) {
      double across = (x + 0.5) * SIDE / BACKGROUND_GRID - 50, down = (y + 0.5) * SIDE / BACKGROUND_GRID - 50;
      double from = sqrt(across * across + down * down);
      const uint8_t *cell = hand + 3 * (y * BACKGROUND_GRID + x);
      assert_true(cell[0] == cell[1] && cell[0] == cell[2]);
      if (from < 20) assert_int_equal(cell[0], 255); // no finger goes missing
      if (from > 30 && down < 20) assert_int_equal(cell[0], 0);
    }
}

static void a_guess_that_finds_no_hand_is_not_trusted(void **state)
{
  (void)state;
  static uint8_t source[BYTES];
  uint8_t hand[3 * BACKGROUND_CELLS];
  memset(source, 90, BYTES);
  assert_false(background_find_hand(source, SIDE, SIDE, hand));
  const uint8_t small[2 * 2 * 3] = {0};
  assert_false(background_find_hand(small, 2, 2, hand));
}

static void another_background_leaves_the_hand(void **state)
{
  (void)state;
  static uint8_t source[BYTES], behind[BYTES], out[BYTES], plain[BYTES];
  draw_hand(source);
  memset(behind, 17, BYTES);
  struct augment_parameters p = augment_identity();
  p.background = BACKGROUND_PICTURE;
  p.background_seed = 5;
  augment_apply(&p, source, behind, SIDE, SIDE, out);
  assert_memory_equal(pixel(out, 5, 5), ((const uint8_t[]){17, 17, 17}), 3);
  for (int i = 0; i < 3; i++) assert_true(abs(pixel(out, 50, 45)[i] - pixel(source, 50, 45)[i]) <= 1);
  augment_apply(&p, source, NULL, SIDE, SIDE, out); // no picture: a texture
  p.background = BACKGROUND_TEXTURE;
  augment_apply(&p, source, behind, SIDE, SIDE, plain);
  assert_memory_equal(out, plain, BYTES);
  assert_memory_not_equal(out, source, BYTES);
  p.background_seed = 6;
  augment_apply(&p, source, NULL, SIDE, SIDE, plain);
  assert_memory_not_equal(out, plain, BYTES);
}

static void a_hand_made_smaller_stands_before_the_new_background(void **state)
{
  (void)state;
  static uint8_t source[BYTES], behind[BYTES], out[BYTES];
  draw_hand(source);
  memset(behind, 200, BYTES);
  struct augment_parameters p = augment_identity();
  p.background = BACKGROUND_PICTURE;
  p.zoom = 0.5f;
  augment_apply(&p, source, behind, SIDE, SIDE, out);
  assert_memory_equal(pixel(out, 3, 97), ((const uint8_t[]){200, 200, 200}), 3); // outside of the source
  assert_memory_equal(pixel(out, 65, 40), ((const uint8_t[]){200, 200, 200}), 3);
  assert_true(abs(pixel(out, 50, 48)[2] - 115) <= 1);
}

static void a_shadow_falls_on_one_side(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  memset(source, 200, BYTES);
  struct augment_parameters p = augment_identity();
  p.shadow = 0.5f; // to the right
  p.shadow_soft = 0.1f;
  augment_apply(&p, source, NULL, SIDE, SIDE, out);
  assert_int_equal(pixel(out, 10, 50)[0], 200);
  assert_in_range(pixel(out, 90, 50)[0], 99, 101);
  for (int x = 1; x < SIDE; x++) assert_true(pixel(out, x, 20)[1] <= pixel(out, x - 1, 20)[1]);
  p.shadow_angle = 90; // down
  augment_apply(&p, source, NULL, SIDE, SIDE, out);
  assert_int_equal(pixel(out, 90, 10)[0], 200);
  assert_in_range(pixel(out, 10, 90)[0], 99, 101);
}

static void erasing_covers_its_rectangle_alone(void **state)
{
  (void)state;
  const uint8_t patch[3] = {10, 20, 30};
  static uint8_t source[BYTES], out[BYTES];
  draw_hand(source);
  struct augment_parameters p = augment_identity();
  p.erase = 1;
  p.erase_x = 0.2f, p.erase_y = 0.5f, p.erase_width = 0.3f, p.erase_height = 0.25f;
  p.erase_colour = 0x0A141E;
  augment_apply(&p, source, NULL, SIDE, SIDE, out);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) {
      bool inside = x >= 20 && x < 50 && y >= 50 && y < 75;
      assert_memory_equal(pixel(out, x, y), inside ? patch : pixel(source, x, y), 3);
    }
}

static double mean(const uint8_t *pixels)
{
  double sum = 0;
  for (int i = 0; i < BYTES; i++) sum += pixels[i];
  return sum / BYTES;
}

// The spread of a dot of light along x and along y, and x against y.
static void spread(const uint8_t *pixels, double moments[3])
{
  double sum = 0;
  memset(moments, 0, 3 * sizeof *moments);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) {
      double light = pixels[(y * SIDE + x) * 3];
      sum += light;
      moments[0] += light * (x - 49) * (x - 49), moments[1] += light * (y - 49) * (y - 49);
      moments[2] += light * (x - 49) * (y - 49);
    }
  for (int i = 0; i < 3; i++) moments[i] /= sum;
}

static void blur_and_motion_spread_a_dot(void **state)
{
  (void)state;
  static uint8_t flat[BYTES], dot[BYTES], out[BYTES];
  double point[3], moments[3];
  memset(flat, 77, BYTES);
  for (int y = 46; y <= 52; y++)
    for (int x = 46; x <= 52; x++) memset(pixel(dot, x, y), 255, 3); // 7 by 7, so that rounding counts little
  spread(dot, point);
  struct augment_parameters p = augment_identity();
  p.blur = 2;
  augment_apply(&p, flat, NULL, SIDE, SIDE, out);
  assert_memory_equal(out, flat, BYTES);
  augment_apply(&p, dot, NULL, SIDE, SIDE, out);
  spread(out, moments);
  assert_true(fabs(moments[0] - point[0] - 4) < 0.4 && fabs(moments[1] - point[1] - 4) < 0.4);
  assert_true(fabs(mean(out) - mean(dot)) < 0.1);
  p = augment_identity();
  p.motion = 9;
  for (p.motion_direction = 0; p.motion_direction < 4; p.motion_direction++) {
    augment_apply(&p, flat, NULL, SIDE, SIDE, out);
    assert_memory_equal(out, flat, BYTES);
    augment_apply(&p, dot, NULL, SIDE, SIDE, out);
    spread(out, moments);
    static const double share[4][3] = {{1, 0, 0}, {0, 1, 0}, {0.5, 0.5, 0.5}, {0.5, 0.5, -0.5}};
    for (int i = 0; i < 3; i++) {
      double more = moments[i] - (i < 2 ? point[i] : 0);
      assert_true(fabs(more - share[p.motion_direction][i] * 81 / 12) < 0.6);
    }
  }
}

static void resolution_takes_detail_and_nothing_else(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  struct augment_parameters p = augment_identity();
  p.resolution = 0.5f;
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) memset(pixel(source, x, y), x * 2, 3);
  augment_apply(&p, source, NULL, SIDE, SIDE, out);
  for (int i = 3; i < BYTES - 3; i++) assert_true(abs(out[i] - source[i]) <= 2); // a slope stays
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) memset(pixel(source, x, y), (x + y) % 2 * 255, 3);
  augment_apply(&p, source, NULL, SIDE, SIDE, out);
  for (int i = 0; i < BYTES; i++) assert_in_range(out[i], 120, 136); // a chequer goes
}

// Mean differences from the source, and from each other, of our losses and TurboJPEG's.
static void jpeg_loses_what_jpeg_loses(void **state)
{
  (void)state;
  struct image image = {0}, decoded = {0};
  static uint8_t out[BYTES];
  struct decoder *decoder = NULL;
  struct error error;
  enum image_format format;
  assert_int_equal(image_init(&image, SIDE, SIDE, &error), OK);
  assert_int_equal(decoder_new(&decoder, &error), OK);
  draw_hand(image.pixels);
  struct rng rng = rng_at(1, RNG_TEST, 3, 3);
  for (int i = 0; i < BYTES; i++) image.pixels[i] = (uint8_t)(image.pixels[i] + (int)rng_below(&rng, 21) - 10);
  for (int quality = 20; quality <= 80; quality += 30) {
    uint8_t *bytes = NULL;
    size_t size = 0;
    assert_int_equal(encode_jpeg(&image, quality, &bytes, &size, &error), OK);
    assert_int_equal(decode(decoder, bytes, size, &decoded, &format, &error), OK);
    free(bytes);
    struct augment_parameters p = augment_identity();
    p.jpeg = quality;
    augment_apply(&p, image.pixels, NULL, SIDE, SIDE, out);
    double ours = 0, theirs = 0, apart = 0;
    for (int i = 0; i < BYTES; i++) {
      ours += abs(out[i] - image.pixels[i]), theirs += abs(decoded.pixels[i] - image.pixels[i]);
      apart += abs(out[i] - decoded.pixels[i]);
    }
    print_message("quality %d: %.2f levels lost, libjpeg %.2f, apart %.2f\n", quality, ours / BYTES, theirs / BYTES,
                  apart / BYTES);
    assert_true(fabs(ours / theirs - 1) < 0.1);
    assert_true(apart < 0.5 * ours);
  }
  decoder_free(decoder);
  image_release(&decoded);
  image_release(&image);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hand_is_told_from_a_wall),
      cmocka_unit_test(a_guess_that_finds_no_hand_is_not_trusted),
      cmocka_unit_test(another_background_leaves_the_hand),
      cmocka_unit_test(a_hand_made_smaller_stands_before_the_new_background),
      cmocka_unit_test(a_shadow_falls_on_one_side),
      cmocka_unit_test(erasing_covers_its_rectangle_alone),
      cmocka_unit_test(blur_and_motion_spread_a_dot),
      cmocka_unit_test(resolution_takes_detail_and_nothing_else),
      cmocka_unit_test(jpeg_loses_what_jpeg_loses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
