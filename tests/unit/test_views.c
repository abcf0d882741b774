// Each view against figures worked out by hand from a handful of rows.
//
// Run "first", part val, label -> predicted (images):   A -> A 8, A -> B 2;  B -> B 4, B -> A 1;  C -> B 3;
// D has no images. Run "second", part val: everything right; part test: A -> C 1.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"

// After our headers: it makes `fail` a macro.
#include <cmocka.h>

struct fixture {
  char folder[64], path[128];
  struct db *db;
};

static void must(enum status status, const struct error *error)
{
  if (status != OK) fail_msg("%s", error->text);
}

static void run_sql(struct db *db, const char *sql)
{
  struct error error = {0};
  must(db_run(db, &error, sql, ""), &error);
}

static void predict(struct db *db, int run, const char *part, int first_image, int count, int label, int predicted)
{
  struct error error = {0};
  for (int i = 0; i < count; i++) {
    // The later the image, the surer the network; it always holds class 0 or 1 for the second best.
    double confidence = 0.5 + 0.01 * (first_image + i);
    must(db_run(db, &error,
                "INSERT INTO prediction(run, image, part, label, predicted, confidence, label_confidence, "
                "label_rank, second, "
                "second_confidence, loss) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0.1, 1.0)",
                "iitiirrii", (int64_t)run, (int64_t)(first_image + i), part, (int64_t)label, (int64_t)predicted,
                confidence, label == predicted ? confidence : 0.1,
                (int64_t)(label == predicted ? 1
                          : label == 2       ? 4
                                             : 2),
                (int64_t)(predicted == 0)),
         &error);
  }
}

static const char *const rows[] = {
    "INSERT INTO dataset(id, name, root, fingerprint, images, quarantined) VALUES (1, 'hands', "
    "CAST('/data/hands' AS BLOB), 'ffff', 18, 1)",
    "INSERT INTO class VALUES (1, 0, 'A'), (1, 1, 'B'), (1, 2, 'C'), (1, 3, 'D')",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 18) "
    "INSERT INTO image(id, dataset, label, path, shown, status, width, height, bytes, sha256, mtime_ns, "
    "inode) "
    "SELECT i, 1, (i > 10) + (i > 15), CAST('p' || i || '.jpg' AS BLOB), 'p' || i || '.jpg', 'ok', 8, 8, "
    "100, 'x', 0, 0 FROM n",
    "INSERT INTO image(id, dataset, path, shown, status, reason, bytes, mtime_ns, inode) "
    "VALUES (19, 1, x'ff', '\\xff', 'quarantined', 'empty: 0 bytes', 0, 0, 0)",
    "INSERT INTO split VALUES (1, 1, 's', '{\"dataset content\":\"ffff\"}', 'random', 7, 2, 18, 1, 0.0, 5)",
    "INSERT INTO split_dataset VALUES (1, 0, 1)",
    "INSERT INTO split_class VALUES (1, 0, 'A'), (1, 1, 'B'), (1, 2, 'C'), (1, 3, 'D')",
    "INSERT INTO split_image (split, image, part) VALUES (1, 1, 'train'), (1, 2, 'train'), (1, 3, 'val')",
    "INSERT INTO tensor_set(id, kind, dataset, key, parameters, state, height, width, channels, dtype, rows, "
    "created_at) "
    "VALUES (1, 'resized', 1, 't', '{}', 'done', 100, 100, 3, 'U8', 3, 0.0)",
    "INSERT INTO tensor_row(tensor_set, row, image) VALUES (1, 0, 1), (1, 1, 2), (1, 2, 3)",
    "INSERT INTO run(id, name, key, parameters, config, state, model, dataset, split, tensor_set, seed, "
    "precision, threads, isa, "
    "host, versions, parameter_count, trainable_count, epochs_planned, best_epoch, best_val_accuracy, "
    "weights_sha256, started_at) "
    "VALUES (1, 'first', 'k1', '{\"code\":1,\"train.epochs\":2}', '', 'done', 'seed-cnn', 1, 1, 1, 7, "
    "'fp32', 2, 'avx2', 'h', "
    "'{}', 1234567, 1000, 2, 2, 0.6, 'w1', 0.0), "
    "(2, 'second', 'k2', '{\"code\":1,\"train.epochs\":3}', '', 'done', 'seed-cnn', 1, 1, 1, 7, 'bf16', 2, "
    "'avx2', 'h', "
    "'{}', 1234567, 1000, 3, 1, 0.9, 'w2', 0.0), "
    "(3, 'third', 'k3', '{}', '', 'running', 'seed-cnn', 1, 1, 1, 7, 'bf16', 2, 'avx2', 'h', '{}', 1, 1, 3, "
    "NULL, NULL, NULL, 0.0)",
    "INSERT INTO run_tensor_set VALUES (1, 0, 1), (2, 0, 1), (3, 0, 1)",
    "INSERT INTO epoch VALUES (1, 1, 3.0, 0.1, 2.9, 0.2, 0.001, 10.0, 100.0), (1, 2, 2.0, 0.5, 1.9, 0.6, "
    "0.001, 8.0, 200.0), "
    "(2, 1, 1.0, 0.9, 1.1, 0.9, 0.001, 5.0, 300.0)",
    "INSERT INTO metric VALUES (1, 'val', 'accuracy', 0.6666, 0.4, 0.8, 18), (2, 'val', 'accuracy', 0.9, 0.7, 0.95, "
    "18), "
    "(1, 'test', 'accuracy', 0.5, "
    "0.2, 0.7, 10), "
    "(1, 'val', 'macro_f1', 0.47, NULL, NULL, 18), (1, 'val', 'top3_accuracy', 0.9, 0.7, 0.95, 18)",
    "INSERT INTO stage_log(stage, arguments, subject, state, images, seconds, images_per_second, "
    "peak_memory, threads, version, "
    "pid, started_at) VALUES ('ingest', '[]', 'hands', 'done', 19, 2.0, 9.5, 2097152, 2, '0', 1, 0.0), "
    "('ingest', '[]', 'hands', 'done', 0, 0.1, 0.0, 2097152, 2, '0', 1, 1.0), "
    "('resize', '[]', 'hands', 'failed', 5, 0.1, 50.0, 2097152, 2, '0', 1, 2.0)",
};

static int set_up(void **state)
{
  struct fixture *fixture = calloc(1, sizeof *fixture);
  struct error error = {0};
  snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_views.XXXXXX");
  if (!mkdtemp(fixture->folder)) return -1;
  snprintf(fixture->path, sizeof fixture->path, "%s/manifest.db", fixture->folder);
  must(db_open(&fixture->db, fixture->path, DB_CREATE, &error), &error);
  must(db_begin(fixture->db, &error), &error);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) run_sql(fixture->db, rows[i]);
  predict(fixture->db, 1, "val", 1, 8, 0, 0);
  predict(fixture->db, 1, "val", 9, 2, 0, 1);
  predict(fixture->db, 1, "val", 11, 4, 1, 1);
  predict(fixture->db, 1, "val", 15, 1, 1, 0);
  predict(fixture->db, 1, "val", 16, 3, 2, 1);
  predict(fixture->db, 2, "val", 1, 10, 0, 0);
  predict(fixture->db, 2, "test", 11, 1, 0, 2);
  must(db_commit(fixture->db, &error), &error);
  *state = fixture;
  return 0;
}

static int tear_down(void **state)
{
  struct fixture *fixture = *state;
  db_close(fixture->db);
  unlink(fixture->path);
  rmdir(fixture->folder);
  free(fixture);
  return 0;
}

// The whole result as text: columns by "|", rows by "\n", reals with four decimals, NULL as "-".
static void expect_rows(void **state, const char *sql, const char *expected)
{
  struct fixture *fixture = *state;
  struct error error = {0};
  struct query *query = NULL;
  enum status status = query_open(&query, fixture->db, sql, &error);
  must(status, &error);
  char text[4096] = "";
  size_t used = 0;
  while (query_next(query, &status, &error))
    for (int c = 0; c < query_columns(query); c++) {
      const char *value = query_is_null(query, c) ? "-" : query_text(query, c);
      char *end, number[32];
      double real = strtod(value, &end);
      if (*end == '\0' && strchr(value, '.')) value = (snprintf(number, sizeof number, "%.4f", real), number);
      used +=
          (size_t)snprintf(text + used, sizeof text - used, "%s%s", value, c + 1 < query_columns(query) ? "|" : "\n");
      assert_true(used < sizeof text);
    }
  must(status, &error);
  query_close(query);
  assert_string_equal(text, expected);
}

static void test_learning_curve(void **state)
{
  expect_rows(state, "SELECT * FROM learning_curve WHERE run = 'first'",
              "first|1|3.0000|0.1000|2.9000|0.2000|0.0010|10.0000|100.0000|0\n"
              "first|2|2.0000|0.5000|1.9000|0.6000|0.0010|8.0000|200.0000|1\n");
}

static void test_confusion_names_classes_and_leaves_out_pairs_that_never_happened(void **state)
{
  expect_rows(state, "SELECT run, part, label, predicted, images, share FROM confusion WHERE run = 'first'",
              "first|val|A|A|8|0.8000\n"
              "first|val|A|B|2|0.2000\n"
              "first|val|B|A|1|0.2000\n"
              "first|val|B|B|4|0.8000\n"
              "first|val|C|B|3|1.0000\n");
  expect_rows(state, "SELECT run, part, label, predicted, images FROM confusion WHERE run = 'second'",
              "second|test|A|C|1\n"
              "second|val|A|A|10\n");
}

// Wilson intervals by python3: 8/10, 4/5, 0/3; precision 8/9, 4/9.
static void test_class_metrics(void **state)
{
  expect_rows(state,
              "SELECT label, images, predicted, right, precision, recall, f1, recall_low, recall_high, "
              "precision_low, "
              "precision_high, top3 FROM class_metrics WHERE run = 'first' AND part = 'val'",
              "A|10|9|8|0.8889|0.8000|0.8421|0.4902|0.9433|0.5650|0.9801|1.0000\n"
              "B|5|9|4|0.4444|0.8000|0.5714|0.3755|0.9638|0.1888|0.7333|1.0000\n"
              "C|3|0|0|-|0.0000|0.0000|0.0000|0.5615|-|-|0.0000\n"
              "D|0|0|0|-|-|-|-|-|-|-|-\n");
}

static void test_misclassified_has_the_most_confident_first(void **state)
{
  expect_rows(state,
              "SELECT path, label, predicted, confidence, label_confidence, label_rank, second FROM misclassified "
              "WHERE run = 'first' AND part = 'val' LIMIT 4",
              "p18.jpg|C|B|0.6800|0.1000|4|A\n"
              "p17.jpg|C|B|0.6700|0.1000|4|A\n"
              "p16.jpg|C|B|0.6600|0.1000|4|A\n"
              "p15.jpg|B|A|0.6500|0.1000|2|B\n");
  expect_rows(state, "SELECT count(*) FROM misclassified WHERE run = 'first'", "6\n");
}

static void test_worst_pairs(void **state)
{
  expect_rows(state, "SELECT * FROM worst_pairs WHERE run = 'first' AND part = 'val'",
              "first|val|C|B|3|1.0000\n"
              "first|val|A|B|2|0.2000\n"
              "first|val|B|A|1|0.2000\n");
}

static void test_throughput_is_of_executions_that_did_work(void **state)
{
  expect_rows(state,
              "SELECT stage, subject, images, seconds, images_per_second, peak_memory_mib, threads, "
              "started_at FROM throughput",
              "ingest|hands|19|2.0000|9.5000|2.0000|2|1970-01-01 00:00:00\n");
}

static void test_leaderboard_has_finished_runs_with_the_best_first(void **state)
{
  expect_rows(state,
              "SELECT run, model, dataset, split, precision, epochs, val_accuracy, val_low, val_high, "
              "test_accuracy, val_top3, "
              "macro_f1, seconds, images_per_second, parameters, weights_sha256 FROM leaderboard",
              "second|seed-cnn|hands|random|bf16|1|0.9000|0.7000|0.9500|-|-|-|5.0000|300.0000|1234567|w2\n"
              "first|seed-cnn|hands|random|fp32|2|0.6666|0.4000|0.8000|0.5000|0.9000|0.4700|18.0000|133.3333|"
              "1234567|w1\n");
}

// Both judged images 1 to 10 of val: all right in the second run, two of them wrong in the first. p = 2 / 2^2.
static void test_leaderboard_sets_each_run_beside_its_rival(void **state)
{
  expect_rows(state, "SELECT run, trained, model_mib, rival, shared, only_run, only_rival, p FROM leaderboard",
              "second|1000|4.7095|first|10|2|0|0.5000\n"
              "first|1000|4.7095|second|10|0|2|0.5000\n");
  expect_rows(state, "SELECT * FROM run_comparison WHERE run = 'first'",
              "first|second|val|10|0.8000|1.0000|-0.2000|0|2|0.5000|seed-cnn|seed-cnn\n");
}

// By python3: 2 * sum(comb(14, i) for i in range(4)) / 2 ** 14 = 0.0574. Last, because it changes what the others read.
static void test_comparison_of_outside_tests_and_not_across_splits(void **state)
{
  struct fixture *fixture = *state;
  run_sql(fixture->db, "INSERT INTO split VALUES (2, 1, 's2', '{}', 'grouped', 7, 2, 18, 1, 0.0, 5)");
  run_sql(fixture->db, "INSERT INTO split_class SELECT 2, ordinal, name FROM split_class WHERE split = 1");
  run_sql(fixture->db, "UPDATE run SET split = 2 WHERE id = 2");
  predict(fixture->db, 1, "outside:far", 1, 7, 0, 0);
  predict(fixture->db, 1, "outside:far", 8, 11, 0, 1);
  predict(fixture->db, 2, "outside:far", 1, 3, 0, 1);
  predict(fixture->db, 2, "outside:far", 4, 15, 0, 0);
  expect_rows(state, "SELECT run, part, images, accuracy, only_run, only_other, p FROM run_comparison ORDER BY run",
              "first|outside:far|18|0.3889|3|11|0.0574\n"
              "second|outside:far|18|0.8333|11|3|0.0574\n");
  expect_rows(state, "SELECT run, rival, shared, p FROM leaderboard ORDER BY run", "first|-|-|-\nsecond|-|-|-\n");
  // Equally many on both sides: the two tails overlap, and p is 1.
  predict(fixture->db, 1, "outside:near", 1, 2, 0, 0);
  predict(fixture->db, 1, "outside:near", 3, 2, 0, 1);
  predict(fixture->db, 2, "outside:near", 1, 2, 0, 1);
  predict(fixture->db, 2, "outside:near", 3, 2, 0, 0);
  expect_rows(state, "SELECT only_run, only_other, p FROM run_comparison WHERE run = 'first' AND part = 'outside:near'",
              "2|2|1.0000\n");
}

static void test_small_views(void **state)
{
  expect_rows(state, "SELECT * FROM quarantine", "hands|\\xff|quarantined|empty: 0 bytes\n");
  expect_rows(state, "SELECT run, value FROM run_settings WHERE setting = 'train.epochs'", "first|2\nsecond|3\n");
  expect_rows(state, "SELECT path, label, tensor_row FROM training_images WHERE run = 'first' ORDER BY path",
              "p1.jpg|A|0\np2.jpg|A|1\n");
  expect_rows(state, "SELECT name, value, low FROM run_metrics WHERE run = 'first' AND part = 'test'",
              "accuracy|0.5000|0.2000\n");
  expect_rows(state,
              "SELECT value FROM run_summary WHERE run = 'first' AND item IN ('model', 'dataset', 'epochs') "
              "ORDER BY place",
              "seed-cnn, 1,234,567 parameters (1,000 trained)\nhands: 3 images in 4 classes, 1 "
              "quarantined\n2 of 2, best 2\n");
}

// What ingest makes of images whose whole class folder is gone: they stay in what was made of them, without a class.
static void test_images_that_are_gone_stay_without_a_class(void **state)
{
  struct fixture *fixture = *state;
  run_sql(fixture->db, "UPDATE image SET status = 'missing', reason = 'missing: gone', label = NULL WHERE id = 1");
  run_sql(fixture->db, "UPDATE split_image SET grouping = 1 WHERE split = 1 AND image = 1");
  expect_rows(state, "SELECT path FROM quarantine", "\\xff\n");
  expect_rows(state, "SELECT path, label, tensor_row FROM training_images WHERE run = 'first' ORDER BY path",
              "p1.jpg|-|0\np2.jpg|A|1\n");
  expect_rows(state, "SELECT grouping, label, images FROM near_duplicate_groups", "1|-|1\n");
  run_sql(fixture->db, "UPDATE split_image SET grouping = 1 WHERE split = 1 AND image = 2");
  expect_rows(state, "SELECT grouping, label, images FROM near_duplicate_groups", "1|A|2\n");
  expect_rows(state,
              "SELECT path, class, predicted FROM outside_images WHERE run = 'first' AND image IN (1, 2) "
              "GROUP BY image",
              "p1.jpg|-|A\np2.jpg|A|A\n");
}

// What a run was made of does not change with the folder.
static void test_summary_is_of_the_dataset_as_it_was(void **state)
{
  struct fixture *fixture = *state;
  static const char sql[] = "SELECT value FROM run_summary WHERE run = 'first' AND item = 'dataset'";
  run_sql(fixture->db, "UPDATE dataset SET fingerprint = 'eeee', images = 15, quarantined = 4");
  run_sql(fixture->db, "UPDATE image SET status = 'missing', reason = 'missing: gone' WHERE id = 2");
  run_sql(fixture->db, "DELETE FROM class WHERE name = 'D'");
  expect_rows(state, sql, "hands: 3 images in 4 classes, changed since\n");
  run_sql(fixture->db, "UPDATE dataset SET fingerprint = NULL"); // as ingest has it while it reads
  expect_rows(state, sql, "hands: 3 images in 4 classes, changed since\n");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_learning_curve),
      cmocka_unit_test(test_confusion_names_classes_and_leaves_out_pairs_that_never_happened),
      cmocka_unit_test(test_class_metrics),
      cmocka_unit_test(test_misclassified_has_the_most_confident_first),
      cmocka_unit_test(test_worst_pairs),
      cmocka_unit_test(test_throughput_is_of_executions_that_did_work),
      cmocka_unit_test(test_leaderboard_has_finished_runs_with_the_best_first),
      cmocka_unit_test(test_leaderboard_sets_each_run_beside_its_rival),
      cmocka_unit_test(test_small_views),
      cmocka_unit_test(test_comparison_of_outside_tests_and_not_across_splits),
      cmocka_unit_test(test_images_that_are_gone_stay_without_a_class),
      cmocka_unit_test(test_summary_is_of_the_dataset_as_it_was),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
