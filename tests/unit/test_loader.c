// From a manifest and tensor files to pixels: the right rows, labels and variants; files that are not what their rows
// say.
#include "core/digest.h"
#include "data/loader.h"
#include "image/augment.h"
#include "store/tensorfile.h"
#include "store/tensors.h"

#include "check.h"
#include "folder.h"

enum { SIDE = 8, ROW = SIDE * SIDE * 3, IMAGES = 7, FILE_ROWS = 3, COPIES = 2 };

// The pixels of (image, variant), to be told from all others.
static void pixels_of(int64_t image, int variant, uint8_t out[ROW])
{
  for (int i = 0; i < ROW; i++) out[i] = (uint8_t)(image * 31 + variant * 101 + i);
}

static void sha_of(int image, char text[DIGEST_TEXT])
{
  snprintf(text, DIGEST_TEXT, "%015x%049d", image + 0x1000, 0);
}

static void insert_image(struct db *db, int id, int64_t dataset, const char *path)
{
  char sha[DIGEST_TEXT];
  sha_of(id, sha);
  must(db_run(db, error,
              "INSERT INTO image (id, dataset, label, path, shown, status, width, height, bytes, sha256, mtime_ns,"
              " inode) VALUES (?, ?, ?, ?, '', 'ok', 8, 8, 1, ?, 0, 0)",
              "iiibt", (int64_t)id, dataset, (int64_t)(id % 2), path, strlen(path), sha));
}

// Images 1 ... 7; the label is id % 2, paths go down with the ids; of every three one is in "val".
static void insert_images(struct db *db)
{
  must(db_run(db, error, "INSERT INTO dataset (id, name, root) VALUES (1, 'd', x'2f')", ""));
  must(db_run(db, error, "INSERT INTO class VALUES (1, 0, 'A'), (1, 1, 'B')", ""));
  must(db_run(db, error, "INSERT INTO split VALUES (1, 1, 'split', '{}', 'random', 0, 5, 2, 0, 0, 5)", ""));
  must(db_run(db, error, "INSERT INTO split_dataset VALUES (1, 0, 1)", ""));
  must(db_run(db, error, "INSERT INTO split_class VALUES (1, 0, 'A'), (1, 1, 'B')", ""));
  for (int i = 1; i <= IMAGES; i++) {
    char path[16];
    snprintf(path, sizeof path, "A/%d.jpg", 10 - i);
    insert_image(db, i, 1, path);
    must(db_run(db, error, "INSERT INTO split_image (split, image, part) VALUES (1, ?, ?)", "it", (int64_t)i,
                i % 3 ? "train" : "val"));
  }
}

// Publishes one file with these rows and records it.
static void add_file(struct db *db, struct tensor_set *set, const char *key, int ordinal, const struct tensor_row *rows,
                     size_t count)
{
  struct tensor_file file = {.ordinal = ordinal, .first_row = set->rows, .rows = count};
  struct tensor_info tensor = {"images", TENSOR_U8, 4, {count, SIDE, SIDE, 3}};
  struct tensorfile_writer *writer = NULL;
  uint8_t pixels[ROW];
  tensor_file_name(file.path, key, ordinal);
  must(tensorfile_create(&writer, in_folder(file.path), &tensor, 1, NULL, 0, error));
  for (size_t r = 0; r < count; r++) {
    pixels_of(rows[r].image, rows[r].variant, pixels);
    must(tensorfile_write(writer, 0, r * ROW, pixels, ROW, error));
  }
  must(tensorfile_publish(writer, &file.bytes, file.sha256, error));
  tensorfile_discard(writer);
  must(tensor_set_add_file(db, set, &file, rows, error));
}

static const char resized_key[] = "aaaaaaaaaaaaaaaa", augmented_key[] = "bbbbbbbbbbbbbbbb";

static struct tensor_set make_resized(struct db *db)
{
  struct tensor_set set = {.kind = "resized", .dataset = 1, .height = SIDE, .width = SIDE, .channels = 3};
  struct tensor_row rows[IMAGES];
  must(tensor_set_begin(db, &set, resized_key, "{}", error));
  for (int i = 0; i < IMAGES; i++) rows[i] = (struct tensor_row){.image = i + 1};
  for (int first = 0, ordinal = 0; first < IMAGES; first += FILE_ROWS, ordinal++)
    add_file(db, &set, resized_key, ordinal, rows + first,
             (size_t)(IMAGES - first < FILE_ROWS ? IMAGES - first : FILE_ROWS));
  must(tensor_set_finish(db, &set, error));
  return set;
}

// Copies 1 ... COPIES of the training images.
static struct tensor_set make_augmented(struct db *db)
{
  struct tensor_set set = {.kind = "augmented", .dataset = 1, .split = 1, .height = SIDE, .width = SIDE, .channels = 3};
  must(tensor_set_begin(db, &set, augmented_key, "{}", error));
  for (int variant = 1; variant <= COPIES; variant++) {
    struct tensor_row rows[IMAGES];
    size_t count = 0;
    for (int i = 1; i <= IMAGES; i++)
      if (i % 3) rows[count++] = (struct tensor_row){i, variant, "{\"rotate\": 1}"};
    add_file(db, &set, augmented_key, variant - 1, rows, count);
  }
  must(tensor_set_finish(db, &set, error));
  return set;
}

static struct db *open_db(void)
{
  struct db *db = NULL;
  must(db_open(&db, in_folder("manifest.db"), DB_EXISTING, error));
  return db;
}

static int set_up(void **state)
{
  if (folder_setup(state) || mkdir(in_folder("tensors"), 0777)) return -1;
  struct db *db = NULL;
  must(db_open(&db, in_folder("manifest.db"), DB_CREATE, error));
  insert_images(db);
  make_resized(db);
  make_augmented(db);
  db_close(db);
  return 0;
}

static struct loader *open_part(struct db *db, const char *key, const char *part, const struct augment_recipe *recipe)
{
  struct tensor_set set;
  struct loader *loader = NULL;
  bool found;
  must(tensor_set_find(db, key, 0, &set, &found, error));
  assert_true(found && set.done);
  const struct loader_options options = {&set.id, 1, 1, part, recipe, 9, 0, true};
  must(loader_open(&loader, db, folder, &options, error));
  return loader;
}

static void assert_pixels(const struct loader *loader, uint64_t epoch, size_t index, int variant)
{
  uint8_t got[ROW], wanted[ROW];
  loader_fetch(loader, epoch, index, got);
  pixels_of(loader_image_id(loader, index), variant, wanted);
  assert_memory_equal(got, wanted, ROW);
}

static void test_parts_come_in_the_order_of_paths(void **state)
{
  (void)state;
  struct db *db = open_db();
  struct loader *train = open_part(db, resized_key, "train", NULL), *val = open_part(db, resized_key, "val", NULL);
  struct loader *test = open_part(db, resized_key, "test", NULL), *all = open_part(db, resized_key, NULL, NULL);
  static const int64_t wanted[] = {7, 5, 4, 2, 1};
  assert_int_equal(loader_images(train), 5);
  assert_int_equal(loader_images(val), 2);
  assert_int_equal(loader_images(test), 0);
  assert_int_equal(loader_images(all), IMAGES);
  assert_int_equal(loader_size(train), SIDE);
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(loader_image_id(train, i), wanted[i]);
    assert_int_equal(loader_labels(train)[i], wanted[i] % 2);
    assert_pixels(train, 1, i, 0);
    assert_pixels(train, 2, i, 0);
  }
  for (size_t i = 0; i < 2; i++) assert_pixels(val, 1, i, 0);
  loader_close(train), loader_close(val), loader_close(test), loader_close(all);
  db_close(db);
}

static void test_copies_take_turns(void **state)
{
  (void)state;
  struct db *db = open_db();
  struct loader *loader = open_part(db, augmented_key, "train", NULL);
  assert_int_equal(loader_images(loader), 5);
  for (uint64_t epoch = 1; epoch <= 5; epoch++)
    for (size_t i = 0; i < 5; i++) assert_pixels(loader, epoch, i, epoch % 2 ? 1 : 2);
  loader_close(loader);
  db_close(db);
}

// The rows of an image stay together where another dataset has an image of its path.
static void test_copies_of_datasets_that_share_paths(void **state)
{
  (void)state;
  static const char key[] = "dddddddddddddddd";
  static const int64_t wanted[] = {8, 2, 9, 1};
  struct db *db = open_db();
  struct tensor_set set = {.kind = "augmented", .dataset = 2, .split = 2, .height = SIDE, .width = SIDE, .channels = 3};
  struct loader *loader = NULL;
  must(db_run(db, error, "INSERT INTO dataset (id, name, root) VALUES (2, 'e', x'2f65')", ""));
  must(db_run(db, error, "INSERT INTO class VALUES (2, 0, 'A'), (2, 1, 'B')", ""));
  must(db_run(db, error, "INSERT INTO split VALUES (2, 2, 'both', '{}', 'random', 0, 4, 0, 0, 0, 4)", ""));
  must(db_run(db, error, "INSERT INTO split_dataset VALUES (2, 0, 2), (2, 1, 1)", ""));
  must(db_run(db, error, "INSERT INTO split_class VALUES (2, 0, 'A'), (2, 1, 'B')", ""));
  insert_image(db, 8, 2, "A/8.jpg"), insert_image(db, 9, 2, "A/9.jpg"); // as images 2 and 1 are called
  must(tensor_set_begin(db, &set, key, "{}", error));
  for (int variant = 1; variant <= COPIES; variant++) {
    struct tensor_row rows[4];
    for (int i = 0; i < 4; i++) rows[i] = (struct tensor_row){.image = wanted[i], .variant = variant};
    add_file(db, &set, key, variant - 1, rows, 4);
  }
  must(tensor_set_finish(db, &set, error));
  const struct loader_options options = {.tensor_sets = &set.id, .tensor_set_count = 1, .split = 2};
  must(loader_open(&loader, db, folder, &options, error));
  assert_int_equal(loader_images(loader), 4);
  assert_int_equal(loader_copies(loader), COPIES);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(loader_image_id(loader, i), wanted[i]);
    for (int variant = 1; variant <= COPIES; variant++) assert_pixels(loader, (uint64_t)variant, i, variant);
  }
  loader_close(loader);
  db_close(db);
}

static void test_on_the_fly_is_drawn_by_number_and_epoch(void **state)
{
  (void)state;
  const struct augment_recipe recipe = {.rotate = 20, .brightness = 0.5f, .noise = 5};
  struct db *db = open_db();
  struct loader *loader = open_part(db, resized_key, "train", &recipe);
  uint8_t source[ROW], wanted[ROW], got[ROW], first[ROW];
  assert_int_equal(loader_image_number(loader, 0), 0x1000 + 7); // the first 15 digits
  for (uint64_t epoch = 1; epoch <= 3; epoch++) {
    pixels_of(loader_image_id(loader, 1), 0, source);
    struct augment_parameters drawn = augment_draw(&recipe, 9, loader_image_number(loader, 1), epoch);
    augment_apply(&drawn, source, NULL, SIDE, SIDE, wanted);
    loader_fetch(loader, epoch, 1, got);
    assert_memory_equal(got, wanted, ROW);
    if (epoch == 1)
      memcpy(first, got, ROW);
    else
      assert_memory_not_equal(got, first, ROW);
  }
  loader_close(loader);
  db_close(db);
}

static void test_mixup_mixes_what_both_are_seen_as(void **state)
{
  (void)state;
  struct db *db = open_db();
  struct loader *plain = open_part(db, resized_key, "train", NULL), *loader = NULL;
  struct tensor_set set;
  bool found;
  must(tensor_set_find(db, resized_key, 0, &set, &found, error));
  const struct loader_options options = {&set.id, 1, 1, "train", NULL, 9, 0.4f, true};
  must(loader_open(&loader, db, folder, &options, error));
  struct fit_data data = loader_fit_data(loader), none = loader_fit_data(plain);
  assert_null(none.mix);
  int alone = 0, halves = 0;
  for (uint64_t epoch = 1; epoch <= 200; epoch++)
    for (size_t i = 0; i < 5; i++) {
      struct loader_mix mix = loader_mix(loader, epoch, i);
      uint8_t own[ROW], other[ROW], got[ROW];
      int32_t label = -1;
      assert_true(mix.share >= MIXUP_UNIT / 2 && mix.share <= MIXUP_UNIT && mix.other < 5);
      assert_true(data.mix(data.self, epoch, i, &label) == (float)mix.share / MIXUP_UNIT);
      assert_int_equal(label, loader_labels(loader)[mix.other]);
      loader_fetch(plain, epoch, i, own), loader_fetch(plain, epoch, mix.other, other);
      loader_fetch(loader, epoch, i, got);
      for (int b = 0; b < ROW; b++)
        assert_int_equal(got[b], (own[b] * mix.share + other[b] * (MIXUP_UNIT - mix.share) + 128) / 256);
      alone += mix.share > MIXUP_UNIT * 9 / 10, halves += mix.share < MIXUP_UNIT * 6 / 10;
    }
  // Of Beta(0.4, 0.4) 48 % are within a tenth of an end, and 11 % of the middle.
  assert_in_range(alone, 420, 530);
  assert_in_range(halves, 60, 150);
  loader_close(loader), loader_close(plain);
  db_close(db);
}

// Opening fails with a message that has this text.
static void refused(const char *text)
{
  struct db *db = open_db();
  struct tensor_set set;
  struct loader *loader = NULL;
  struct error why = {0};
  bool found;
  must(tensor_set_find(db, resized_key, 0, &set, &found, error));
  const struct loader_options options = {&set.id, 1, 1, "train", NULL, 0, 0, true};
  assert_int_equal(loader_open(&loader, db, folder, &options, &why), BAD_DATA);
  assert_null(loader);
  if (!strstr(why.text, text)) fail_msg("\"%s\" does not say \"%s\"", why.text, text);
  db_close(db);
}

static void test_files_that_are_not_what_their_rows_say(void **state)
{
  (void)state;
  char path[128], aside[160];
  tensor_file_name(path, resized_key, 1);
  snprintf(aside, sizeof aside, "%s.aside", path);
  struct stat found;
  struct db *db = open_db();
  must(db_run(db, error, "UPDATE tensor_set SET height = 4, width = 4 WHERE key = ?", "t", resized_key));
  refused("aaaaaaaaaaaa-00000.safetensors: tensor images is U8 [3, 8, 8, 3], needed is U8 [3, 4, 4, 3]");
  must(db_run(db, error, "UPDATE tensor_set SET height = 8, width = 8 WHERE key = ?", "t", resized_key));
  db_close(db);

  assert_int_equal(stat(in_folder(path), &found), 0);
  assert_int_equal(chmod(in_folder(path), 0666), 0);

  assert_int_equal(rename(in_folder(path), in_folder(aside)), 0);
  refused("No such file");
  assert_int_equal(symlink(in_folder(aside), in_folder(path)), 0);
  refused("not a plain file");
  assert_int_equal(unlink(in_folder(path)), 0);
  assert_int_equal(rename(in_folder(aside), in_folder(path)), 0);

  FILE *file = fopen(in_folder(path), "r+b"); // one bit of rot
  assert_non_null(file);
  assert_int_equal(fseek(file, -1, SEEK_END), 0);
  int last = fgetc(file);
  assert_int_equal(fseek(file, -1, SEEK_END), 0);
  assert_int_not_equal(fputc(last ^ 1, file), EOF);
  assert_int_equal(fclose(file), 0);
  refused("SHA-256");

  assert_int_equal(truncate(in_folder(path), found.st_size - 1), 0);
  refused("bytes, the manifest says");
}

static void test_rows_that_lead_out_are_refused(void **state)
{
  (void)state;
  static const char *const paths[] = {"../x", "/etc/passwd", "tensors/../../x", "tensors/a/b", "elsewhere/x"};
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    struct tensor_file file = {0};
    struct error why = {0};
    snprintf(file.path, sizeof file.path, "%s", paths[i]);
    assert_int_equal(tensor_file_check(folder, &file, &why), BAD_DATA);
    assert_non_null(strstr(why.text, "outside"));
  }
}

static void test_an_unfinished_set_goes_on(void **state)
{
  (void)state;
  struct db *db = open_db();
  struct tensor_set set = {.kind = "resized", .dataset = 1, .height = SIDE, .width = SIDE, .channels = 3}, again = set;
  struct tensor_row rows[2] = {{.image = 1}, {.image = 2}};
  must(tensor_set_begin(db, &set, "cccccccccccccccc", "{\"a\": 1}", error));
  add_file(db, &set, "cccccccccccccccc", 0, rows, 2);
  write_file("tensors/cccccccccccc-00001.safetensors", "x", 1); // published, but its row was never written
  must(tensor_set_begin(db, &again, "cccccccccccccccc", "{\"a\": 1}", error));
  assert_int_equal(again.id, set.id);
  assert_int_equal(again.rows, 2);
  must(tensor_set_collect(db, folder, "cccccccccccccccc", error));
  assert_int_equal(access(in_folder("tensors/cccccccccccc-00001.safetensors"), F_OK), -1);
  assert_int_equal(access(in_folder("tensors/cccccccccccc-00000.safetensors"), F_OK), 0);
  assert_int_equal(access(in_folder("tensors/aaaaaaaaaaaa-00000.safetensors"), F_OK), 0);
  must(tensor_set_forget_from(db, &again, 0, error));
  assert_int_equal(again.rows, 0);
  char *previous = NULL;
  must(tensor_set_previous(db, "resized", 1, &previous, error));
  assert_string_equal(previous, "{\"a\": 1}");
  free(previous);
  db_close(db);
}

// A changed row must not decide how many bytes of a stage's buffer are a row.
static void test_an_earlier_set_is_what_was_asked_for(void **state)
{
  (void)state;
  static const char *const changes[] = {"kind = 'features'", "height = 0",   "height = 9",
                                        "width = 1000",      "channels = 4", "dtype = 'BF16'"};
  struct db *db = open_db();
  struct tensor_set set = {.kind = "resized", .dataset = 1, .height = SIDE, .width = SIDE, .channels = 3};
  must(tensor_set_begin(db, &set, "ffffffffffffffff", "{}", error));
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    char sql[128], name[32];
    struct error why = {0};
    struct tensor_set again = {.kind = "resized", .dataset = 1, .height = SIDE, .width = SIDE, .channels = 3};
    snprintf(sql, sizeof sql, "UPDATE tensor_set SET %s WHERE id = %d", changes[i], (int)set.id);
    must(db_run(db, error, sql, ""));
    assert_int_equal(tensor_set_begin(db, &again, "ffffffffffffffff", "{}", &why), BAD_DATA);
    assert_int_equal(again.height, SIDE);
    snprintf(name, sizeof name, "tensor set %d is ", (int)set.id);
    if (!strstr(why.text, name) || !strstr(why.text, "manifest.db")) fail_msg("%s: %s", changes[i], why.text);
    must(db_run(db, error,
                "UPDATE tensor_set SET kind = 'resized', height = 8, width = 8, channels = 3, dtype = 'U8'"
                " WHERE id = ?",
                "i", set.id));
  }
  must(tensor_set_begin(db, &set, "ffffffffffffffff", "{}", error));
  db_close(db);
}

static void test_numbers_of_a_type_that_no_stage_writes_are_refused(void **state)
{
  (void)state;
  struct db *db = open_db();
  struct tensor_set set = {.kind = "features", .dataset = 1, .height = 1, .width = 1, .channels = 8};
  struct error why = {0};
  bool found;
  must(tensor_set_begin(db, &set, "eeeeeeeeeeeeeeee", "{}", error));
  must(db_run(db, error, "UPDATE tensor_set SET dtype = 'F32' WHERE id = ?", "i", set.id));
  assert_int_equal(tensor_set_find(db, NULL, set.id, &set, &found, &why), BAD_DATA);
  assert_non_null(strstr(why.text, "of type F32"));
  db_close(db);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_come_in_the_order_of_paths),
      cmocka_unit_test(test_copies_take_turns),
      cmocka_unit_test(test_copies_of_datasets_that_share_paths),
      cmocka_unit_test(test_on_the_fly_is_drawn_by_number_and_epoch),
      cmocka_unit_test(test_mixup_mixes_what_both_are_seen_as),
      cmocka_unit_test(test_rows_that_lead_out_are_refused),
      cmocka_unit_test(test_an_unfinished_set_goes_on),
      cmocka_unit_test(test_an_earlier_set_is_what_was_asked_for),
      cmocka_unit_test(test_numbers_of_a_type_that_no_stage_writes_are_refused),
      cmocka_unit_test(test_files_that_are_not_what_their_rows_say), // last: the files are broken then
  };
  return cmocka_run_group_tests(tests, set_up, folder_teardown);
}
