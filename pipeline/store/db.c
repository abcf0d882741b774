#include "store/db.h"

#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/digest.h"
#include "core/mem.h"
#include "schema_2_sql.h"
#include "schema_3_sql.h"
#include "schema_sql.h"
#include "views_sql.h"

// Invariants:
// 1. Nothing is written before check_identity has accepted the file.
// 2. Every change of the schema, its version and its views happens in one transaction, and looks again inside
// it: two
//    programs may open a new manifest at the same moment.
// 3. SQL text is ours; values only ever come in as bound parameters.

enum {
  APPLICATION_ID = 0x41534C31
}; // "ASL1", at byte 68 of the file: file(1) and we can tell a manifest from a stranger
enum { SCHEMA_VERSION = 3 };
enum { BUSY_MILLISECONDS = 30000 };

// To change the schema: edit schema.sql for new manifests, raise SCHEMA_VERSION, and append the step for old
// ones as a file of its own (schema_2.sql). A new manifest is the step from nothing.
static const struct migration {
  int from, to;
  const char *sql;
} migrations[] = {
    {0, SCHEMA_VERSION, schema_sql},
    {1, 2, schema_2_sql},
    {2, 3, schema_3_sql},
};

struct db {
  sqlite3 *handle;
  char *path;
};

struct query {
  struct db *db;
  sqlite3_stmt *statement;
};

// --- messages --------------------------------------------------------------------------------------------------------

static enum status fail_system(struct db *db, struct error *error, const char *what)
{
  errno = sqlite3_system_errno(db->handle);
  if (errno) return fail_errno(error, "%s: %s", db->path, what);
  return fail(error, FAILED, "%s: %s: %s", db->path, what, sqlite3_errmsg(db->handle));
}

// Turns what SQLite just refused into words for the person in front of it; `sql` (may be NULL) is told for
// our own mistakes.
static enum status fail_sqlite(struct db *db, struct error *error, int code, const char *sql)
{
  switch (code & 0xff) {
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return fail(error, FAILED, "%s: another program has kept the manifest locked for %d s; let it finish or stop it",
                db->path, BUSY_MILLISECONDS / 1000);
  case SQLITE_FULL:
    return fail(error, FAILED, "%s: the disk is full; nothing of this step was recorded", db->path);
  case SQLITE_READONLY:
    if (code == SQLITE_READONLY_ROLLBACK)
      return fail(error, FAILED, "%s: a program was killed while it wrote; run any stage once to roll its step back",
                  db->path);
    return fail(error, FAILED, "%s: cannot write the manifest: it or its folder is read-only", db->path);
  case SQLITE_CORRUPT:
    return fail(error, BAD_DATA,
                "%s: the manifest is damaged (%s); restore a copy, or remove it and run the stages again", db->path,
                sqlite3_errmsg(db->handle));
  case SQLITE_NOTADB:
    return fail(error, BAD_DATA, "%s: not an SQLite database, so not a manifest", db->path);
  case SQLITE_NOMEM:
    return fail(error, OUT_OF_MEMORY, "%s: out of memory in SQLite", db->path);
  case SQLITE_CANTOPEN:
    return fail_system(db, error, "cannot open the manifest");
  case SQLITE_IOERR:
    return fail_system(db, error, "cannot read or write the manifest");
  default:
    return fail(error, FAILED, "%s: %s%s%.200s", db->path, sqlite3_errmsg(db->handle), sql ? ", in: " : "",
                sql ? sql : "");
  }
}

// --- opening ---------------------------------------------------------------------------------------------------------

static enum status execute(struct db *db, const char *sql, struct error *error)
{
  int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
  return code == SQLITE_OK ? OK : fail_sqlite(db, error, code, sql);
}

// A folder, a FIFO or a device is refused before SQLite opens it, which could block.
static enum status check_file(const struct db *db, enum db_mode mode, struct error *error)
{
  struct stat info;
  if (stat(db->path, &info) < 0) {
    if (errno != ENOENT) return fail_errno(error, "cannot open %s", db->path);
    return mode == DB_CREATE ? OK : fail(error, FAILED, "no manifest at %s: run ingest first", db->path);
  }
  return S_ISREG(info.st_mode) ? OK : fail(error, BAD_DATA, "%s: not a plain file, so not a manifest", db->path);
}

static enum status read_version(struct db *db, int64_t *version, struct error *error)
{
  return db_integer(db, version, NULL, error, "PRAGMA user_version", "");
}

// *version is 0 for an empty file, which DB_CREATE may fill.
static enum status check_identity(struct db *db, enum db_mode mode, int64_t *version, struct error *error)
{
  int64_t application = 0, objects = 0, triggers = 0;
  enum status status = db_integer(db, &application, NULL, error, "PRAGMA application_id", "");
  if (!status) status = read_version(db, version, error);
  if (!status) status = db_integer(db, &objects, NULL, error, "SELECT count(*) FROM sqlite_schema", "");
  if (!status)
    status = db_integer(db, &triggers, NULL, error, "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger'", "");
  if (status) return status;
  bool empty = application == 0 && *version == 0 && objects == 0;
  if (empty && mode != DB_CREATE) return fail(error, BAD_DATA, "%s: the manifest is empty; run ingest", db->path);
  if (empty) return OK;
  if (application != APPLICATION_ID || *version < 1)
    return fail(error, BAD_DATA, "%s: a database of another application (id %lld, a manifest has %d); left as it is",
                db->path, (long long)application, APPLICATION_ID);
  if (*version > SCHEMA_VERSION)
    return fail(error, BAD_DATA,
                "%s: made by a newer version: its schema is %lld, this program knows up to %d; left as it is", db->path,
                (long long)*version, SCHEMA_VERSION);
  if (triggers > 0)
    return fail(error, BAD_DATA, "%s: holds %lld triggers, a manifest has none; refused, left as it is", db->path,
                (long long)triggers);
  return OK;
}

// Settings that do not touch the file.
static enum status configure(struct db *db, struct error *error)
{
  sqlite3_extended_result_codes(db->handle, 1);
  sqlite3_busy_timeout(db->handle, BUSY_MILLISECONDS);
  sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL); // "x" is a column, never silently a string
  return execute(db,
                 "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0;"
                 "PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL",
                 error);
}

static enum status choose_journal(struct db *db, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, "PRAGMA journal_mode = TRUNCATE", error);
  bool truncate = query && query_next(query, &status, error) && !strcmp(query_text(query, 0), "truncate");
  query_close(query);
  if (status || truncate) return status;
  return fail(error, FAILED, "%s: cannot leave the journal mode that another program has chosen", db->path);
}

// --- schema and views ------------------------------------------------------------------------------------------------

static enum status drop_views(struct db *db, struct error *error)
{
  char *statements = NULL;
  struct query *query = NULL;
  enum status status =
      query_open(&query, db,
                 "SELECT group_concat('DROP VIEW \"' || replace(name, '\"', '\"\"') || '\"', ';') FROM sqlite_schema"
                 " WHERE type = 'view'",
                 error);
  if (query && query_next(query, &status, error)) status = mem_text(&statements, query_text(query, 0), error);
  query_close(query);
  if (!status) status = execute(db, statements, error);
  free(statements);
  return status;
}

// Views would stand in the way of a table that is made anew.
static enum status forget_views(struct db *db, struct error *error)
{
  enum status status = drop_views(db, error);
  return status ? status : db_run(db, error, "DELETE FROM meta WHERE key = 'views'", "");
}

static enum status migrate_step(struct db *db, int64_t *version, struct error *error)
{
  for (size_t i = 0; i < sizeof migrations / sizeof *migrations; i++) {
    if (migrations[i].from != *version) continue;
    enum status status = *version ? forget_views(db, error) : OK;
    if (!status) status = execute(db, migrations[i].sql, error);
    char stamp[96]; // a PRAGMA takes no parameters; both values are our own numbers
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d", APPLICATION_ID,
             migrations[i].to);
    if (!status) status = execute(db, stamp, error);
    *version = migrations[i].to;
    return status;
  }
  return fail(error, BAD_DATA, "%s: schema %lld is too old to be brought to %d", db->path, (long long)*version,
              SCHEMA_VERSION);
}

static enum status migrate(struct db *db, struct error *error)
{
  int64_t version = 0;
  enum status status = db_begin(db, error);
  if (!status) status = read_version(db, &version, error); // another program may have been faster
  while (!status && version < SCHEMA_VERSION) status = migrate_step(db, &version, error);
  if (!status) return db_commit(db, error);
  db_rollback(db);
  return status;
}

static enum status views_are(struct db *db, const char *digest, bool *same, struct error *error)
{
  int64_t rows = 0;
  enum status status =
      db_integer(db, &rows, NULL, error, "SELECT count(*) FROM meta WHERE key = 'views' AND value = ?", "t", digest);
  *same = rows == 1;
  return status;
}

static enum status make_views(struct db *db, const char *digest, struct error *error)
{
  enum status status = drop_views(db, error);
  if (!status) status = execute(db, views_sql, error);
  if (!status)
    status =
        db_run(db, error, "INSERT INTO meta(key, value) VALUES ('views', ?) ON CONFLICT (key) DO UPDATE SET value = ?1",
               "t", digest);
  return status;
}

static enum status refresh_views(struct db *db, struct error *error)
{
  char digest[DIGEST_TEXT];
  bool same = false;
  enum status status = digest_of(digest, views_sql, sizeof views_sql - 1, error);
  if (!status) status = views_are(db, digest, &same, error);
  if (status || same) return status;
  status = db_begin(db, error);
  if (!status) status = views_are(db, digest, &same, error);
  if (!status && !same) status = make_views(db, digest, error);
  if (!status) return db_commit(db, error);
  db_rollback(db);
  return status;
}

static enum status open_handle(struct db *db, enum db_mode mode, struct error *error)
{
  int64_t version = 0;
  enum status status = check_file(db, mode, error);
  if (status) return status;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX | (mode == DB_CREATE ? SQLITE_OPEN_CREATE : 0);
  int code = sqlite3_open_v2(db->path, &db->handle, flags, NULL);
  if (code != SQLITE_OK) return fail_sqlite(db, error, code, NULL);
  status = configure(db, error);
  if (!status) status = check_identity(db, mode, &version, error);
  if (!status) status = choose_journal(db, error);
  if (!status && version < SCHEMA_VERSION) status = migrate(db, error);
  if (!status) status = refresh_views(db, error);
  return status;
}

enum status db_open(struct db **out, const char *path, enum db_mode mode, struct error *error)
{
  struct db *db = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&db, 1, sizeof *db, "a manifest", error);
  if (status) return status;
  status = mem_text(&db->path, path, error);
  if (!status) status = open_handle(db, mode, error);
  if (status)
    db_close(db);
  else
    *out = db;
  return status;
}

// How many rows there are of what, for the planner. Without it SQLite takes a tensor set of 87,000 rows for one of ten,
// and walks through all of them for each image of a part: 78 s instead of 0.03 s. Failing is harmless: statistics
// decide on speed alone.
static void update_statistics(struct db *db)
{
  enum { CHANGES_WORTH_IT = 100 };
  if (!db->handle || sqlite3_db_readonly(db->handle, "main") || sqlite3_total_changes(db->handle) < CHANGES_WORTH_IT)
    return;
  sqlite3_exec(db->handle, "PRAGMA analysis_limit = 1000; ANALYZE", NULL, NULL, NULL);
}

void db_close(struct db *db)
{
  if (!db) return;
  update_statistics(db);
  sqlite3_close_v2(db->handle);
  free(db->path);
  free(db);
}

const char *db_path(const struct db *db)
{
  return db->path;
}

// --- transactions ----------------------------------------------------------------------------------------------------

enum status db_begin(struct db *db, struct error *error)
{
  return execute(db, "BEGIN IMMEDIATE", error);
}

enum status db_commit(struct db *db, struct error *error)
{
  enum status status = execute(db, "COMMIT", error);
  if (status) db_rollback(db);
  return status;
}

void db_rollback(struct db *db)
{
  if (!sqlite3_get_autocommit(db->handle)) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

int64_t db_last_id(struct db *db)
{
  return sqlite3_last_insert_rowid(db->handle);
}

// --- queries ---------------------------------------------------------------------------------------------------------

enum status query_open(struct query **out, struct db *db, const char *sql, struct error *error)
{
  struct query *query = NULL;
  *out = NULL;
  enum status status = mem_zeroed((void **)&query, 1, sizeof *query, "a query", error);
  if (status) return status;
  query->db = db;
  int code = sqlite3_prepare_v2(db->handle, sql, -1, &query->statement, NULL);
  if (code != SQLITE_OK) {
    free(query);
    return fail_sqlite(db, error, code, sql);
  }
  *out = query;
  return OK;
}

static int bind_one(sqlite3_stmt *statement, int index, char letter, va_list *arguments)
{
  switch (letter) {
  case 'i':
    return sqlite3_bind_int64(statement, index, va_arg(*arguments, int64_t));
  case 'r':
    return sqlite3_bind_double(statement, index, va_arg(*arguments, double));
  case 't':
    return sqlite3_bind_text(statement, index, va_arg(*arguments, const char *), -1, SQLITE_TRANSIENT);
  case 'b': {
    const void *bytes = va_arg(*arguments, const void *);
    size_t size = va_arg(*arguments, size_t);
    if (size == 0) return sqlite3_bind_zeroblob(statement, index, 0); // a NULL pointer would bind NULL
    return sqlite3_bind_blob64(statement, index, bytes, size, SQLITE_TRANSIENT);
  }
  case 'n':
    return sqlite3_bind_null(statement, index);
  default:
    return SQLITE_MISUSE;
  }
}

static enum status bind_all(struct query *query, struct error *error, const char *format, va_list *arguments)
{
  const char *sql = sqlite3_sql(query->statement);
  int wanted = sqlite3_bind_parameter_count(query->statement), given = (int)strlen(format);
  sqlite3_reset(query->statement); // its result is the earlier step's, told then
  if (wanted != given)
    return fail(error, BAD_USAGE, "%s: %d values for %d parameters, in: %.200s", query->db->path, given, wanted, sql);
  for (int i = 0; i < given; i++) {
    int code = bind_one(query->statement, i + 1, format[i], arguments);
    if (code == SQLITE_MISUSE) return fail(error, BAD_USAGE, "'%c' is not a type of value, in: %.200s", format[i], sql);
    if (code != SQLITE_OK) return fail_sqlite(query->db, error, code, sql);
  }
  return OK;
}

enum status query_bind(struct query *query, struct error *error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  enum status status = bind_all(query, error, format, &arguments);
  va_end(arguments);
  return status;
}

bool query_next(struct query *query, enum status *status, struct error *error)
{
  int code = sqlite3_step(query->statement);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) *status = fail_sqlite(query->db, error, code, sqlite3_sql(query->statement));
  sqlite3_reset(query->statement);
  return false;
}

void query_close(struct query *query)
{
  if (!query) return;
  sqlite3_finalize(query->statement);
  free(query);
}

int64_t query_integer(struct query *query, int column)
{
  return sqlite3_column_int64(query->statement, column);
}

double query_real(struct query *query, int column)
{
  return sqlite3_column_double(query->statement, column);
}

double query_real_or_nan(struct query *query, int column)
{
  return query_is_null(query, column) ? NAN : query_real(query, column);
}

bool query_is_null(struct query *query, int column)
{
  return sqlite3_column_type(query->statement, column) == SQLITE_NULL;
}

const char *query_text(struct query *query, int column)
{
  const unsigned char *text = sqlite3_column_text(query->statement, column);
  return text ? (const char *)text : "";
}

const void *query_bytes(struct query *query, int column, size_t *size)
{
  const void *bytes = sqlite3_column_blob(query->statement, column);
  *size = (size_t)sqlite3_column_bytes(query->statement, column);
  return bytes ? bytes : "";
}

int query_columns(const struct query *query)
{
  return sqlite3_column_count(query->statement);
}

static enum status run_bound(struct query *query, struct error *error, const char *format, va_list *arguments)
{
  enum status status = bind_all(query, error, format, arguments);
  while (!status && query_next(query, &status, error)) continue;
  return status;
}

enum status query_run(struct query *query, struct error *error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  enum status status = run_bound(query, error, format, &arguments);
  va_end(arguments);
  return status;
}

enum status db_run(struct db *db, struct error *error, const char *sql, const char *format, ...)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, sql, error);
  if (status) return status;
  va_list arguments;
  va_start(arguments, format);
  status = run_bound(query, error, format, &arguments);
  va_end(arguments);
  query_close(query);
  return status;
}

enum status db_integer(struct db *db, int64_t *out, bool *found, struct error *error, const char *sql,
                       const char *format, ...)
{
  struct query *query = NULL;
  if (found) *found = false;
  enum status status = query_open(&query, db, sql, error);
  if (!query) return status;
  va_list arguments;
  va_start(arguments, format);
  status = bind_all(query, error, format, &arguments);
  va_end(arguments);
  if (!status && query_next(query, &status, error)) {
    *out = query_integer(query, 0);
    if (found) *found = true;
  }
  query_close(query);
  return status;
}

const char *db_library_version(void)
{
  return sqlite3_libversion();
}
