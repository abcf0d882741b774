// The fast way through plain JPEG files, judged by TurboJPEG: the same pixels to the bit, or no answer.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

#include "core/rng.h"
#include "image/jpeg_baseline.h"
#include "image/pixels.h"

#include "check.h"

enum { SIDE_LIMIT = 80, FLAGS = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING };

struct file {
  uint8_t *bytes;
  unsigned long size;
};

// Smooth with edges and noise, so that blocks of every kind occur.
static void draw(struct rng *rng, int width, int height, uint8_t *pixels)
{
  int grain = (int)rng_below(rng, 60) + 1, edge = (int)rng_below(rng, 200) + 1, slope = (int)rng_below(rng, 9);
  for (int i = 0; i < width * height * 3; i++) {
    int x = i / 3 % width, y = i / 3 / width, level = slope * x + 3 * y + (x * y % edge > edge / 2 ? 120 : 0);
    pixels[i] = (uint8_t)(level + (y > height / 2 ? (int)rng_below(rng, (uint32_t)grain) : 0));
  }
}

static struct file encode(struct rng *rng, int width, int height, int sampling, int quality, int flags)
{
  static uint8_t pixels[SIDE_LIMIT * SIDE_LIMIT * 3];
  struct file file = {0};
  draw(rng, width, height, pixels);
  tjhandle handle = tjInitCompress();
  assert_int_equal(tjCompress2(handle, pixels, width, 0, height, TJPF_RGB, &file.bytes, &file.size, sampling, quality,
                               flags | TJFLAG_ACCURATEDCT),
                   0);
  tjDestroy(handle);
  return file;
}

static bool turbo(const struct file *file, int width, int height, uint8_t *out)
{
  tjhandle handle = tjInitDecompress();
  bool good = !tjDecompress2(handle, file->bytes, file->size, out, width, 0, height, TJPF_RGB, FLAGS);
  tjDestroy(handle);
  return good;
}

// True where the fast way answered.
static bool assert_same(struct jpeg_baseline *decoder, const struct file *file, int width, int height, int reduction)
{
  static uint8_t ours[SIDE_LIMIT * SIDE_LIMIT * 3 + 1], judge[SIDE_LIMIT * SIDE_LIMIT * 3];
  size_t bytes = (size_t)(width / reduction) * (size_t)(height / reduction) * 3;
  ours[bytes] = 0xA5;
  bool answered = jpeg_baseline_decode(decoder, file->bytes, file->size, width, height, reduction, ours);
  assert_int_equal(ours[bytes], 0xA5);
  if (!answered) return false;
  assert_true(turbo(file, width / reduction, height / reduction, judge));
  assert_memory_equal(ours, judge, bytes);
  return true;
}

static void plain_files_are_turbojpegs_to_the_bit(void **state)
{
  (void)state;
  static const int samplings[] = {TJSAMP_420, TJSAMP_444, TJSAMP_GRAY}, qualities[] = {1, 20, 50, 75, 95, 100};
  struct jpeg_baseline *decoder = jpeg_baseline_new();
  struct rng rng = rng_at(1, RNG_TEST, 11, 1);
  for (int trial = 0; trial < 180; trial++) {
    int width = 8 + (int)rng_below(&rng, SIDE_LIMIT - 8), height = 8 + (int)rng_below(&rng, SIDE_LIMIT - 8);
    int reduction = 1 + trial % 2;
    width -= width % reduction, height -= height % reduction;
    struct file file = encode(&rng, width, height, samplings[trial / 2 % 3], qualities[trial / 6 % 6], 0);
    assert_true(assert_same(decoder, &file, width, height, reduction));
    tjFree(file.bytes);
  }
  jpeg_baseline_free(decoder);
}

static void the_rest_is_left_to_turbojpeg(void **state)
{
  (void)state;
  static const struct {
    int sampling, flags, reduction;
  } files[] = {{TJSAMP_422, 0, 1},
               {TJSAMP_440, 0, 1},
               {TJSAMP_411, 0, 1},
               {TJSAMP_420, TJFLAG_PROGRESSIVE, 1},
               {TJSAMP_420, 0, 4}};
  uint8_t out[64 * 64 * 3];
  struct jpeg_baseline *decoder = jpeg_baseline_new();
  struct rng rng = rng_at(1, RNG_TEST, 11, 2);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    struct file file = encode(&rng, 64, 64, files[i].sampling, 80, files[i].flags);
    assert_false(jpeg_baseline_decode(decoder, file.bytes, file.size, 64, 64, files[i].reduction, out));
    tjFree(file.bytes);
  }
  struct file file = encode(&rng, 64, 64, TJSAMP_420, 80, 0);
  assert_true(jpeg_baseline_decode(decoder, file.bytes, file.size, 64, 64, 1, out));
  assert_false(
      jpeg_baseline_decode(decoder, file.bytes, file.size, 64, 56, 1, out)); // another frame than was asked for
  for (unsigned long size = 0; size < file.size; size++)
    assert_false(jpeg_baseline_decode(decoder, file.bytes, size, 64, 64, 1, out));
  tjFree(file.bytes);
  jpeg_baseline_free(decoder);
}

// A damaged file may be answered only where TurboJPEG answers too, and alike.
static void damaged_files_are_turbojpegs_too(void **state)
{
  (void)state;
  struct jpeg_baseline *decoder = jpeg_baseline_new();
  struct rng rng = rng_at(1, RNG_TEST, 11, 3);
  int answered = 0;
  for (int trial = 0; trial < 4000; trial++) {
    static struct file file;
    if (trial % 100 == 0) {
      tjFree(file.bytes);
      file = encode(&rng, 48, 40, trial % 300 ? TJSAMP_420 : TJSAMP_444, 30 + trial / 80, 0);
    }
    struct file damaged = {malloc(file.size), file.size};
    assert_non_null(damaged.bytes);
    memcpy(damaged.bytes, file.bytes, file.size);
    for (uint32_t n = rng_below(&rng, 3) + 1; n > 0; n--) {
      uint32_t at = rng_below(&rng, (uint32_t)file.size);
      damaged.bytes[at] = trial % 3 ? (uint8_t)(damaged.bytes[at] ^ 1U << rng_below(&rng, 8)) : (uint8_t)rng_bits(&rng);
    }
    answered += assert_same(decoder, &damaged, 48, 40, 1 + trial % 2);
    free(damaged.bytes);
    if (trial == 3999) tjFree(file.bytes);
  }
  assert_in_range(answered, 400, 3600);
  jpeg_baseline_free(decoder);
}

// Coefficients that no encoder writes, too: all tables wrap and saturate alike.
static void every_instruction_set_transforms_alike(void **state)
{
  (void)state;
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  struct rng rng = rng_at(1, RNG_TEST, 11, 4);
  for (int trial = 0; trial < 3000; trial++) {
    int16_t drawn[64];
    uint16_t steps[64];
    uint8_t out[2][8 * 11];
    for (int i = 0; i < 64; i++) {
      int range = trial % 3 == 0 ? 65536 : trial % 3 == 1 ? 2048 : 64;
      drawn[i] = rng_below(&rng, 4) ? 0 : (int16_t)((int)rng_below(&rng, (uint32_t)range) - range / 2);
      steps[i] = (uint16_t)(rng_below(&rng, 255) + 1);
    }
    for (size_t k = 0; k < tables; k++)
      for (int half = 0; half < 2; half++) {
        int16_t coefficients[64], none[64] = {0};
        memcpy(coefficients, drawn, sizeof drawn);
        memset(out[k > 0], 0xA5, sizeof *out);
        (half ? kernels[k]->jpeg_block_half : kernels[k]->jpeg_block)(coefficients, steps, 11, out[k > 0]);
        assert_memory_equal(coefficients, none, sizeof none);
        static uint8_t first[2][8 * 11];
        if (k == 0) memcpy(first[half], out[0], sizeof *out);
        assert_memory_equal(first[half], out[k > 0], sizeof *out);
      }
  }
}

static void every_instruction_set_has_the_same_colours(void **state)
{
  (void)state;
  enum { LIMIT = 150 };
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  struct rng rng = rng_at(1, RNG_TEST, 11, 5);
  uint8_t planes[3][LIMIT], out[2][6 * LIMIT + 1];
  for (size_t count = 1; count <= LIMIT; count++) {
    for (int c = 0; c < 3; c++)
      for (size_t i = 0; i < count; i++) planes[c][i] = (uint8_t)rng_bits(&rng);
    for (size_t k = 0; k < tables; k++) {
      memset(out[k > 0], 0xA5, sizeof *out);
      kernels[k]->jpeg_colours(planes[0], planes[1], planes[2], count, out[k > 0]);
      assert_int_equal(out[k > 0][3 * count], 0xA5);
      if (k) assert_memory_equal(out[0], out[1], sizeof *out);
    }
    for (size_t k = 0; k < tables; k++) {
      memset(out[k > 0], 0xA5, sizeof *out);
      kernels[k]->jpeg_widen(planes[0], planes[1], count, out[k > 0]);
      assert_int_equal(out[k > 0][2 * count], 0xA5);
      if (k) assert_memory_equal(out[0], out[1], sizeof *out);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(plain_files_are_turbojpegs_to_the_bit),
      cmocka_unit_test(the_rest_is_left_to_turbojpeg),
      cmocka_unit_test(damaged_files_are_turbojpegs_too),
      cmocka_unit_test(every_instruction_set_transforms_alike),
      cmocka_unit_test(every_instruction_set_has_the_same_colours),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
