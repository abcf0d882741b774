// Rows of the manifest: what the functions of store/ write and read back, and what they refuse.
#include "store/runs.h"

#include "check.h"
#include "folder.h"

#define must(call)                                                                                                     \
  do {                                                                                                                 \
    struct error must_error = {0};                                                                                     \
    struct error *error = &must_error;                                                                                 \
    if ((call) != OK) fail_msg("%s: %s", #call, must_error.text);                                                      \
  } while (0)

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
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
