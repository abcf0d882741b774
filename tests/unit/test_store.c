// Rows of the manifest: what the functions of store/ write and read back, and what they refuse.
#include "store/images.h"
#include "store/runs.h"
#include "store/weights.h"

#include "check.h"
#include "folder.h"

static struct db *db;

// --- outside tests ---------------------------------------------------------------------------------------------------

static const char *const run_rows[] = {
    "INSERT INTO dataset (id, name, root) VALUES (1, 'trained', x'2f61'), (2, 'outside', x'2f62')",
    "INSERT INTO split VALUES (1, 1, 'split', '{}', 'random', 0, 5, 2, 0, 0, 5)",
    "INSERT INTO split_class VALUES (1, 0, 'known')",
    "INSERT INTO tensor_set (id, kind, dataset, key, parameters, state, height, width, channels, dtype, created_at)"
    " VALUES (1, 'resized', 1, 't', '{}', 'done', 8, 8, 3, 'U8', 0)",
    "INSERT INTO run (id, name, key, parameters, config, state, model, dataset, split, tensor_set, seed, precision,"
    " threads, isa, host, versions, parameter_count, trainable_count, epochs_planned, started_at)"
    " VALUES (1, 'run', 'k', '{}', '', 'done', 'seed-cnn', 1, 1, 1, 0, 'fp32', 1, 'i', 'h', '{}', 1, 1, 1, 0)",
};

// A dataset that lacks the run's class and has `count` others, whose names have `length` bytes.
static void make_unknown_classes(int count, int length)
{
  must(db_run(db, error, "DELETE FROM class WHERE dataset = 2", ""));
  for (int i = 0; i < count; i++) {
    char name[64];
    snprintf(name, sizeof name, "%0*d", length, i);
    must(db_run(db, error, "INSERT INTO class VALUES (2, ?, ?)", "it", (int64_t)i, name));
  }
}

// Whatever the length of the names, the list ends at a whole one, and in the dots alone where there are more.
static void test_lists_of_class_names(void **state)
{
  (void)state;
  enum { CLASSES = 260 };
  for (size_t i = 0; i < sizeof run_rows / sizeof *run_rows; i++) must(db_run(db, error, run_rows[i], ""));
  for (int length = 4; length <= 40; length++) {
    struct outside_facts facts;
    must(db_begin(db, error));
    make_unknown_classes(CLASSES, length);
    must(db_commit(db, error));
    must(run_outside_facts(db, 1, 2, &facts, error));
    size_t used = strlen(facts.unknown_classes);
    assert_int_equal(facts.unknown_count, CLASSES);
    assert_true(used < sizeof facts.unknown_classes);
    assert_true(used + (size_t)length + 2 >= sizeof facts.unknown_classes - 5); // no name more would have fitted
    assert_int_equal((used - 3) % (size_t)(length + 2), 0);                     // "name, name, ..."
    assert_string_equal(facts.unknown_classes + used - 5, ", ...");
    assert_string_equal(facts.missing_classes, "known");
  }
}

// --- datasets --------------------------------------------------------------------------------------------------------

// A dataset as a scan finds it: a class for each letter of `classes`, and in each class folder the files 1 and 2.
static void scan(const char *root, const char *classes)
{
  enum { MOST = 8 };
  struct dataset_row dataset;
  struct image_changes changes;
  char names[MOST][2] = {{0}}, paths[2 * MOST][8];
  char *pointers[MOST] = {0};
  struct image_file files[2 * MOST] = {0};
  struct image_row rows[2 * MOST] = {0};
  size_t class_count = strlen(classes), count = 2 * class_count, todo = 0;
  for (size_t i = 0; i < class_count; i++) names[i][0] = classes[i], pointers[i] = names[i];
  for (size_t i = 0; i < count; i++) {
    snprintf(paths[i], sizeof paths[i], "%c/%zu", classes[i / 2], 1 + i % 2);
    files[i] = (struct image_file){.path = paths[i], .label = (int)i / 2, .size = 1};
  }
  must(dataset_open(db, root, &dataset, error));
  must(images_changes(db, dataset.id, files, count, &changes, error));
  for (size_t i = 0; i < count; i++)
    if (changes.todo[i])
      rows[todo++] = (struct image_row){files[i], true, "", "jpeg", 8, 8, .sha256 = "0123456789abcdef"};
  must(dataset_begin(db, dataset.id, pointers, class_count, &changes, error));
  must(images_write(db, dataset.id, rows, todo, error));
  must(dataset_finish(db, &dataset, error));
  images_changes_release(&changes);
}

static void expect(const char *sql, const char *wanted)
{
  char got[512] = "";
  struct query *query = NULL;
  struct error error = {0};
  enum status status = query_open(&query, db, sql, &error);
  for (size_t used = 0; !status && query_next(query, &status, &error) && used < sizeof got;)
    for (int c = 0; c < query_columns(query); c++)
      used +=
          (size_t)snprintf(got + used, sizeof got - used, "%s%s", query_is_null(query, c) ? "-" : query_text(query, c),
                           c + 1 < query_columns(query) ? "|" : " ");
  query_close(query);
  if (status) fail_msg("%s", error.text);
  assert_string_equal(got, wanted);
}

static void test_names_of_datasets(void **state)
{
  (void)state;
  static const char *const names[][2] = {{"/pictures/phone29/train", "phone29/train"},
                                         {"/phone/data", "phone/data"},
                                         {"/train", "train"},
                                         {"/data", "data"},
                                         {"/pictures/data/hands", "hands"},
                                         {"/hands", "hands-2"},
                                         {"/", "dataset"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct dataset_row dataset;
    must(dataset_open(db, names[i][0], &dataset, error));
    assert_string_equal(dataset.name, names[i][1]);
  }
}

static const char labels[] = "SELECT shown, status, class.name FROM image JOIN dataset ON dataset.id = image.dataset"
                             " LEFT JOIN class ON class.dataset = dataset.id AND ordinal = label"
                             " WHERE root = CAST('/letters' AS BLOB) ORDER BY path";

// The ordinals of the classes behind it move with a class folder that goes or comes; no image is ever called by another
// class, and one whose class is gone by none.
static void test_images_of_a_class_that_is_gone(void **state)
{
  (void)state;
  scan("/letters", "ABD");
  expect(labels, "A/1|ok|A A/2|ok|A B/1|ok|B B/2|ok|B D/1|ok|D D/2|ok|D ");
  scan("/letters", "BD");
  expect(labels, "A/1|missing|- A/2|missing|- B/1|ok|B B/2|ok|B D/1|ok|D D/2|ok|D ");
  must(db_run(db, error, "UPDATE image SET status = 'missing', reason = 'one file' WHERE shown IN ('B/2', 'D/2')", ""));
  // As if B/2 and D/2 alone had gone, then the folder A came back and C is new.
  struct dataset_row dataset;
  static char *const classes[] = {"A", "B", "C", "D"};
  must(dataset_open(db, "/letters", &dataset, error));
  must(dataset_begin(db, dataset.id, classes, 4, &(struct image_changes){0}, error));
  expect("SELECT shown, name FROM image LEFT JOIN class ON class.dataset = image.dataset AND ordinal = label"
         " WHERE status = 'missing' ORDER BY path",
         "A/1|- A/2|- B/2|B D/2|D ");
  scan("/letters", "ABCD");
  expect(labels, "A/1|ok|A A/2|ok|A B/1|ok|B B/2|ok|B C/1|ok|C C/2|ok|C D/1|ok|D D/2|ok|D ");
}

// --- files -----------------------------------------------------------------------------------------------------------

static void weights_are(const char *path, uint64_t bytes, const char *message)
{
  struct weights_row row = {.bytes = bytes};
  struct error error = {0};
  snprintf(row.path, sizeof row.path, "%s", path);
  assert_int_equal(weights_file_check(folder, &row, &error), message ? BAD_DATA : OK);
  if (message && (!strstr(error.text, message) || !strstr(error.text, "run build/stages/weights again")))
    fail_msg("%s: %s", path, error.text);
}

static void test_rows_of_weights_that_lead_out_are_refused(void **state)
{
  (void)state;
  static const char *const out[] = {"../x", "/etc/passwd", "weights/../../x", "weights/a/b", "weights", "tensors/x"};
  assert_int_equal(mkdir(in_folder("weights"), 0777), 0);
  write_file("weights/x", "four", 4);
  for (size_t i = 0; i < sizeof out / sizeof *out; i++)
    weights_are(out[i], 4, "the manifest names a file outside weights/");
  weights_are("weights/..", 4, "is not a plain file");
  weights_are("weights/y", 4, "No such file");
  weights_are("weights/x", 5, "weights/x has 4 bytes, the manifest says 5");
  weights_are("weights/x", 4, NULL);
}

// --- all of them -----------------------------------------------------------------------------------------------------

static int set_up(void **state)
{
  struct error error = {0};
  if (folder_setup(state)) return -1;
  return db_open(&db, in_folder("manifest.db"), DB_CREATE, &error);
}

static int tear_down(void **state)
{
  db_close(db);
  return folder_teardown(state);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists_of_class_names),
      cmocka_unit_test(test_names_of_datasets),
      cmocka_unit_test(test_images_of_a_class_that_is_gone),
      cmocka_unit_test(test_rows_of_weights_that_lead_out_are_refused),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
