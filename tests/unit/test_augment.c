// Augmentation: off means identical, draws are independent of each other, what is recorded replays to the
// same pixels.
#include "core/rng.h"
#include "image/augment.h"
#include "image/augment_parts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

// After our headers: it makes a macro of "fail".
#include <cmocka.h>

enum { SIDE = 100, BYTES = SIDE * SIDE * 3 };

static const struct augment_recipe everything = {.rotate = 15,
                                                 .translate = 0.1f,
                                                 .zoom = 0.2f,
                                                 .shear = 10,
                                                 .brightness = 0.3f,
                                                 .contrast = 0.3f,
                                                 .saturation = 0.5f,
                                                 .noise = 12,
                                                 .flip = 0.5f};

static void fill(uint8_t *pixels, size_t bytes)
{
  struct rng rng = rng_at(1, RNG_TEST, 2, 3);
  for (size_t i = 0; i < bytes; i++) pixels[i] = (uint8_t)rng_bits(&rng);
}

static void an_empty_recipe_changes_nothing(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  fill(source, BYTES);
  struct augment_recipe off = {0};
  assert_true(augment_recipe_is_off(&off));
  assert_false(augment_recipe_is_off(&everything));
  struct augment_parameters drawn = augment_draw(&off, 7, 8, 9), identity = augment_identity();
  identity.noise_seed = drawn.noise_seed;
  assert_memory_equal(&drawn, &identity, offsetof(struct augment_parameters, flip) + sizeof(int));
  augment_apply(&drawn, source, SIDE, SIDE, out);
  assert_memory_equal(source, out, BYTES);
}

static void identity_through_the_sampler_changes_nothing(void **state)
{
  (void)state;
  static uint8_t source[BYTES], once[BYTES], twice[BYTES];
  fill(source, BYTES);
  struct augment_parameters flip = augment_identity();
  flip.flip = 1;
  augment_apply(&flip, source, SIDE, SIDE, once);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      assert_memory_equal(once + (y * SIDE + x) * 3, source + (y * SIDE + SIDE - 1 - x) * 3, 3);
  augment_apply(&flip, once, SIDE, SIDE, twice);
  assert_memory_equal(source, twice, BYTES);
}

static void json_replays_to_the_same_pixels(void **state)
{
  (void)state;
  static uint8_t source[BYTES], first[BYTES], again[BYTES];
  fill(source, BYTES);
  for (uint64_t image = 0; image < 50; image++) {
    struct augment_parameters drawn = augment_draw(&everything, 42, image, 1), replayed;
    char text[AUGMENT_JSON_LIMIT];
    augment_to_json(&drawn, text);
    struct error error;
    if (augment_from_json(&replayed, text, &error)) fail_msg("%s", error.text);
    augment_apply(&drawn, source, SIDE, SIDE, first);
    augment_apply(&replayed, source, SIDE, SIDE, again);
    assert_memory_equal(first, again, BYTES);
    assert_memory_not_equal(first, source, BYTES);
  }
}

static void wrong_json_is_refused(void **state)
{
  (void)state;
  struct augment_parameters parameters = augment_identity();
  char good[AUGMENT_JSON_LIMIT];
  augment_to_json(&parameters, good);
  struct error error;
  assert_int_equal(augment_from_json(&parameters, good, &error), OK);
  assert_int_equal(augment_from_json(&parameters, "", &error), BAD_DATA);
  assert_int_equal(augment_from_json(&parameters, "[]", &error), BAD_DATA);
  assert_int_equal(augment_from_json(&parameters, "{\"rotate\":1}", &error), BAD_DATA);
  char *zoom = strstr(good, "\"zoom\":1");
  assert_non_null(zoom);
  zoom[7] = '0'; // would divide by zero
  assert_int_equal(augment_from_json(&parameters, good, &error), BAD_DATA);
}

static void one_operation_does_not_move_another(void **state)
{
  (void)state;
  struct augment_recipe rotate = {.rotate = 15};
  for (uint64_t image = 0; image < 20; image++) {
    struct augment_parameters alone = augment_draw(&rotate, 3, image, 4),
                              among = augment_draw(&everything, 3, image, 4);
    assert_true(alone.rotate == among.rotate);
    assert_true(alone.noise_seed == among.noise_seed);
    assert_true(alone.rotate != augment_draw(&rotate, 3, image, 5).rotate);
    assert_true(alone.rotate >= -15 && alone.rotate < 15);
  }
}

static void a_shift_by_whole_pixels_shifts(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  fill(source, BYTES);
  struct augment_parameters shift = augment_identity();
  shift.translate_x = 0.1f;  // ten pixels to the right
  shift.translate_y = -0.2f; // twenty up
  augment_apply(&shift, source, SIDE, SIDE, out);
  for (int y = 0; y < SIDE - 20; y++)
    for (int x = 10; x < SIDE; x++)
      assert_memory_equal(out + (y * SIDE + x) * 3, source + ((y + 20) * SIDE + x - 10) * 3, 3);
  for (int x = 0; x < 10; x++) // mirrored at the left edge
    assert_memory_equal(out + x * 3, source + (20 * SIDE + 9 - x) * 3, 3);
}

static void positive_rotation_is_counter_clockwise(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  memset(source, 0, BYTES);
  memset(source + (50 * SIDE + 90) * 3 - 9, 255, 21); // a dot to the right of the centre
  struct augment_parameters turn = augment_identity();
  turn.rotate = 30;
  augment_apply(&turn, source, SIDE, SIDE, out);
  long sum = 0, weighted = 0;
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++) sum += out[(y * SIDE + x) * 3], weighted += y * (long)out[(y * SIDE + x) * 3];
  assert_in_range(weighted / sum, 28, 32); // went up: 50 - 40 sin 30
}

static void colour_factors_do_what_they_say(void **state)
{
  (void)state;
  const uint8_t source[6] = {100, 50, 200, 10, 20, 30};
  uint8_t out[6];
  struct augment_parameters p = augment_identity();
  p.brightness = 1.5f;
  augment_apply(&p, source, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){150, 75, 255, 15, 30, 45}), 6);
  p = augment_identity();
  p.contrast = 0.5f; // halfway to 127.5
  augment_apply(&p, source, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){114, 89, 164, 69, 74, 79}), 6);
  p = augment_identity();
  p.saturation = 0.5f; // halfway to luma 82 (0.299, 0.587, 0.114)
  augment_apply(&p, source, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){91, 66, 141, 14, 19, 24}), 6);
}

static void every_instruction_set_gives_the_same_pixels(void **state)
{
  (void)state;
  static const int sizes[][2] = {{1, 1}, {1, 7}, {2, 2}, {65, 2}, {100, 100}, {63, 129}};
  static const struct augment_recipe wild = {30, 0.5f, 0.9f, 20, 0.9f, 0.9f, 0.9f, 64, 0.5f};
  static uint8_t source[BYTES], first[BYTES], other[BYTES];
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  fill(source, BYTES);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t bytes = (size_t)sizes[i][0] * (size_t)sizes[i][1] * 3;
    for (uint64_t image = 0; image < 20; image++) {
      struct augment_parameters p = augment_draw(image % 2 ? &wild : &everything, 1, image, 0);
      augment_apply_by(kernels[0], &p, source, sizes[i][0], sizes[i][1], first);
      for (size_t k = 1; k < tables; k++) {
        augment_apply_by(kernels[k], &p, source, sizes[i][0], sizes[i][1], other);
        if (memcmp(first, other, bytes) != 0) fail_msg("%s differs from %s", kernels[k]->name, kernels[0]->name);
      }
    }
  }
}

// Lines that leave the picture on all sides, by up to its own length.
static void kernels_sample_as_plain_code_does(void **state)
{
  (void)state;
  enum { WIDTH = 37, HEIGHT = 21, ONE = 1 << PIXEL_FRACTION };
  static uint8_t pixels[WIDTH * HEIGHT * 3];
  const struct pixel_source source = {pixels, WIDTH, HEIGHT};
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  fill(pixels, sizeof pixels);
  struct rng rng = rng_at(1, RNG_TEST, 5, 6);
  for (int round = 0; round < 500; round++) {
    int32_t x = (int32_t)rng_uniform(&rng, -WIDTH * ONE, 2 * WIDTH * ONE - ONE), y;
    int32_t end_x = (int32_t)rng_uniform(&rng, -WIDTH * ONE, 2 * WIDTH * ONE - ONE), end_y;
    y = (int32_t)rng_uniform(&rng, -HEIGHT * ONE, 2 * HEIGHT * ONE - ONE);
    end_y = (int32_t)rng_uniform(&rng, -HEIGHT * ONE, 2 * HEIGHT * ONE - ONE);
    if (round % 4 == 0) x = (x / ONE) * ONE, y = (y / ONE) * ONE; // on pixels: the last ones too
    struct pixel_line line = {x, y, (end_x - x) / (PIXEL_CHUNK - 1), (end_y - y) / (PIXEL_CHUNK - 1)};
    struct augment_line same = {line.x, line.y, line.x_step, line.y_step};
    struct pixel_chunk plain, chunk;
    augment_sample(&source, &same, PIXEL_CHUNK, &plain);
    for (size_t k = 0; k < tables; k++) {
      kernels[k]->sample(&source, &line, &chunk);
      assert_memory_equal(&plain, &chunk, sizeof chunk);
    }
  }
}

static void noise_is_the_counter_generators(void **state)
{
  (void)state;
  const uint32_t key[2] = {123, 456};
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  for (size_t k = 0; k < tables; k++) {
    int32_t samples[NOISE_SAMPLES];
    kernels[k]->noise(key, 1000, 5, samples);
    for (uint32_t j = 0; j < NOISE_BLOCKS; j++) {
      const uint32_t counter[4] = {1000 + j, 5, 0, 0};
      uint32_t block[4];
      rng_block(key, counter, block);
      for (uint32_t w = 0; w < 4; w++) {
        uint32_t x = block[w];
        int sum = (int)((x & 255) + (x >> 8 & 255) + (x >> 16 & 255) + (x >> 24));
        assert_int_equal(samples[w * NOISE_BLOCKS + j], sum - 510);
      }
    }
  }
}

static void noise_has_its_deviation(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  memset(source, 128, BYTES);
  struct augment_parameters p = augment_identity();
  p.noise = 20;
  p.noise_seed = 99;
  augment_apply(&p, source, SIDE, SIDE, out);
  double sum = 0, squares = 0;
  for (int i = 0; i < BYTES; i++) sum += out[i] - 128, squares += (out[i] - 128.0) * (out[i] - 128.0);
  assert_true(fabs(sum / BYTES) < 0.5);
  assert_true(fabs(sqrt(squares / BYTES) - 20) < 0.4);
}

static void odd_sizes_stay_inside(void **state)
{
  (void)state;
  static const int sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {2, 3}, {65, 2}, {224, 224}, {63, 129}};
  struct augment_recipe wild = {30, 0.5f, 0.9f, 20, 0.9f, 0.9f, 0.9f, 64, 0.5f};
  static uint8_t source[224 * 224 * 3], out[224 * 224 * 3 + 1];
  fill(source, sizeof source);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t bytes = (size_t)sizes[i][0] * (size_t)sizes[i][1] * 3;
    for (uint64_t image = 0; image < 20; image++) {
      struct augment_parameters p = augment_draw(&wild, 1, image, 0);
      out[bytes] = 0xA5;
      augment_apply(&p, source + sizeof source - bytes, sizes[i][0], sizes[i][1], out);
      assert_int_equal(out[bytes], 0xA5);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_recipe_changes_nothing),
      cmocka_unit_test(identity_through_the_sampler_changes_nothing),
      cmocka_unit_test(json_replays_to_the_same_pixels),
      cmocka_unit_test(wrong_json_is_refused),
      cmocka_unit_test(one_operation_does_not_move_another),
      cmocka_unit_test(a_shift_by_whole_pixels_shifts),
      cmocka_unit_test(positive_rotation_is_counter_clockwise),
      cmocka_unit_test(colour_factors_do_what_they_say),
      cmocka_unit_test(every_instruction_set_gives_the_same_pixels),
      cmocka_unit_test(kernels_sample_as_plain_code_does),
      cmocka_unit_test(noise_is_the_counter_generators),
      cmocka_unit_test(noise_has_its_deviation),
      cmocka_unit_test(odd_sizes_stay_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
