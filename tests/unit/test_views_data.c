// The views about splits and data: leakage, groups, runs on other splits, the audit, labels in doubt.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // after our headers: it makes a macro of fail

static char folder[] = "/tmp/test_views_data.XXXXXX";
static char path[64];

#define RUN_COLUMNS                                                                                                    \
  "INSERT INTO run (id, name, key, parameters, config, state, model, dataset, split, tensor_set, seed, precision, "    \
  "threads, isa, host, versions, parameter_count, trainable_count, epochs_planned, started_at, finished_at) VALUES "
#define RUN(id, name, state, split, seed)                                                                              \
  "(" id ", '" name "', 'k" id "', '{}', '', '" state "', 'seed-cnn', 1, " split ", 1, " seed                          \
  ", 'fp32', 1, 'i', 'h', '{}', 1, 1, 2, 0.0, " id ".0)"
#define IMAGE(id, label, name, sha, side, brightness, sharpness)                                                       \
  "(" id ", 1, " label ", CAST('" name "' AS BLOB), '" name "', 'ok', " side ", 64, 9, '" sha "', " brightness         \
  ", " sharpness ", " id ", 0, 0)"
#define PREDICTION(image, part, label, predicted, confidence, label_confidence, second, second_confidence)             \
  "(1, " image ", '" part "', " label ", " predicted ", " confidence ", " label_confidence ", 1, " second              \
  ", " second_confidence ", 1.0)"

static const char *const rows[] = {
    "INSERT INTO dataset (id, name, root, fingerprint, images) VALUES (1, 'hands', x'2f64', 'f', 8)",
    "INSERT INTO class VALUES (1, 0, 'A'), (1, 1, 'B')",
    "INSERT INTO image (id, dataset, label, path, shown, status, width, height, bytes, sha256, brightness, sharpness, "
    "frame, mtime_ns, inode) VALUES " IMAGE("1", "0", "A/1", "s1", "64", "100.0", "50.0") ", " IMAGE(
        "2", "0", "A/2", "s1", "64", "100.0",
        "50.0") ", " IMAGE("3", "0", "A/3", "s2", "64", "30.0",
                           "50.0") ", " IMAGE("4", "0", "A/4", "s3", "64", "100.0",
                                              "50.0") ", " IMAGE("5", "1", "B/5", "s3", "64", "216.0",
                                                                 "50.0") ", " IMAGE("6", "1", "B/6", "s4", "64",
                                                                                    "215.0",
                                                                                    "9.0") ", " IMAGE("7", "1", "B/7",
                                                                                                      "s5", "40",
                                                                                                      "40.0",
                                                                                                      "10.0") ","
                                                                                                              " " IMAGE(
                                                                                                                  "8",
                                                                                                                  "1",
                                                                                                                  "B/8",
                                                                                                                  "s6",
                                                                                                                  "97",
                                                                                                                  "100."
                                                                                                                  "0",
                                                                                                                  "50."
                                                                                                                  "0"),
    "INSERT INTO look_alike VALUES (1, 7, 2, 5), (4, 6, 2, 4), (5, 1, 3, NULL)",
    "INSERT INTO split VALUES (1, 1, 'aaaaaaaabb', '', 'random', 7, 3, 4, 0, 0.0, 5), (2, 1, 'ccccccccdd', '', "
    "'grouped', "
    "7, 4, 3, 0, 0.0, 2), (3, 1, 'eeeeeeeeff', '', 'grouped', 7, 4, 3, 0, 0.0, 2)",
    // As stage split writes them: the third is of what the folder came to hold since.
    "UPDATE split SET parameters = format('{\"code\":\"1\",\"dataset content\":\"%s\",\"split.method\":\"%s\"}', "
    "iif(id = 3, 'b', 'a'), method)",
    "INSERT INTO split_dataset VALUES (1, 0, 1), (2, 0, 1), (3, 0, 1)",
    "INSERT INTO split_class VALUES (1, 0, 'A'), (1, 1, 'B'), (2, 0, 'A'), (2, 1, 'B')",
    "INSERT INTO split_image VALUES (1, 1, 'train', 1, NULL), (1, 2, 'val', 1, 0), (1, 3, 'val', 2, 5), (1, 4, 'val', "
    "3, "
    "6), (1, 5, 'val', 4, NULL), (2, 1, 'train', 1, NULL), (2, 2, 'none', 1, NULL), (2, 3, 'val', 2, 3), (2, 4, "
    "'test', "
    "2, 2)",
    "INSERT INTO tensor_set (id, kind, dataset, key, parameters, state, height, width, channels, dtype, rows, "
    "created_at) VALUES (1, 'resized', 1, 't', '{}', 'done', 100, 100, 3, 'U8', 3, 0.0)",
    RUN_COLUMNS RUN("1", "one", "done", "1", "7") ", " RUN("2", "two", "done", "2", "7") ", " RUN(
        "3", "three", "done", "2", "8") ", " RUN("4", "four", "running", "2", "7"),
    RUN_COLUMNS RUN("5", "grown", "done", "3", "7") ", " RUN("6", "turned", "done", "2", "7"),
    "UPDATE run SET config = replace(format('name: %s,augment:,  rotate: %d,train:,evaluate:,', name, name = "
    "'turned'), "
    "',', char(10))",
    "INSERT INTO metric VALUES (1, 'val', 'accuracy', 0.9, 0.8, 0.95, 4), (2, 'val', 'accuracy', 0.5, 0.4, 0.6, 1), "
    "(3, "
    "'val', 'accuracy', 0.6, 0.5, 0.7, 1), (4, 'val', 'accuracy', 0.7, 0.5, 0.8, 1), (5, 'val', 'accuracy', 0.8, 0.5, "
    "0.8, 1), (6, 'val', 'accuracy', 0.75, 0.5, 0.8, 1)",
    // Mean self-confidences in val: A (0.9 + 0.8 + 0.7 + 0.05) / 4 = 0.61, B (0.9 + 0.5 + 0.4) / 3 = 0.6.
    "INSERT INTO prediction (run, image, part, label, predicted, confidence, label_confidence, label_rank, second, "
    "second_confidence, loss) VALUES " PREDICTION("1", "val", "0", "0", "0.9", "0.9", "1", "0.1") ", " PREDICTION("2", "val", "0", "0", "0.8", "0.8", "1", "0.2") ", " PREDICTION(
        "3", "val", "0", "0", "0.7", "0.7", "1",
        "0.3") ", " PREDICTION("4", "val", "0", "1", "0.95", "0.05", "0",
                               "0.05") ", " PREDICTION("5", "val", "1", "1", "0.9", "0.9", "0",
                                                       "0.1") ", " PREDICTION("6", "val", "1", "1", "0.5", "0.5", "0",
                                                                              "0.5") ", " PREDICTION("7", "val", "1",
                                                                                                     "0", "0.6", "0.4",
                                                                                                     "1",
                                                                                                     "0.4") ","
                                                                                                            " " PREDICTION(
                                                                                                                "8",
                                                                                                                "train",
                                                                                                                "1",
                                                                                                                "0",
                                                                                                                "0.99",
                                                                                                                "0.01",
                                                                                                                "1",
                                                                                                                "0.01"),
};

// The rows of a query, columns between '|', rows between newlines.
static void ask(const char *sql, const char *wanted)
{
  char got[2048] = "";
  size_t used = 0;
  struct db *db = NULL;
  struct query *query = NULL;
  struct error error = {0};
  enum status status = db_open(&db, path, DB_EXISTING, &error);
  if (!status) status = query_open(&query, db, sql, &error);
  while (!status && query_next(query, &status, &error) && used < sizeof got)
    for (int c = 0; c < query_columns(query) && used < sizeof got; c++)
      used += (size_t)snprintf(got + used, sizeof got - used, "%s%s", query_text(query, c),
                               c + 1 < query_columns(query) ? "|" : "\n");
  query_close(query);
  db_close(db);
  if (status) fail_msg("%s", error.text);
  assert_string_equal(got, wanted);
}

static void change(const char *sql)
{
  struct db *db = NULL;
  struct error error = {0};
  enum status status = db_open(&db, path, DB_EXISTING, &error);
  if (!status) status = db_run(db, &error, sql, "");
  db_close(db);
  if (status) fail_msg("%s", error.text);
}

static void test_leakage(void **state)
{
  (void)state;
  ask("SELECT split, part, images, with_train_neighbour, share, bits, dataset, runs FROM leakage",
      "grouped-cccccccc|val|1|0|0.0|2|hands|four, three, turned, two\ngrouped-cccccccc|test|1|1|1.0|2|hands|four, "
      "three, turned, two\n"
      "random-aaaaaaaa|val|4|2|0.5|5|hands|one\n");
  ask("SELECT split, grouping, label, images, first, last, train, val, test, none FROM near_duplicate_groups WHERE "
      "images "
      "> 1",
      "random-aaaaaaaa|1|A|2|1|2|1|1|0|0\ngrouped-cccccccc|1|A|2|1|2|1|0|0|1\ngrouped-cccccccc|2|A|2|3|4|0|1|1|0\n");
}

// Frame 17 of one folder has nothing to do with frame 17 of another.
static void test_groups_over_several_datasets(void **state)
{
  (void)state;
  change("INSERT INTO dataset (id, name, root) VALUES (2, 'a, b', x'2f65')");
  change("INSERT INTO split_dataset VALUES (3, 1, 2)");
  change("INSERT INTO class VALUES (2, 0, 'B')");
  change("INSERT INTO image (id, dataset, label, path, shown, status, width, height, bytes, sha256, frame, mtime_ns, "
         "inode) "
         "VALUES (20, 2, 0, x'31', '1', 'ok', 8, 8, 1, 's', 1, 0, 0), (21, 2, 0, x'32', '2', 'ok', 8, 8, 1, 's', 2, 0, "
         "0)");
  change("INSERT INTO split_image (split, image, part, grouping) VALUES (3, 20, 'train', 1), (3, 6, 'none', 1), (3, "
         "21, 'val', 1), "
         "(3, 7, 'val', 2)");
  ask("SELECT grouping, label, images, first, last, train, val, none, dataset FROM near_duplicate_groups WHERE split "
      "LIKE "
      "'%eeeeeeee'",
      "1|B|3|||1|1|1|hands + a, b\n2|B|1|7|7|0|1|0|hands\n");
  change("DELETE FROM split_image WHERE split = 3");
  change("DELETE FROM dataset WHERE id = 2");
}

static void test_comparison(void **state)
{
  (void)state;
  // Of the grouped runs the one of the same settings and seed, not the later ones, not the unfinished one, none on what
  // the folder came to hold since; a run itself is itself.
  ask("SELECT method, other, accuracy, images, with_train_neighbour FROM split_comparison WHERE run = 'one'",
      "random|one|0.9|4|2\ngrouped|two|0.5|1|0\n");
  ask("SELECT method, other FROM split_comparison WHERE run = 'three'", "random|one\ngrouped|three\n");
  ask("SELECT other FROM split_comparison WHERE run = 'four' AND method = 'grouped'", "four\n");
  ask("SELECT method, other FROM split_comparison WHERE run = 'grown'", "grouped|grown\n");
}

static void test_audit(void **state)
{
  (void)state;
  ask("SELECT concern, path, label, detail, other, place FROM audit",
      "same bytes in another class|A/4|A|hands: B/5|5|1\nsame bytes in another class|B/5|B|hands: A/4|4|2\n"
      "looks like another class|B/5|B|3 bits from A/1|1|1\nlooks like another class|A/1|A|2 bits from B/7|7|2\n"
      "same bytes in its class|A/2|A|2 copies|1|1\ndark|A/3|A|mean grey 30||1\nbright|B/5|B|mean grey 216||1\n"
      "blurred|B/6|B|sharpness 9.0||1\ntiny|B/7|B|40 x 64||1\nodd shape|B/7|B|40 x 64||1\nodd shape|B/8|B|97 x "
      "64||2\n");
  ask("SELECT DISTINCT other_label FROM audit WHERE path = 'A/1'", "B\n");
}

static void test_label_issues(void **state)
{
  (void)state;
  ask("SELECT run, part, path, label, suggested, confidence, label_confidence, dataset FROM label_issues",
      "one|val|A/4|A|B|0.95|0.05|hands\n");
}

static int set_up(void **state)
{
  (void)state;
  struct db *db = NULL;
  struct error error = {0};
  if (!mkdtemp(folder)) return -1;
  snprintf(path, sizeof path, "%s/manifest.db", folder);
  if (db_open(&db, path, DB_CREATE, &error) || db_begin(db, &error)) return -1;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    if (db_run(db, &error, rows[i], "")) {
      fprintf(stderr, "%s\n%s\n", error.text, rows[i]);
      return -1;
    }
  enum status status = db_commit(db, &error);
  db_close(db);
  return status ? -1 : 0;
}

static int tear_down(void **state)
{
  (void)state;
  char journal[80];
  snprintf(journal, sizeof journal, "%s-journal", path);
  unlink(path);
  unlink(journal);
  return rmdir(folder);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leakage),      cmocka_unit_test(test_groups_over_several_datasets),
      cmocka_unit_test(test_comparison),   cmocka_unit_test(test_audit),
      cmocka_unit_test(test_label_issues),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
