// Near-duplicate groups, and the methods of splitting that keep them together: properties over many seeds.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "data/neighbours.h"
#include "data/split.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail

enum { LIMIT = 2000, CLASSES = 4, SEEDS = 40 };

struct set {
  struct split_candidate images[LIMIT];
  enum part parts[LIMIT];
  int distances[LIMIT];
  size_t count;
  uint32_t groups;
};

static const struct neighbourhood usual = {.bits = 5, .frames = 3, .limit = 0.1};

static void add(struct set *set, int label, uint64_t hash, uint64_t video, int64_t frame)
{
  assert_true(set->count < LIMIT);
  set->images[set->count] = (struct split_candidate){.image = (int64_t)set->count + 1,
                                                     .dataset = 1,
                                                     .label = label,
                                                     .hashed = true,
                                                     .dhash = hash,
                                                     .video = video,
                                                     .frame = frame};
  set->count++;
}

static uint64_t random_hash(struct rng *rng)
{
  uint64_t high = rng_bits(rng);
  return high << 32 | rng_bits(rng);
}

// A video for each class that walks: every frame's hash differs from the one before in a few bits, every 25th in many.
static void film(struct set *set, size_t frames, uint64_t seed)
{
  *set = (struct set){0};
  for (int label = 0; label < CLASSES; label++) {
    struct rng rng = rng_at(seed, RNG_TEST, (uint64_t)label, 0);
    uint64_t hash = random_hash(&rng);
    for (size_t f = 0; f < frames - (size_t)label * 7; f++) {
      for (uint32_t flips = rng_below(&rng, 4); flips > 0; flips--) hash ^= (uint64_t)1 << rng_below(&rng, 64);
      if (f % 25 == 0) hash = random_hash(&rng);
      add(set, label, hash, (uint64_t)label, (int64_t)f);
    }
  }
}

static void find(struct set *set, const struct neighbourhood *near)
{
  struct error error = {0};
  assert_int_equal(groups_find(near, set->images, set->count, CLASSES, &set->groups, &error), OK);
}

static void split(struct set *set, split_method *method, const struct split_options *options)
{
  struct error error = {0};
  assert_int_equal(method(options, set->images, set->count, CLASSES, set->parts, &error), OK);
  assert_int_equal(neighbours_nearest(set->images, set->count, CLASSES, set->parts, set->distances, &error), OK);
}

static size_t images_in(const struct set *set, int label, enum part part)
{
  size_t count = 0;
  for (size_t i = 0; i < set->count; i++)
    count += (label < 0 || set->images[i].label == label) && set->parts[i] == part;
  return count;
}

static bool are_neighbours(const struct split_candidate *a, const struct split_candidate *b)
{
  int64_t between = a->frame < b->frame ? b->frame - a->frame : a->frame - b->frame;
  return a->label == b->label &&
         (__builtin_popcountll(a->dhash ^ b->dhash) <= usual.bits || (a->video == b->video && between <= usual.frames));
}

// --- groups ----------------------------------------------------------------------------------------------------------

static void test_what_joins(void **state)
{
  struct set *set = *state;
  *set = (struct set){0};
  const struct neighbourhood all = {.bits = 5, .frames = 1, .limit = 1};
  add(set, 0, 0x0, 1, 10);                 // 1
  add(set, 0, 0x1f, 2, 500);               // 1: 5 bits from the first
  add(set, 0, 0x3f00000000, 3, -1);        // 2: 6 bits
  add(set, 1, 0x0, 4, 1);                  // another class
  add(set, 0, ~0ull, 1, 11);               // 1: the next frame of the first's video
  add(set, 0, 0xffff0000, 1, 13);          // alone: a cut, two frames on
  add(set, 0, 0xffffffff0000ull, 5, 14);   // alone: another video
  add(set, 0, 0xffffff00000000ull, 6, -1); // alone: no number
  set->images[7].hashed = false;
  add(set, 0, 0, 7, 0); // no hash: it would be the first's copy
  set->images[8].hashed = false;
  find(set, &all);
  const uint32_t groups[] = {1, 1, 2, 6, 1, 3, 4, 5, 0};
  for (size_t i = 0; i < 8; i++)
    for (size_t j = 0; j < i; j++)
      assert_int_equal(set->images[i].group == set->images[j].group, groups[i] == groups[j]);
  assert_int_equal(set->groups, 7);
  assert_true(set->images[8].group != set->images[0].group);
}

static void test_limit_and_order_of_joins(void **state)
{
  struct set *set = *state;
  *set = (struct set){0};
  // A chain of 10 images, 2 bits a step, but the fifth step only one: the nearest pair is joined first.
  uint64_t hash = 0;
  for (int i = 0; i < 10; i++) {
    hash = hash << 2 | (i == 5 ? 1 : 3);
    add(set, 0, i == 0 ? 0 : hash, 1, -1);
  }
  const struct neighbourhood pairs = {.bits = 2, .frames = 0, .limit = 0.2};
  find(set, &pairs);
  size_t sizes[LIMIT] = {0};
  for (size_t i = 0; i < set->count; i++) sizes[set->images[i].group]++;
  for (uint32_t g = 1; g <= set->groups; g++) assert_in_range(sizes[g], 1, 2);
  // A limit below one image is one.
  const struct neighbourhood none = {.bits = 64, .frames = 100, .limit = 0.001};
  find(set, &none);
  assert_int_equal(set->groups, set->count);
}

static void test_groups_are_numbered_from_one(void **state)
{
  struct set *set = *state;
  film(set, 300, 1);
  find(set, &usual);
  bool seen[LIMIT] = {false};
  size_t sizes[LIMIT] = {0};
  for (size_t i = 0; i < set->count; i++) {
    assert_in_range(set->images[i].group, 1, set->groups);
    seen[set->images[i].group] = true;
    sizes[set->images[i].group]++;
  }
  size_t most = 0;
  for (uint32_t g = 1; g <= set->groups; g++) {
    assert_true(seen[g]);
    if (sizes[g] > most) most = sizes[g];
  }
  assert_in_range(most, 10, 30); // a tenth of a class of 300
}

// --- grouped ---------------------------------------------------------------------------------------------------------

static void test_no_group_and_no_neighbour_crosses(void **state)
{
  struct set *set = *state;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    film(set, 300, seed);
    find(set, &usual);
    const struct split_options options = {.val = 0.2, .test = 0.1, .seed = seed, .near = usual};
    split(set, split_grouped, &options);
    for (int label = 0; label < CLASSES; label++) {
      double images = 300 - 7.0 * label;
      // A scene of 25 frames is larger than a group may be: val gives up frames beside test, at most half.
      assert_in_range(images_in(set, label, PART_VAL), (size_t)(0.09 * images), (size_t)(0.25 * images));
      assert_in_range(images_in(set, label, PART_TEST), (size_t)(0.05 * images), (size_t)(0.15 * images));
      assert_in_range(images_in(set, label, PART_NONE), 0, (size_t)(0.4 * images));
    }
    for (size_t i = 0; i < set->count; i++)
      for (size_t j = 0; j < i; j++) {
        if (set->parts[i] == set->parts[j] || set->parts[i] == PART_NONE || set->parts[j] == PART_NONE) continue;
        assert_true(set->images[i].group != set->images[j].group);
        assert_false(are_neighbours(&set->images[i], &set->images[j]));
      }
    for (size_t i = 0; i < set->count; i++)
      if (set->parts[i] == PART_VAL || set->parts[i] == PART_TEST) assert_in_range(set->distances[i], 6, 64);
  }
}

static void test_seed_decides(void **state)
{
  struct set *set = *state;
  enum part *first = malloc(sizeof set->parts);
  assert_non_null(first);
  film(set, 300, 1);
  find(set, &usual);
  struct split_options options = {.val = 0.2, .seed = 4, .near = usual};
  split(set, split_grouped, &options);
  memcpy(first, set->parts, sizeof set->parts);
  split(set, split_grouped, &options);
  assert_memory_equal(first, set->parts, sizeof set->parts);
  options.seed = 5;
  split(set, split_grouped, &options);
  assert_memory_not_equal(first, set->parts, sizeof set->parts);
  free(first);
}

// Without neighbours, grouped is as exact as random.
static void test_strangers_are_split_exactly(void **state)
{
  struct set *set = *state;
  *set = (struct set){0};
  struct rng rng = rng_at(9, RNG_TEST, 0, 0);
  for (int i = 0; i < 400; i++) add(set, i % CLASSES, random_hash(&rng), (uint64_t)i, -1);
  find(set, &usual);
  const struct split_options options = {.val = 0.2, .test = 0.1, .seed = 1, .near = usual};
  split(set, split_grouped, &options);
  for (int label = 0; label < CLASSES; label++) {
    assert_int_equal(images_in(set, label, PART_VAL), 20);
    assert_int_equal(images_in(set, label, PART_TEST), 10);
    assert_int_equal(images_in(set, label, PART_NONE), 0);
  }
}

static void test_odd_classes(void **state)
{
  struct set *set = *state;
  *set = (struct set){0};
  struct rng rng = rng_at(9, RNG_TEST, 0, 0);
  add(set, 0, random_hash(&rng), 1, -1);                                             // one image
  for (int i = 0; i < 100; i++) add(set, 1, 42, 2, -1);                              // all the same
  for (int i = 0; i < 100; i++) add(set, 2, random_hash(&rng), 3 + (uint64_t)i, -1); // class 3 is empty
  find(set, &usual);
  const struct split_options options = {.val = 0.2, .seed = 1, .near = usual};
  split(set, split_grouped, &options);
  assert_int_equal(images_in(set, 0, PART_TRAIN), 1);
  // A class that is one scene stays whole: the parts are of the right size, and the distances tell.
  assert_int_equal(images_in(set, 1, PART_VAL), 20);
  assert_int_equal(images_in(set, 1, PART_NONE), 0);
  for (size_t i = 0; i < set->count; i++)
    if (set->images[i].label == 1 && set->parts[i] == PART_VAL) assert_int_equal(set->distances[i], 0);
  assert_int_equal(images_in(set, 2, PART_VAL), 20);
  assert_int_equal(set->distances[0], NO_DISTANCE);
}

// --- blocks ----------------------------------------------------------------------------------------------------------

static void test_blocks_are_the_same_frames_for_every_class(void **state)
{
  struct set *set = *state;
  for (uint64_t seed = 0; seed < SEEDS; seed++) {
    film(set, 400, seed);
    const struct split_options options = {.val = 0.2, .test = 0.1, .seed = seed, .blocks = 4, .gap = 5};
    split(set, split_blocks, &options);
    enum part of_frame[400];
    for (size_t i = 0; i < set->count; i++) {
      const struct split_candidate *image = &set->images[i];
      if (image->label == 0) of_frame[image->frame] = set->parts[i];
      assert_int_equal(set->parts[i], of_frame[image->frame]);
    }
    size_t images[PART_COUNT + 1] = {0}, runs = 0;
    for (int f = 0; f < 400; f++) {
      images[of_frame[f]]++;
      runs += f > 0 && of_frame[f] == PART_TEST && of_frame[f - 1] != PART_TEST;
      for (int g = f + 1; g <= f + 5 && g < 400; g++)
        assert_true(of_frame[f] == of_frame[g] || of_frame[f] == PART_NONE || of_frame[g] == PART_NONE);
    }
    assert_int_equal(runs, 4);
    assert_in_range(images[PART_TEST], 38, 42);
    assert_in_range(images[PART_VAL], 56, 82);  // the gap before test is val's
    assert_in_range(images[PART_NONE], 20, 62); // at most three gaps of 5 in each block
  }
}

static void test_blocks_need_frame_numbers(void **state)
{
  struct set *set = *state;
  struct error error = {0};
  film(set, 50, 0);
  set->images[7].frame = -1;
  const struct split_options options = {.val = 0.2, .blocks = 1};
  assert_int_equal(split_blocks(&options, set->images, set->count, CLASSES, set->parts, &error), BAD_DATA);
  assert_non_null(strstr(error.text, "1 of 158 images"));
}

static int set_up(void **state)
{
  *state = calloc(1, sizeof(struct set));
  return *state ? 0 : -1;
}

static int tear_down(void **state)
{
  free(*state);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_joins),
      cmocka_unit_test(test_limit_and_order_of_joins),
      cmocka_unit_test(test_groups_are_numbered_from_one),
      cmocka_unit_test(test_no_group_and_no_neighbour_crosses),
      cmocka_unit_test(test_seed_decides),
      cmocka_unit_test(test_strangers_are_split_exactly),
      cmocka_unit_test(test_odd_classes),
      cmocka_unit_test(test_blocks_are_the_same_frames_for_every_class),
      cmocka_unit_test(test_blocks_need_frame_numbers),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
