// Rendered images: the same number is the same picture, on any thread; what stays in a video and what moves; that a
// class without a hand has none.
#include <jansson.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "synth/frame.h"

#include "check.h"

enum { SIDE = 48, IMAGES = 40 };

static const struct frame_series videos = {.seed = 3, .video = 10, .variety = 1};

struct drawn_image {
  uint8_t *bytes;
  size_t size;
};

static enum status draw(struct renderer *renderer, const struct frame_series *series, int class, uint64_t index,
                        struct drawn_image *out)
{
  struct frame frame;
  struct image image = {0};
  struct error error;
  frame_make(&frame, series, class, index);
  enum status status = frame_draw(renderer, &frame, &image, &error);
  if (!status) status = frame_encode(&frame, &image, &out->bytes, &out->size, &error);
  image_release(&image);
  return status;
}

// All images by so many threads, in whatever order.
static void draw_all(int threads, struct drawn_image images[IMAGES])
{
  int failures = 0;
#pragma omp parallel num_threads(threads) reduction(+ : failures)
  {
    struct renderer *renderer = NULL;
    struct error error;
    failures += renderer_new(&renderer, SIDE, &error) != OK;
#pragma omp for schedule(dynamic, 1)
    for (int i = 0; i < IMAGES; i++)
      failures += renderer && draw(renderer, &videos, i % HAND_CLASSES, (uint64_t)(i * 7), &images[i]) != OK;
    renderer_free(renderer);
  }
  assert_int_equal(failures, 0);
}

static void test_same_bytes_on_any_threads(void **state)
{
  (void)state;
  struct drawn_image one[IMAGES] = {0}, three[IMAGES] = {0};
  draw_all(1, one);
  draw_all(3, three);
  for (int i = 0; i < IMAGES; i++) {
    assert_int_equal(one[i].size, three[i].size);
    assert_memory_equal(one[i].bytes, three[i].bytes, one[i].size);
    for (int j = 0; j < i; j++) // and no image twice
      assert_false(one[i].size == one[j].size && memcmp(one[i].bytes, one[j].bytes, one[i].size) == 0);
  }
  for (int i = 0; i < IMAGES; i++) free(one[i].bytes), free(three[i].bytes);
}

static void test_a_session_keeps_person_and_place(void **state)
{
  (void)state;
  struct frame first, last, other_class, next;
  frame_make(&first, &videos, 0, 10);
  frame_make(&last, &videos, 0, 19);
  frame_make(&other_class, &videos, 5, 14);
  frame_make(&next, &videos, 0, 20);
  assert_memory_equal(&first.background, &last.background, sizeof first.background);
  assert_memory_equal(&first.background, &other_class.background, sizeof first.background);
  assert_memory_equal(&first.scene.shape, &other_class.scene.shape, sizeof first.scene.shape);
  assert_true(first.tone == last.tone && first.tone == other_class.tone && first.quality == last.quality);
  assert_true(first.tone != next.tone);
  assert_memory_not_equal(&first.background, &next.background, sizeof first.background);
}

// From shirt to hair, also in a room that is full of furniture.
static void test_a_person_is_whole(void **state)
{
  (void)state;
  enum { FURNITURE = ROOM_THINGS - 5 };
  static const float skin[3] = {0.5f, 0.4f, 0.3f};
  int persons = 0, most = 0;
  for (uint64_t i = 0; i < 4000; i++) {
    struct background background;
    struct rng rng = rng_at(0, RNG_SYNTH, i, 0);
    background_make(&background, &rng, 1, skin);
    const struct room *room = &background.room;
    assert_in_range(room->thing_count, 0, background.person ? ROOM_THINGS : FURNITURE);
    if (!background.person) continue;
    const struct thing *parts = room->things + room->thing_count - 5;
    for (int p = 0; p < 5; p++) assert_true(parts[p].round);
    assert_true(parts[0].half[2] == 0.5f && parts[0].surface.texture == TEXTURE_CLOTH);
    assert_memory_equal(parts[3].surface.base, skin, sizeof skin);
    persons++;
    if (room->thing_count > most) most = room->thing_count;
  }
  assert_in_range(persons, 200, 500);
  assert_int_equal(most, ROOM_THINGS); // there was one
}

// Neighbours differ little, sessions and independent images much.
static void test_frames_walk_slowly(void **state)
{
  (void)state;
  const struct frame_series independent = {.seed = 3, .video = 1, .variety = 1};
  double near = 0, far = 0, alone = 0;
  for (uint64_t i = 0; i < 200; i++) {
    struct walk a = walk_at(9, 4, i * 50, 1000), b = walk_at(9, 4, i * 50 + 1, 1000), c = walk_at(9, 4, i * 50, 1);
    struct walk d = walk_at(9, 4, i * 50 + 1, independent.video), e = walk_at(9, 4, i * 50 + 500, 1000);
    near += fabs((double)(walk_uniform(&a, 1, -1, 1) - walk_uniform(&b, 1, -1, 1)));
    far += fabs((double)(walk_uniform(&a, 1, -1, 1) - walk_uniform(&e, 1, -1, 1)));
    alone += fabs((double)(walk_uniform(&c, 1, -1, 1) - walk_uniform(&d, 1, -1, 1)));
  }
  assert_true(near / 200 < 0.12);
  assert_true(far / 200 > 0.4 && alone / 200 > 0.4);
}

static void test_walks_fill_their_range(void **state)
{
  (void)state;
  int bins[10] = {0};
  for (uint64_t i = 0; i < 5000; i++) {
    struct walk walk = walk_at(1, (int)(i % 29), i, 1);
    float value = walk_uniform(&walk, (uint32_t)(i % 7), 0, 10);
    assert_true(value >= 0 && value <= 10);
    bins[value < 10 ? (int)value : 9]++;
  }
  for (int b = 0; b < 10; b++) assert_in_range(bins[b], 350, 650);
}

static void test_parameters_are_recorded(void **state)
{
  (void)state;
  char text[FRAME_TEXT];
  for (int class = 0; class < HAND_CLASSES; class ++) {
    for (uint64_t index = 0; index < 60; index += 11) {
      struct frame frame;
      frame_make(&frame, &videos, class, index);
      frame_describe(&frame, text, sizeof text);
      assert_true(strlen(text) < sizeof text - 1); // not cut
      json_t *json = json_loads(text, 0, NULL);
      assert_non_null(json);
      assert_int_equal(json_integer_value(json_object_get(json, "session")), index / 10);
      assert_int_equal(json_object_size(json_object_get(json, "pose")), frame.hand ? HAND_ANGLES : 0);
      json_decref(json);
    }
  }
}

// What the hand covers is in the picture for the most part; of `nothing`, no pixel.
static void test_hands_are_in_the_picture(void **state)
{
  (void)state;
  static float pixels[SIDE * SIDE * 3], coverage[SIDE * SIDE];
  for (int class = 0; class < HAND_CLASSES; class ++) {
    for (uint64_t index = 0; index < 30; index += 10) {
      struct frame frame;
      frame_make(&frame, &videos, class, index);
      assert_int_equal(frame.hand, class != HAND_CLASS_NOTHING);
      if (!frame.hand) continue;
      struct synth_box box = synth_hand_box(&frame.scene, SIDE, SIDE);
      assert_true(box.left > -0.15F && box.right < 1.15F && box.top > -0.15F && box.bottom < 1.15F);
      memset(coverage, 0, sizeof coverage);
      synth_draw_hand(&frame.scene, SIDE, SIDE, pixels, coverage);
      float covered = 0;
      for (int i = 0; i < SIDE * SIDE; i++) covered += coverage[i];
      assert_true(covered > 0.02F * SIDE * SIDE && covered < 0.9F * SIDE * SIDE);
    }
  }
}

// Linear light of the pixels that the hand covers.
static float hand_light(const struct frame *frame)
{
  static float pixels[SIDE * SIDE * 3], coverage[SIDE * SIDE];
  float light = 0, covered = 0;
  memset(coverage, 0, sizeof coverage);
  synth_draw_hand(&frame->scene, SIDE, SIDE, pixels, coverage);
  for (int i = 0; i < SIDE * SIDE; i++)
    if (coverage[i] == 1) light += pixels[3 * i + 1], covered += 1;
  return light / covered;
}

// A third of the sessions have their hands in the shade, a tenth in the sun; without variety all are in the room's
// light.
static void test_hands_in_shade_and_sun(void **state)
{
  (void)state;
  enum { SESSIONS = 600 };
  static const struct frame_series varied = {.seed = 8, .video = 1, .variety = 1}, plain = {.seed = 8, .video = 1};
  enum { ROOM, SHADE, SUN, KINDS };
  int count[KINDS] = {0};
  float light[KINDS] = {0};
  for (uint64_t i = 0; i < SESSIONS; i++) {
    struct frame frame;
    frame_make(&frame, &plain, 1, i);
    assert_true(frame.shade == 1 && frame.sun == 1);
    frame_make(&frame, &varied, 1, i);
    assert_true(frame.shade >= 0.08F && frame.shade <= 1 && frame.sun >= 1 && frame.sun <= 4);
    assert_true(frame.shade == 1 || frame.sun == 1);
    int kind = frame.shade < 1 ? SHADE : frame.sun > 1 ? SUN : ROOM;
    count[kind]++;
    light[kind] += hand_light(&frame);
  }
  assert_in_range(count[SHADE], SESSIONS * 30 / 100, SESSIONS * 40 / 100);
  assert_in_range(count[SUN], SESSIONS * 8 / 100, SESSIONS * 16 / 100);
  for (int kind = 0; kind < KINDS; kind++) light[kind] /= (float)count[kind];
  assert_true(light[SHADE] < 0.6F * light[ROOM]);
  assert_true(light[SUN] > 1.4F * light[ROOM]);
}

static void test_impossible_sides(void **state)
{
  (void)state;
  static const int sides[] = {-1, 0, 31, 1025};
  struct renderer *renderer = NULL;
  struct error error;
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
    assert_int_equal(renderer_new(&renderer, sides[i], &error), BAD_USAGE);
    assert_non_null(strstr(error.text, "allowed: 32 to 1024"));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_bytes_on_any_threads), cmocka_unit_test(test_a_session_keeps_person_and_place),
      cmocka_unit_test(test_a_person_is_whole),         cmocka_unit_test(test_frames_walk_slowly),
      cmocka_unit_test(test_walks_fill_their_range),    cmocka_unit_test(test_parameters_are_recorded),
      cmocka_unit_test(test_hands_are_in_the_picture),  cmocka_unit_test(test_hands_in_shade_and_sun),
      cmocka_unit_test(test_impossible_sides),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
