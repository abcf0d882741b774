// The one room that knows SQLite. A connection, prepared statements, transactions, and the schema with its version.
//
// Journal mode is TRUNCATE, not WAL: SQLite 3.7.0 to 3.51.2, Debian 12's 3.40.1 among them, can corrupt a database when
// one connection resets the write-ahead log while another commits (sqlite.org/wal.html#walresetbug). A rollback journal
// does not have that path, costs one more fsync per transaction, and our transactions are few and large.
//
//   struct query *query = NULL;
//   status = query_open(&query, db, "SELECT path, width FROM image WHERE dataset = ? AND status = ?", error);
//   if (!status) status = query_bind(query, error, "it", dataset, "ok");
//   while (!status && query_next(query, &status, error)) use(query_bytes(query, 0, &size), query_integer(query, 1));
//   query_close(query);
//
// A query that was stopped before its last row holds a read lock until query_bind or query_close: close it before a
// transaction, or writers in other processes wait for it.
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"

struct db;
struct query;

enum db_mode { DB_CREATE, DB_EXISTING };

// Opens the manifest at `path`. DB_CREATE makes it where it is missing (its folder must be there). An older one is
// migrated, and the views are made anew if they are not this program's. A file that is no database, another
// application's, of a newer schema, or has triggers (ours has none: somebody wants his SQL run) is BAD_DATA and is left
// untouched. A missing one is FAILED.
enum status db_open(struct db **out, const char *path, enum db_mode mode, struct error *error);
void db_close(struct db *db);
const char *db_path(const struct db *db);

// Transactions begin IMMEDIATE, so that waiting for another writer happens here and nowhere else. They do not nest.
enum status db_begin(struct db *db, struct error *error);
enum status db_commit(struct db *db, struct error *error); // a failed one is rolled back
void db_rollback(struct db *db);                           // harmless outside a transaction

// A prepared statement. Its parameters are bound by a format with a letter each:
//   i int64_t   r double   t const char * (NULL is SQL NULL)   b const void *, size_t (bytes)   n nothing: SQL NULL
enum status query_open(struct query **out, struct db *db, const char *sql, struct error *error);
// Each argument must have exactly the type of its letter: a literal is written (int64_t)1, not 1. Values are copied.
// Also resets the query. BAD_USAGE if the count of letters is not the count of parameters.
enum status query_bind(struct query *query, struct error *error, const char *format, ...);
bool query_next(struct query *query, enum status *status, struct error *error); // false at the end or on failure
void query_close(struct query *query);

int64_t query_integer(struct query *query, int column);
double query_real(struct query *query, int column);
double query_real_or_nan(struct query *query, int column); // NaN for NULL
bool query_is_null(struct query *query, int column);
const char *query_text(struct query *query, int column); // "" for NULL; the query's own, until the next step
const void *query_bytes(struct query *query, int column, size_t *size);
int query_columns(const struct query *query);

// Binds, runs to the end, resets: for INSERT, UPDATE, DELETE on a query that is kept open.
enum status query_run(struct query *query, struct error *error, const char *format, ...);

// One statement, once.
enum status db_run(struct db *db, struct error *error, const char *sql, const char *format, ...);
// The first column of the first row; *found (may be NULL) says whether there was one. *out stays as it was if not.
enum status db_integer(struct db *db, int64_t *out, bool *found, struct error *error, const char *sql,
                       const char *format, ...);
const char *db_library_version(void); // SQLite's
int64_t db_last_id(struct db *db);

#endif
