// The manifest's connection: what it refuses to open, and what queries and transactions promise.
#include <sqlite3.h> // the test plays the stranger who made the file
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"
#include "core/digest.h"
#include "folder.h"
#include "store/db.h"

static struct db *open_new(const char *name)
{
  struct db *db = NULL;
  struct error error = {0};
  if (db_open(&db, in_folder(name), DB_CREATE, &error)) fail_msg("%s", error.text);
  return db;
}

// Changes a file behind the library's back.
static void meddle(const char *path, const char *sql)
{
  sqlite3 *handle = NULL;
  char *message = NULL;
  assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
  if (sqlite3_exec(handle, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s", message);
  sqlite3_close(handle);
}

static void assert_untouched_refusal(const char *path, enum db_mode mode, const char *word)
{
  char before[DIGEST_TEXT], after[DIGEST_TEXT];
  uint64_t size = 0;
  struct db *db = NULL;
  struct error error = {0};
  assert_int_equal(digest_of_file(before, &size, path, NULL), OK);
  assert_int_equal(db_open(&db, path, mode, &error), BAD_DATA);
  assert_null(db);
  if (!strstr(error.text, word) || !strstr(error.text, path)) fail_msg("'%s' does not tell '%s'", error.text, word);
  assert_int_equal(digest_of_file(after, &size, path, NULL), OK);
  assert_string_equal(before, after);
}

static int64_t integer(struct db *db, const char *sql)
{
  int64_t value = -1;
  struct error error = {0};
  if (db_integer(db, &value, NULL, &error, sql, "")) fail_msg("%s", error.text);
  return value;
}

static void test_new_manifest(void **state)
{
  (void)state;
  struct db *db = open_new("new.db");
  assert_string_equal(db_path(db), in_folder("new.db"));
  assert_int_equal(integer(db, "PRAGMA user_version"), 3);
  assert_int_equal(integer(db, "PRAGMA foreign_keys"), 1);
  assert_int_equal(integer(db, "PRAGMA trusted_schema"), 0);
  assert_int_equal(integer(db, "PRAGMA synchronous"), 2);
  assert_int_equal(integer(db, "PRAGMA cell_size_check"), 1);
  assert_int_equal(integer(db, "PRAGMA busy_timeout"), 30000);
  assert_int_equal(integer(db, "SELECT count(*) FROM pragma_journal_mode WHERE journal_mode = 'truncate'"), 1);
  assert_int_equal(integer(db, "SELECT count(*) FROM image"), 0);
  db_close(db);
  assert_int_equal(db_open(&db, in_folder("new.db"), DB_EXISTING, NULL), OK);
  db_close(db);
  db_close(NULL);
}

static void test_missing_and_special(void **state)
{
  (void)state;
  struct db *db = NULL;
  struct error error = {0};
  assert_int_equal(db_open(&db, in_folder("absent.db"), DB_EXISTING, &error), FAILED);
  assert_non_null(strstr(error.text, "absent.db"));
  assert_int_equal(access(in_folder("absent.db"), F_OK), -1);
  assert_int_equal(db_open(&db, in_folder("no/folder.db"), DB_CREATE, &error), FAILED);
  assert_int_equal(db_open(&db, folder, DB_CREATE, &error), BAD_DATA);
  assert_int_equal(mkfifo(in_folder("fifo.db"), 0600), 0);
  assert_int_equal(db_open(&db, in_folder("fifo.db"), DB_EXISTING, &error), BAD_DATA);
  write_file("empty.db", "", 0);
  assert_untouched_refusal(in_folder("empty.db"), DB_EXISTING, "empty");
  assert_int_equal(db_open(&db, in_folder("empty.db"), DB_CREATE, &error), OK); // as mktemp leaves it
  db_close(db);
}

static void test_strangers_are_refused(void **state)
{
  (void)state;
  static const enum db_mode modes[] = {DB_CREATE, DB_EXISTING};
  static char junk[8192];
  memset(junk, 'x', sizeof junk);
  write_file("text.db", "name,label\n", 11);
  write_file("junk.db", junk, sizeof junk);
  meddle(in_folder("other.db"), "CREATE TABLE bookmark(url)");
  meddle(in_folder("marked.db"),
         "CREATE TABLE bookmark(url); PRAGMA application_id = 252006673; PRAGMA user_version = 1");
  db_close(open_new("newer.db"));
  meddle(in_folder("newer.db"), "PRAGMA user_version = 99");
  db_close(open_new("negative.db"));
  meddle(in_folder("negative.db"), "PRAGMA user_version = -1");
  db_close(open_new("trigger.db"));
  meddle(in_folder("trigger.db"), "CREATE TRIGGER t AFTER INSERT ON dataset BEGIN DELETE FROM run; END");
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    assert_untouched_refusal(in_folder("text.db"), modes[i], "not an SQLite database");
    assert_untouched_refusal(in_folder("junk.db"), modes[i], "not an SQLite database");
    assert_untouched_refusal(in_folder("other.db"), modes[i], "another application");
    assert_untouched_refusal(in_folder("marked.db"), modes[i], "252006673");
    assert_untouched_refusal(in_folder("newer.db"), modes[i], "99");
    assert_untouched_refusal(in_folder("negative.db"), modes[i], "another application");
    assert_untouched_refusal(in_folder("trigger.db"), modes[i], "trigger");
  }
}

static void test_damage_is_told(void **state)
{
  (void)state;
  db_close(open_new("damaged.db"));
  FILE *file = fopen(in_folder("damaged.db"), "r+b");
  assert_int_equal(fseek(file, 100, SEEK_SET), 0); // the schema's page, behind the header
  for (int i = 0; i < 3000; i++) fputc(0xa5, file);
  fclose(file);
  assert_untouched_refusal(in_folder("damaged.db"), DB_EXISTING, "damaged");
}

static void test_views_are_made_anew(void **state)
{
  (void)state;
  struct db *db = open_new("views.db");
  int64_t views = integer(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'view'");
  assert_true(views > 0);
  db_close(db);
  // Another version's views: some gone, some strange, and another digest.
  meddle(in_folder("views.db"), "DROP VIEW leaderboard; CREATE VIEW \"odd \"\" name\" AS SELECT 1;"
                                "UPDATE meta SET value = 'other' WHERE key = 'views'");
  assert_int_equal(db_open(&db, in_folder("views.db"), DB_EXISTING, NULL), OK);
  assert_int_equal(integer(db, "SELECT count(*) FROM sqlite_schema WHERE type = 'view'"), views);
  assert_int_equal(integer(db, "SELECT count(*) FROM sqlite_schema WHERE name = 'leaderboard'"), 1);
  assert_int_equal(integer(db, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'odd%'"), 0);
  db_close(db);
}

static void test_values_come_back(void **state)
{
  (void)state;
  struct db *db = open_new("values.db");
  struct query *query = NULL;
  struct error error = {0};
  static const char bytes[] = {'a', 0, '\xff', '\''};
  assert_int_equal(db_run(db, &error, "CREATE TEMP TABLE v(i, r, t, b, e, n, x)", ""), OK);
  assert_int_equal(db_run(db, &error, "INSERT INTO v VALUES (?, ?, ?, ?, ?, ?, ?)", "irtbbnt", INT64_MIN, 0.25,
                          "'); DROP TABLE v; --", bytes, sizeof bytes, (const void *)NULL, (size_t)0,
                          (const char *)NULL),
                   OK);
  assert_int_equal(db_last_id(db), 1);
  assert_int_equal(query_open(&query, db, "SELECT * FROM v WHERE i = ?", &error), OK);
  assert_int_equal(query_columns(query), 7);
  assert_int_equal(query_bind(query, &error, "i", INT64_MIN), OK);
  enum status status = OK;
  assert_true(query_next(query, &status, &error));
  assert_true(query_integer(query, 0) == INT64_MIN);
  assert_true(query_real(query, 1) == 0.25);
  assert_string_equal(query_text(query, 2), "'); DROP TABLE v; --");
  size_t size = 0;
  assert_memory_equal(query_bytes(query, 3, &size), bytes, sizeof bytes);
  assert_int_equal(size, sizeof bytes);
  assert_non_null(query_bytes(query, 4, &size));
  assert_int_equal(size, 0);
  assert_false(query_is_null(query, 4));
  assert_true(query_is_null(query, 5) && query_is_null(query, 6));
  assert_string_equal(query_text(query, 5), "");
  assert_false(query_next(query, &status, &error));
  assert_int_equal(status, OK);
  query_close(query);
  query_close(NULL);
  db_close(db);
}

static void test_mistakes_are_told(void **state)
{
  (void)state;
  struct db *db = open_new("mistakes.db");
  struct query *query = NULL;
  struct error error = {0};
  assert_int_equal(query_open(&query, db, "SELECT wrong FROM image", &error), FAILED);
  assert_null(query);
  assert_non_null(strstr(error.text, "wrong"));
  assert_int_equal(query_open(&query, db, "SELECT \"ok\" FROM image", &error), FAILED); // a column, never a string
  assert_int_equal(db_run(db, &error, "SELECT ?, ?", "i", (int64_t)1), BAD_USAGE);
  assert_int_equal(db_run(db, &error, "SELECT ?", "z", 1), BAD_USAGE);
  assert_int_equal(db_run(db, &error, "ATTACH 'other.db' AS other", ""), FAILED);
  assert_int_equal(db_run(db, &error, "INSERT INTO class(dataset, ordinal, name) VALUES (77, 0, 'A')", ""), FAILED);
  assert_non_null(strstr(error.text, "FOREIGN KEY"));
  bool found = true;
  int64_t value = 5;
  assert_int_equal(db_integer(db, &value, &found, &error, "SELECT id FROM run WHERE name = ?", "t", "x"), OK);
  assert_false(found);
  assert_int_equal(value, 5);
  db_close(db);
}

static void test_transactions(void **state)
{
  (void)state;
  static const char insert[] = "INSERT INTO dataset(name, root) VALUES (?, ?)";
  struct db *db = open_new("transactions.db");
  struct error error = {0};
  db_rollback(db);
  assert_int_equal(db_begin(db, &error), OK);
  assert_int_equal(db_begin(db, &error), FAILED); // they do not nest
  assert_int_equal(db_run(db, &error, insert, "tb", "a", "/a", (size_t)2), OK);
  db_rollback(db);
  assert_int_equal(integer(db, "SELECT count(*) FROM dataset"), 0);
  assert_int_equal(db_begin(db, &error), OK);
  struct query *query = NULL;
  assert_int_equal(query_open(&query, db, insert, &error), OK);
  assert_int_equal(query_run(query, &error, "tb", "a", "/a", (size_t)2), OK);
  assert_int_equal(query_run(query, &error, "tb", "a", "/b", (size_t)2), FAILED); // the name is taken
  assert_int_equal(query_run(query, &error, "tb", "b", "/b", (size_t)2), OK);     // and the query goes on
  query_close(query);
  assert_int_equal(db_commit(db, &error), OK);
  assert_int_equal(db_commit(db, &error), FAILED);
  assert_int_equal(integer(db, "SELECT count(*) FROM dataset"), 2);
  db_close(db);
}

static int write_rows(int writer, int rows)
{
  struct db *db = NULL;
  if (db_open(&db, in_folder("shared.db"), DB_CREATE, NULL)) return 1;
  enum status status = OK;
  for (int i = 0; !status && i < rows; i++) {
    char name[32];
    snprintf(name, sizeof name, "%d-%d", writer, i);
    status = db_begin(db, NULL);
    if (!status)
      status = db_run(db, NULL, "INSERT INTO dataset(name, root) VALUES (?, ?)", "tb", name, name, strlen(name));
    if (!status) status = db_commit(db, NULL);
  }
  db_close(db);
  return status ? 1 : 0;
}

// Four processes make the same new manifest and write to it: one schema, all rows, nobody sees BUSY.
// After many rows the planner knows how many: a query over a large set does not walk through all of it.
static void test_statistics_follow_rows(void **state)
{
  (void)state;
  struct db *db = open_new("statistics.db");
  struct error error = {0};
  if (db_begin(db, &error)) fail_msg("%s", error.text);
  for (int i = 0; i < 200; i++) {
    char key[16];
    snprintf(key, sizeof key, "key %d", i);
    if (db_run(db, &error, "INSERT INTO meta(key, value) VALUES (?, 'x')", "t", key)) fail_msg("%s", error.text);
  }
  if (db_commit(db, &error)) fail_msg("%s", error.text);
  db_close(db);
  if (db_open(&db, in_folder("statistics.db"), DB_EXISTING, &error)) fail_msg("%s", error.text);
  assert_true(integer(db, "SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'meta'") > 0);
  db_close(db);
}

static void test_writers_in_other_processes(void **state)
{
  (void)state;
  enum { WRITERS = 4, ROWS = 25 };
  for (int i = 0; i < WRITERS; i++) {
    pid_t child = fork(); // no connection is open and no OpenMP team has started
    if (child == 0) _exit(write_rows(i, ROWS));
    assert_true(child > 0);
  }
  for (int i = 0; i < WRITERS; i++) {
    int result = -1;
    assert_true(wait(&result) > 0);
    assert_int_equal(result, 0);
  }
  struct db *db = open_new("shared.db");
  assert_int_equal(integer(db, "SELECT count(*) FROM dataset"), WRITERS * ROWS);
  db_close(db);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_writers_in_other_processes),
      cmocka_unit_test(test_new_manifest),
      cmocka_unit_test(test_missing_and_special),
      cmocka_unit_test(test_strangers_are_refused),
      cmocka_unit_test(test_damage_is_told),
      cmocka_unit_test(test_views_are_made_anew),
      cmocka_unit_test(test_values_come_back),
      cmocka_unit_test(test_mistakes_are_told),
      cmocka_unit_test(test_transactions),
      cmocka_unit_test(test_statistics_follow_rows),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
