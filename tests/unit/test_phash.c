// Perceptual measures against values worked out by hand.
#include "image/phash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

// After our headers: it makes a macro of "fail".
#include <cmocka.h>

static struct image grey(int width, int height, int (*level)(int x, int y))
{
  struct image image;
  assert_int_equal(image_init(&image, width, height, NULL), OK);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) memset(image.pixels + (y * width + x) * 3, level(x, y), 3);
  return image;
}

static struct image_measures measured(struct image image)
{
  struct image_measures out;
  assert_int_equal(image_measure(&image, &out, NULL), OK);
  image_release(&image);
  return out;
}

static int flat(int x, int y)
{
  return 0 * x * y + 90;
}
static int rising(int x, int y)
{
  return 2 * x + 0 * y;
}
static int falling(int x, int y)
{
  return 200 - 2 * x + 0 * y;
}
static int checks(int x, int y)
{
  return (x + y) % 2 ? 200 : 100;
}
static int one_step(int x, int y)
{
  return x >= 40 && y < 10 ? 200 : 100;
} // in row 0 between cells 3 and 4
static int one_step_brighter(int x, int y)
{
  return one_step(x, y) + 30;
}

static void hash_holds_the_gradients(void **state)
{
  (void)state;
  assert_true(measured(grey(90, 80, flat)).dhash == 0);
  assert_true(measured(grey(90, 80, rising)).dhash == UINT64_MAX);
  assert_true(measured(grey(90, 80, falling)).dhash == 0);
  assert_true(measured(grey(90, 80, one_step)).dhash == (uint64_t)1 << (63 - 3));
  assert_true(measured(grey(90, 80, one_step_brighter)).dhash == (uint64_t)1 << (63 - 3));
  assert_true(measured(grey(97, 83, rising)).dhash == UINT64_MAX); // no multiple of nine
}

static void brightness_is_the_mean(void **state)
{
  (void)state;
  assert_float_equal(measured(grey(31, 17, flat)).brightness, 90, 0);
  assert_float_equal(measured(grey(32, 16, checks)).brightness, 150, 0);
}

static void sharpness_is_the_variance_of_the_laplacian(void **state)
{
  (void)state;
  assert_float_equal(measured(grey(50, 50, flat)).sharpness, 0, 0);
  assert_float_equal(measured(grey(50, 50, rising)).sharpness, 0, 0);
  assert_float_equal(measured(grey(50, 50, checks)).sharpness, 400 * 400, 0); // +400 and -400, equally often
}

static void tiny_images_have_measures(void **state)
{
  (void)state;
  for (int side = 1; side <= 3; side++) {
    struct image_measures m = measured(grey(side, side, flat));
    assert_float_equal(m.brightness, 90, 0);
    assert_float_equal(m.sharpness, 0, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hash_holds_the_gradients),
      cmocka_unit_test(brightness_is_the_mean),
      cmocka_unit_test(sharpness_is_the_variance_of_the_laplacian),
      cmocka_unit_test(tiny_images_have_measures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
