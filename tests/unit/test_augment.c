// Augmentation: off means identical, draws are independent of each other, what is recorded replays to the
// same pixels.
#include "core/rng.h"
#include "image/augment.h"
#include "image/augment_parts.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
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
                                                 .flip = 0.5f,
                                                 .zoom_out = 0.5f,
                                                 .aspect = 0.2f,
                                                 .perspective = 0.1f,
                                                 .hue = 20,
                                                 .grey = 0.2f,
                                                 .gain = 0.2f,
                                                 .gamma = 0.5f,
                                                 .background = 0.5f,
                                                 .background_pictures = 0.5f,
                                                 .shadow = 0.5f,
                                                 .erase = 0.3f,
                                                 .blur = 1.5f,
                                                 .motion = 5,
                                                 .resolution = 0.5f,
                                                 .jpeg = 0.3f,
                                                 .border = BORDER_MIXED};

// To the limits.
static const struct augment_recipe wild = {.rotate = 30,
                                           .translate = 0.5f,
                                           .zoom = 0.9f,
                                           .shear = 20,
                                           .brightness = 0.9f,
                                           .contrast = 0.9f,
                                           .saturation = 0.9f,
                                           .noise = 64,
                                           .flip = 0.5f,
                                           .aspect = 1,
                                           .perspective = 0.2f,
                                           .hue = 180,
                                           .grey = 0.2f,
                                           .gain = 0.5f,
                                           .gamma = 1,
                                           .background = 1,
                                           .background_pictures = 0.5f,
                                           .shadow = 0.9f,
                                           .erase = 1,
                                           .blur = 3,
                                           .motion = 12,
                                           .resolution = 0.7f,
                                           .jpeg = 0.5f,
                                           .border = BORDER_MIXED};

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
  assert_memory_equal(&drawn, &identity, offsetof(struct augment_parameters, shadow)); // the rest has no effect
  augment_apply(&drawn, source, NULL, SIDE, SIDE, out);
  assert_memory_equal(source, out, BYTES);
}

// Each of the recipe's numbers, those that will be added too, but for what only says how another operation looks.
static void each_range_alone_is_not_off(void **state)
{
  (void)state;
  for (size_t at = 0; at < sizeof(struct augment_recipe); at += sizeof(float)) {
    struct augment_recipe recipe = {0};
    bool looks =
        at == offsetof(struct augment_recipe, border) || at == offsetof(struct augment_recipe, background_pictures);
    memcpy((char *)&recipe + at, &(float){0.5f}, sizeof(float));
    if (augment_recipe_is_off(&recipe) != looks) fail_msg("the number at byte %zu of the recipe", at);
  }
}

static void identity_through_the_sampler_changes_nothing(void **state)
{
  (void)state;
  static uint8_t source[BYTES], once[BYTES], twice[BYTES];
  fill(source, BYTES);
  struct augment_parameters flip = augment_identity();
  flip.flip = 1;
  augment_apply(&flip, source, NULL, SIDE, SIDE, once);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      assert_memory_equal(once + (y * SIDE + x) * 3, source + (y * SIDE + SIDE - 1 - x) * 3, 3);
  augment_apply(&flip, once, NULL, SIDE, SIDE, twice);
  assert_memory_equal(source, twice, BYTES);
}

static void json_replays_to_the_same_pixels(void **state)
{
  (void)state;
  static uint8_t source[BYTES], first[BYTES], again[BYTES];
  fill(source, BYTES);
  for (uint64_t image = 0; image < 50; image++) {
    struct augment_parameters drawn = augment_draw(&everything, 42, image, 1), replayed;
    char text[AUGMENT_JSON_LIMIT], again_text[AUGMENT_JSON_LIMIT];
    augment_to_json(&drawn, text);
    struct error error;
    if (augment_from_json(&replayed, text, &error)) fail_msg("%s", error.text);
    augment_to_json(&replayed, again_text);
    assert_string_equal(text, again_text);
    augment_apply(&drawn, source, NULL, SIDE, SIDE, first);
    augment_apply(&replayed, source, NULL, SIDE, SIDE, again);
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
  augment_apply(&shift, source, NULL, SIDE, SIDE, out);
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
  augment_apply(&turn, source, NULL, SIDE, SIDE, out);
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
  augment_apply(&p, source, NULL, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){150, 75, 255, 15, 30, 45}), 6);
  p = augment_identity();
  p.contrast = 0.5f; // halfway to 127.5
  augment_apply(&p, source, NULL, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){114, 89, 164, 69, 74, 79}), 6);
  p = augment_identity();
  p.saturation = 0.5f; // halfway to luma 82 (0.299, 0.587, 0.114)
  augment_apply(&p, source, NULL, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){91, 66, 141, 14, 19, 24}), 6);
}

// The first numbers of a stream belong to the first operations, whatever was added since.
static void earlier_draws_stay(void **state)
{
  (void)state;
  struct rng rng = rng_at(42, RNG_AUGMENT, 7, 3);
  struct augment_parameters drawn = augment_draw(&everything, 42, 7, 3);
  assert_true(drawn.rotate == rng_uniform(&rng, -1, 1) * everything.rotate);
  for (int i = 0; i < 2; i++) (void)rng_bits(&rng);
  (void)rng_bits(&rng); // zoom
  assert_true(drawn.shear == rng_uniform(&rng, -1, 1) * everything.shear);
  assert_true(drawn.brightness == 1 + rng_uniform(&rng, -1, 1) * everything.brightness);
  for (int i = 0; i < 2; i++) (void)rng_bits(&rng);
  assert_true(drawn.noise == rng_uniform(&rng, 0, 1) * everything.noise);
  (void)rng_bits(&rng); // flip
  uint64_t upper = rng_bits(&rng) >> 11, lower = rng_bits(&rng);
  assert_true(drawn.noise_seed == (upper << 32 | lower));
  float aspect = rng_uniform(&rng, -1, 1) * everything.aspect;
  assert_true(drawn.aspect == (aspect < 0 ? 1 / (1 - aspect) : 1 + aspect));
  assert_true(drawn.perspective_x == rng_uniform(&rng, -1, 1) * everything.perspective);
}

static void aspect_stretches_about_the_centre(void **state)
{
  (void)state;
  struct augment_parameters p = augment_identity();
  p.aspect = 2.25f; // beyond the recipe's limit, for round numbers: 1.5 wide, 1 / 1.5 high
  struct augment_geometry g = augment_geometry(&p, 101, 101);
  struct augment_line line = augment_line(&g, 50, 50, 51);
  assert_int_equal(line.x, 50 << PIXEL_FRACTION);
  assert_int_equal(line.y, 50 << PIXEL_FRACTION);
  assert_true(llabs(line.x_step * 3 - (2 << PIXEL_FRACTION)) <= 3);
  line = augment_line(&g, 50, 60, 51);
  assert_true(llabs(line.y - (65 << PIXEL_FRACTION)) <= 3);
}

static void grey_and_gain_and_hue(void **state)
{
  (void)state;
  const uint8_t source[6] = {100, 50, 200, 90, 90, 90};
  uint8_t out[6];
  struct augment_parameters p = augment_identity();
  p.grey = 1;
  augment_apply(&p, source, NULL, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){82, 82, 82, 90, 90, 90}), 6);
  p = augment_identity();
  p.gain_r = 1.5f;
  p.gain_b = 0.5f;
  augment_apply(&p, source, NULL, 2, 1, out);
  assert_memory_equal(out, ((const uint8_t[]){150, 50, 100, 135, 90, 45}), 6);
  p = augment_identity();
  p.hue = 120; // grey stays, red becomes green
  const uint8_t red[6] = {150, 100, 100, 90, 90, 90};
  augment_apply(&p, red, NULL, 2, 1, out);
  assert_memory_equal(out + 3, source + 3, 3);
  assert_true(out[1] > out[0] && out[1] > out[2]);
  int luma = (299 * out[0] + 587 * out[1] + 114 * out[2] + 500) / 1000;
  assert_in_range(luma, 114, 116);
}

static void gamma_is_a_power(void **state)
{
  (void)state;
  uint8_t source[256 * 3], out[256 * 3];
  for (int i = 0; i < 256 * 3; i++) source[i] = (uint8_t)(i / 3);
  for (float gamma = 0.5f; gamma < 2.1f; gamma += 0.25f) {
    struct augment_parameters p = augment_identity();
    p.gamma = gamma;
    augment_apply(&p, source, NULL, 256, 1, out);
    assert_int_equal(out[0], 0);
    assert_int_equal(out[255 * 3], 255);
    // Below 32 the straight pieces cut the corner of a root.
    for (int i = 32; i < 256; i++) assert_true(fabs(out[i * 3] - 255 * pow(i / 255.0, (double)gamma)) < 0.8);
    for (int i = 1; i < 256; i++) assert_true(out[i * 3] >= out[i * 3 - 3]);
  }
}

static void every_instruction_set_gives_the_same_pixels(void **state)
{
  (void)state;
  static const int sizes[][2] = {{1, 1}, {1, 7}, {2, 2}, {65, 2}, {100, 100}, {63, 129}};
  static uint8_t source[BYTES], first[BYTES], other[BYTES];
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  fill(source, BYTES);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t bytes = (size_t)sizes[i][0] * (size_t)sizes[i][1] * 3;
    for (uint64_t image = 0; image < 20; image++) {
      struct augment_parameters p = augment_draw(image % 2 ? &wild : &everything, 1, image, 0);
      augment_apply_by(kernels[0], &p, source, NULL, sizes[i][0], sizes[i][1], first);
      for (size_t k = 1; k < tables; k++) {
        augment_apply_by(kernels[k], &p, source, NULL, sizes[i][0], sizes[i][1], other);
        if (memcmp(first, other, bytes) != 0) fail_msg("%s differs from %s", kernels[k]->name, kernels[0]->name);
      }
    }
  }
}

// Lines that leave the picture on all sides, by up to twice its own length; every other one is bent.
static void kernels_sample_as_plain_code_does(void **state)
{
  (void)state;
  enum { WIDTH = 37, HEIGHT = 21, ONE = 1 << PIXEL_FRACTION, LAST = PIXEL_CHUNK - 1 };
  static uint8_t pixels[WIDTH * HEIGHT * 3];
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  fill(pixels, sizeof pixels);
  struct rng rng = rng_at(1, RNG_TEST, 5, 6);
  for (int round = 0; round < 1000; round++) {
    const struct pixel_source source = {pixels, WIDTH, HEIGHT, round % 3 != 0};
    int32_t x = (int32_t)rng_uniform(&rng, -2 * WIDTH * ONE, 3 * WIDTH * ONE - ONE), y;
    int32_t end_x = (int32_t)rng_uniform(&rng, -2 * WIDTH * ONE, 3 * WIDTH * ONE - ONE), end_y;
    y = (int32_t)rng_uniform(&rng, -2 * HEIGHT * ONE, 3 * HEIGHT * ONE - ONE);
    end_y = (int32_t)rng_uniform(&rng, -2 * HEIGHT * ONE, 3 * HEIGHT * ONE - ONE);
    if (round % 4 == 0) x = (x / ONE) * ONE, y = (y / ONE) * ONE; // on pixels: the last ones too
    int32_t x_bend = round % 2 ? (end_x - x) / (LAST * LAST) : 0, y_bend = round % 2 ? (end_y - y) / (LAST * LAST) : 0;
    struct pixel_line line = {x,      y,     (end_x - x) / LAST - LAST * x_bend, (end_y - y) / LAST - LAST * y_bend,
                              x_bend, y_bend};
    struct augment_line same = {line.x, line.y, line.x_step, line.y_step, x_bend, y_bend};
    struct pixel_chunk plain = {0}, chunk = {0};
    augment_sample(&source, &same, PIXEL_CHUNK, &plain);
    for (size_t k = 0; k < tables; k++) {
      kernels[k]->sample(&source, &line, PIXEL_CHUNK, &chunk);
      assert_memory_equal(&plain, &chunk, sizeof chunk);
    }
  }
}

// Marsaglia's generator, one number after the other.
static uint32_t next_number(uint32_t word[4])
{
  uint32_t t = word[0] ^ word[0] << 11;
  word[0] = word[1], word[1] = word[2], word[2] = word[3];
  return word[3] ^= word[3] >> 19 ^ t ^ t >> 8;
}

static void noise_is_the_sum_of_a_generators_bytes(void **state)
{
  (void)state;
  const struct pixel_kernels *kernels[8];
  size_t tables = pixel_kernels_available(kernels, 8);
  for (size_t k = 0; k < tables; k++) {
    uint32_t word[NOISE_LANES][4];
    struct pixel_noise noise;
    struct pixel_chunk chunk = {0};
    fill((uint8_t *)word, sizeof word);
    for (int lane = 0; lane < NOISE_LANES; lane++)
      for (int w = 0; w < 4; w++) noise.word[w][lane] = word[lane][w];
    kernels[k]->add_noise(&noise, PIXEL_UNIT, &chunk);
    for (int i = 0; i < 3 * PIXEL_CHUNK; i++) {
      uint32_t x = next_number(word[i % NOISE_LANES]);
      int sum = (int)((x & 255) + (x >> 8 & 255) + (x >> 16 & 255) + (x >> 24));
      assert_int_equal(chunk.level[i / PIXEL_CHUNK][i % PIXEL_CHUNK], sum - 510);
    }
    assert_int_equal(noise.word[3][5], word[5][3]);
  }
}

// Perspective against the division it stands for, at each pixel: a quarter of a pixel.
static void perspective_is_a_division(void **state)
{
  (void)state;
  struct augment_parameters p = augment_identity();
  p.perspective_x = 0.15f;
  p.perspective_y = -0.1f;
  struct augment_geometry geometry = augment_geometry(&p, SIDE, SIDE);
  assert_true(geometry.moves && augment_is_near(&geometry, SIDE, SIDE));
  for (int y = 0; y < SIDE; y += 3)
    for (int from = 0; from < SIDE; from += PIXEL_CHUNK) {
      int count = SIDE - from < PIXEL_CHUNK ? SIDE - from : PIXEL_CHUNK;
      struct augment_line line = augment_line(&geometry, from, y, count);
      for (int64_t i = 0; i < count; i++) {
        double u = from + (double)i - 49.5, v = y - 49.5, w = 1 + 0.15 * u / 50 - 0.1 * v / 50;
        double x_at = (double)(line.x + i * line.x_step + i * i * line.x_bend) / (1 << PIXEL_FRACTION);
        double y_at = (double)(line.y + i * line.y_step + i * i * line.y_bend) / (1 << PIXEL_FRACTION);
        assert_true(fabs(x_at - (49.5 + u / w)) < 0.25);
        assert_true(fabs(y_at - (49.5 + v / w)) < 0.25);
      }
    }
}

static void borders_are_what_they_are_called(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  fill(source, BYTES);
  struct augment_parameters shift = augment_identity();
  shift.translate_x = 0.1f; // ten pixels to the right
  shift.border = BORDER_EDGE;
  augment_apply(&shift, source, NULL, SIDE, SIDE, out);
  for (int x = 0; x < 10; x++) assert_memory_equal(out + (7 * SIDE + x) * 3, source + 7 * SIDE * 3, 3);
  shift.border = BORDER_COLOUR;
  shift.border_colour = 0x102030;
  augment_apply(&shift, source, NULL, SIDE, SIDE, out);
  for (int x = 0; x < 10; x++) assert_memory_equal(out + (7 * SIDE + x) * 3, ((const uint8_t[]){16, 32, 48}), 3);
  assert_memory_equal(out + (7 * SIDE + 10) * 3, source + 7 * SIDE * 3, 90 * 3);
}

static void scale_down_may_reach_further_than_up(void **state)
{
  (void)state;
  struct augment_recipe recipe = {.zoom = 0.2f, .zoom_out = 0.5f};
  int below = 0, far = 0;
  for (uint64_t image = 0; image < 1000; image++) {
    float zoom = augment_draw(&recipe, 1, image, 1).zoom;
    assert_true(zoom >= 0.5f && zoom <= 1.2f);
    below += zoom < 1;
    far += zoom < 0.8f;
  }
  assert_in_range(below, 450, 550);
  assert_in_range(far, 250, 350);
}

static void noise_has_its_deviation(void **state)
{
  (void)state;
  static uint8_t source[BYTES], out[BYTES];
  memset(source, 128, BYTES);
  struct augment_parameters p = augment_identity();
  p.noise = 20;
  p.noise_seed = 99;
  augment_apply(&p, source, NULL, SIDE, SIDE, out);
  double sum = 0, squares = 0;
  for (int i = 0; i < BYTES; i++) sum += out[i] - 128, squares += (out[i] - 128.0) * (out[i] - 128.0);
  assert_true(fabs(sum / BYTES) < 0.5);
  assert_true(fabs(sqrt(squares / BYTES) - 20) < 0.4);
}

static void odd_sizes_stay_inside(void **state)
{
  (void)state;
  static const int sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {2, 3}, {65, 2}, {224, 224}, {63, 129}};
  static uint8_t source[224 * 224 * 3], out[224 * 224 * 3 + 1];
  fill(source, sizeof source);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    size_t bytes = (size_t)sizes[i][0] * (size_t)sizes[i][1] * 3;
    for (uint64_t image = 0; image < 20; image++) {
      struct augment_parameters p = augment_draw(&wild, 1, image, 0);
      out[bytes] = 0xA5;
      augment_apply(&p, source + sizeof source - bytes, NULL, sizes[i][0], sizes[i][1], out);
      assert_int_equal(out[bytes], 0xA5);
    }
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_recipe_changes_nothing),
      cmocka_unit_test(each_range_alone_is_not_off),
      cmocka_unit_test(identity_through_the_sampler_changes_nothing),
      cmocka_unit_test(json_replays_to_the_same_pixels),
      cmocka_unit_test(wrong_json_is_refused),
      cmocka_unit_test(one_operation_does_not_move_another),
      cmocka_unit_test(a_shift_by_whole_pixels_shifts),
      cmocka_unit_test(positive_rotation_is_counter_clockwise),
      cmocka_unit_test(colour_factors_do_what_they_say),
      cmocka_unit_test(every_instruction_set_gives_the_same_pixels),
      cmocka_unit_test(kernels_sample_as_plain_code_does),
      cmocka_unit_test(noise_is_the_sum_of_a_generators_bytes),
      cmocka_unit_test(perspective_is_a_division),
      cmocka_unit_test(borders_are_what_they_are_called),
      cmocka_unit_test(scale_down_may_reach_further_than_up),
      cmocka_unit_test(earlier_draws_stay),
      cmocka_unit_test(aspect_stretches_about_the_centre),
      cmocka_unit_test(grey_and_gain_and_hue),
      cmocka_unit_test(gamma_is_a_power),
      cmocka_unit_test(noise_has_its_deviation),
      cmocka_unit_test(odd_sizes_stay_inside),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
