#include "store/benchmarks.h"

#include <time.h>

static enum status add_all(struct query *query, const struct benchmark *rows, size_t count, const char *host,
                           struct error *error)
{
  double now = (double)time(NULL);
  enum status status = OK;
  for (size_t i = 0; !status && i < count; i++) {
    const struct benchmark *row = &rows[i];
    bool compared = row->peer && row->peer_value > 0;
    status = query_run(query, error, "ttiirttrrtr", row->task, row->precision, (int64_t)row->threads,
                       (int64_t)row->batch, row->value, row->unit, row->peer, compared ? row->peer_value : 0.0,
                       compared ? row->value / row->peer_value : 0.0, host, now);
  }
  return status;
}

enum status benchmarks_add(struct db *db, const struct benchmark *rows, size_t count, const char *host,
                           struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "INSERT INTO benchmark (task, precision, threads, batch, value, unit, peer,"
                                  " peer_value, ratio, host, measured_at)"
                                  " VALUES (?, ?, ?, nullif(?, 0), ?, ?, ?, nullif(?, 0), nullif(?, 0), ?, ?)",
                                  error);
  if (!status) status = db_begin(db, error);
  if (status) {
    query_close(query);
    return status;
  }
  status = add_all(query, rows, count, host, error);
  query_close(query);
  if (!status) return db_commit(db, error);
  db_rollback(db);
  return status;
}
