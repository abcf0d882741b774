// The methods that share out images, and the split's rows.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/split.h"
#include "store/db.h"
#include "store/splits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail

enum { IMAGE_LIMIT = 3000, CLASS_LIMIT = 32 };

struct dealt {
  struct split_candidate images[IMAGE_LIMIT];
  enum part parts[IMAGE_LIMIT];
  size_t count, of_part[PART_COUNT], of_class[CLASS_LIMIT][PART_COUNT];
};

// Classes of the given sizes, mixed as paths may mix them.
static void deal(struct dealt *dealt, const size_t *sizes, size_t classes, double val, double test, uint64_t seed)
{
  struct error error = {0};
  const struct split_options options = {.val = val, .test = test, .seed = seed};
  size_t left[CLASS_LIMIT];
  *dealt = (struct dealt){0};
  memcpy(left, sizes, classes * sizeof *sizes);
  for (bool any = true; any;) {
    any = false;
    for (size_t c = 0; c < classes; c++) {
      if (!left[c]) continue;
      left[c]--;
      any = true;
      dealt->images[dealt->count] = (struct split_candidate){.image = (int64_t)dealt->count + 100, .label = (int)c};
      dealt->count++;
    }
  }
  assert_int_equal(split_random(&options, dealt->images, dealt->count, classes, dealt->parts, &error), OK);
  for (size_t i = 0; i < dealt->count; i++) {
    dealt->of_part[dealt->parts[i]]++;
    dealt->of_class[dealt->images[i].label][dealt->parts[i]]++;
  }
}

static void test_exact_counts(void **state)
{
  struct dealt *dealt = *state;
  const size_t even[29] = {100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100,
                           100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100};
  deal(dealt, even, 29, 0.29, 0.1, 0);
  assert_int_equal(dealt->of_part[PART_VAL], 841);
  assert_int_equal(dealt->of_part[PART_TEST], 290);
  for (int c = 0; c < 29; c++) {
    assert_int_equal(dealt->of_class[c][PART_VAL], 29);
    assert_int_equal(dealt->of_class[c][PART_TEST], 10);
  }
}

static void test_largest_remainders(void **state)
{
  struct dealt *dealt = *state;
  // Quotas 0.6, 1.4, 2.2, 0.2: 0, 1, 2, 0 whole, 4.4 rounds to 4, and the one left over is for the 0.6.
  deal(dealt, (const size_t[]){3, 7, 11, 1}, 4, 0.2, 0, 5);
  assert_int_equal(dealt->of_class[0][PART_VAL], 1);
  assert_int_equal(dealt->of_class[1][PART_VAL], 1);
  assert_int_equal(dealt->of_class[2][PART_VAL], 2);
  assert_int_equal(dealt->of_class[3][PART_VAL], 0);
  // Equal remainders: the lower ordinals are first. 4 * 0.5 = 2 of 0.5 each.
  deal(dealt, (const size_t[]){5, 5, 5, 5}, 4, 0.1, 0, 5);
  assert_int_equal(dealt->of_class[0][PART_VAL], 1);
  assert_int_equal(dealt->of_class[1][PART_VAL], 1);
  assert_int_equal(dealt->of_class[2][PART_VAL], 0);
}

static void test_small_classes_keep_an_image_to_train_on(void **state)
{
  struct dealt *dealt = *state;
  deal(dealt, (const size_t[]){1, 0, 2, 1}, 4, 0.5, 0.4, 0);
  assert_int_equal(dealt->of_part[PART_TRAIN], 3);
  assert_int_equal(dealt->of_class[0][PART_TRAIN], 1);
  assert_int_equal(dealt->of_class[2][PART_TRAIN], 1);
  assert_int_equal(dealt->of_class[3][PART_TRAIN], 1);
  deal(dealt, (const size_t[]){10, 10}, 2, 0, 0, 0);
  assert_int_equal(dealt->of_part[PART_TRAIN], 20);
}

static void test_seed_decides(void **state)
{
  struct dealt *one = *state, *two = calloc(1, sizeof *two);
  assert_non_null(two);
  const size_t sizes[] = {300, 200, 100};
  deal(one, sizes, 3, 0.2, 0.1, 1);
  deal(two, sizes, 3, 0.2, 0.1, 1);
  assert_memory_equal(one->parts, two->parts, sizeof one->parts);
  deal(two, sizes, 3, 0.2, 0.1, 2);
  size_t different = 0;
  for (size_t i = 0; i < one->count; i++) different += one->parts[i] != two->parts[i];
  assert_true(different > 150 && different < 450); // two independent draws: 1 - 0.7^2 - 0.2^2 - 0.1^2 = 0.46 of 600
  // Neither the first nor the last images of a class are preferred: the mean place of val's is near the middle.
  double mean = 0;
  for (size_t i = 0; i < one->count; i++) mean += one->parts[i] == PART_VAL ? (double)i : 0;
  mean /= (double)one->of_part[PART_VAL] * (double)one->count;
  assert_true(mean > 0.33 && mean < 0.55);
  free(two);
}

static void test_methods(void **state)
{
  (void)state;
  assert_ptr_equal(split_method_find("random"), split_random);
  assert_ptr_equal(split_method_find("grouped"), split_grouped);
  assert_ptr_equal(split_method_find("blocks"), split_blocks);
  assert_null(split_method_find("rand"));
}

// --- rows ----------------------------------------------------------------------------------------------------------

static void make_dataset(struct db *db)
{
  static const char *const paths[] = {"B/2.jpg", "A/10.jpg", "A/1.jpg", "B/1.jpg", "A/bad.jpg"};
  struct error error = {0};
  assert_int_equal(db_run(db, &error, "INSERT INTO dataset (id, name, root, fingerprint) VALUES (1, 'd', ?, 'f')", "b",
                          "/d", (size_t)2),
                   OK);
  for (int c = 0; c < 2; c++)
    assert_int_equal(db_run(db, &error, "INSERT INTO class VALUES (1, ?, ?)", "it", (int64_t)c, c ? "B" : "A"), OK);
  for (int i = 0; i < 5; i++) {
    const char *status = i == 4 ? "quarantined" : "ok", *reason = i == 4 ? "truncated" : NULL;
    assert_int_equal(db_run(db, &error,
                            "INSERT INTO image (id, dataset, label, path, shown, status, reason, width, height, bytes,"
                            " sha256, mtime_ns, inode) VALUES (?, 1, ?, ?, '', ?, ?, 9, 9, 9, 'x', 0, 0)",
                            "iibtt", (int64_t)(i + 1), (int64_t)(paths[i][0] == 'B'), paths[i], strlen(paths[i]),
                            status, reason),
                     OK);
  }
}

// As make_dataset made them, image 3 with a hash and a frame.
static void look_at_candidates(const struct split_candidate *images, size_t count)
{
  assert_int_equal(count, 4); // the quarantined one is not among them
  const int64_t order[] = {3, 2, 4, 1};
  for (size_t i = 0; i < count; i++) {
    assert_int_equal(images[i].image, order[i]);
    assert_int_equal(images[i].label, i >= 2);
    assert_int_equal(images[i].dataset, 0);
    assert_int_equal(images[i].hashed, images[i].image == 3);
  }
  assert_true(images[0].dhash == UINT64_MAX && images[0].frame == 1);
  assert_int_equal(images[1].frame, -1);
  assert_true(images[0].video == images[1].video && images[1].video != images[2].video);
}

static void test_rows(void **state)
{
  (void)state;
  char folder[] = "/tmp/test_split.XXXXXX", path[64];
  struct error error = {0};
  struct db *db = NULL;
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/manifest.db", folder);
  assert_int_equal(db_open(&db, path, DB_CREATE, &error), OK);
  make_dataset(db);
  assert_int_equal(db_run(db, &error, "UPDATE image SET dhash = -1, frame = 1 WHERE id = 3", ""), OK);

  const int64_t datasets[] = {1};
  struct class_names classes = {0};
  struct split_candidate *images = NULL;
  size_t count = 0;
  assert_int_equal(class_names_union(&classes, db, datasets, 1, &error), OK);
  assert_int_equal(split_candidates(db, datasets, 1, &classes, &images, &count, &error), OK);
  look_at_candidates(images, count);

  const struct split_row row = {.datasets = datasets,
                                .dataset_count = 1,
                                .classes = &classes,
                                .key = "k",
                                .parameters = "{\"a\":\"b\"}",
                                .method = "random",
                                .seed = 3,
                                .bits = 5};
  const enum part parts[] = {PART_TRAIN, PART_VAL, PART_TEST, PART_NONE};
  const int distances[] = {NO_DISTANCE, 0, 7, NO_DISTANCE};
  struct split_found made = {0}, found = {0};
  bool is_found = true;
  char *previous = NULL;
  assert_int_equal(split_find(db, "k", 0, &found, &is_found, &error), OK);
  assert_false(is_found);
  assert_int_equal(split_previous(db, 1, &previous, &error), OK);
  assert_null(previous);
  assert_int_equal(split_insert(db, &row, images, parts, distances, count, &made, &error), OK);
  assert_int_equal(split_find(db, "k", 0, &found, &is_found, &error), OK);
  assert_true(is_found);
  assert_memory_equal(&found, &made, sizeof found);
  assert_int_equal(found.images[PART_TRAIN], 1);
  assert_int_equal(found.images[PART_NONE], 1);
  assert_int_equal(split_previous(db, 1, &previous, &error), OK);
  assert_string_equal(previous, "{\"a\":\"b\"}");
  int64_t val = 0;
  assert_int_equal(db_integer(db, &val, NULL, &error, "SELECT image FROM split_image WHERE part = 'val'", ""), OK);
  assert_int_equal(val, 2);
  assert_int_equal(db_integer(db, &val, NULL, &error,
                              "SELECT count(*) FROM split_image WHERE (train_distance IS NULL) = (part IN ('train', "
                              "'none')) AND grouping IS NULL",
                              ""),
                   OK);
  assert_int_equal(val, 4);

  // The same key again is refused and leaves nothing behind.
  assert_int_not_equal(split_insert(db, &row, images, parts, distances, count, &made, &error), OK);
  assert_int_equal(db_integer(db, &val, NULL, &error, "SELECT count(*) FROM split_image", ""), OK);
  assert_int_equal(val, 4);

  struct class_names names = {0};
  assert_int_equal(class_names_of_split(&names, db, found.id, &error), OK);
  assert_int_equal(names.count, 2);
  assert_string_equal(names.list[1], "B");
  class_names_release(&names);
  class_names_release(&classes);
  free(previous);
  free(images);
  db_close(db);
  unlink(path);
  rmdir(folder);
}

static int set_up(void **state)
{
  *state = calloc(1, sizeof(struct dealt));
  return *state ? 0 : -1;
}

static int tear_down(void **state)
{
  free(*state);
  return 0;
}

// Two datasets whose classes overlap: the union is sorted, and the same name is the same label.
static void test_union(void **state)
{
  (void)state;
  char folder[] = "/tmp/test_split.XXXXXX", path[64];
  struct error error = {0};
  struct db *db = NULL;
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/manifest.db", folder);
  assert_int_equal(db_open(&db, path, DB_CREATE, &error), OK);
  make_dataset(db);
  static const char *const rows[] = {
      "INSERT INTO dataset (id, name, root, fingerprint) VALUES (2, 'e', x'2f65', 'g')",
      "INSERT INTO class VALUES (2, 0, '0'), (2, 1, 'B'), (2, 2, 'a')",
      ("INSERT INTO image (id, dataset, label, path, shown, status, width, height, bytes, sha256, mtime_ns, inode)"
       " VALUES (11, 2, 2, x'61', '', 'ok', 9, 9, 9, 'x', 0, 0), (12, 2, 1, x'42', '', 'ok', 9, 9, 9, 'x', 0, 0)")};
  for (size_t i = 0; i < 3; i++) assert_int_equal(db_run(db, &error, rows[i], ""), OK);

  const int64_t datasets[] = {2, 1};
  struct class_names classes = {0}, read = {0};
  struct split_candidate *images = NULL;
  struct split_found made = {0};
  size_t count = 0;
  assert_int_equal(class_names_union(&classes, db, datasets, 2, &error), OK);
  static const char *const wanted[] = {"0", "A", "B", "a"};
  assert_int_equal(classes.count, 4);
  for (int i = 0; i < 4; i++) {
    assert_string_equal(classes.list[i], wanted[i]);
    assert_int_equal(class_names_place(&classes, wanted[i]), i);
  }
  assert_int_equal(class_names_place(&classes, "C"), -1);
  assert_int_equal(split_candidates(db, datasets, 2, &classes, &images, &count, &error), OK);
  assert_int_equal(count, 6);
  static const struct split_candidate first[] = {{.image = 12, .dataset = 0, .label = 2},
                                                 {.image = 11, .dataset = 0, .label = 3},
                                                 {.image = 3, .dataset = 1, .label = 1}};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(images[i].image, first[i].image);
    assert_int_equal(images[i].dataset, first[i].dataset);
    assert_int_equal(images[i].label, first[i].label);
  }
  const struct split_row row = {.datasets = datasets,
                                .dataset_count = 2,
                                .classes = &classes,
                                .key = "u",
                                .parameters = "{}",
                                .method = "random"};
  const enum part parts[6] = {PART_TRAIN};
  const int distances[6] = {0};
  assert_int_equal(split_insert(db, &row, images, parts, distances, count, &made, &error), OK);
  assert_int_equal(made.dataset, 2);
  assert_int_equal(class_names_of_split(&read, db, made.id, &error), OK);
  assert_int_equal(read.count, 4);
  assert_string_equal(read.list[3], "a");

  class_names_release(&classes);
  class_names_release(&read);
  free(images);
  db_close(db);
  unlink(path);
  rmdir(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_exact_counts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_largest_remainders, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_small_classes_keep_an_image_to_train_on, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_seed_decides, set_up, tear_down),
      cmocka_unit_test(test_methods),
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_union),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
