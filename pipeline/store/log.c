#include "store/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_REALTIME, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

enum status log_start(struct db *db, const struct log_start *start, int64_t *id, struct error *error)
{
  enum status status =
      db_run(db, error,
             "INSERT INTO stage_log (stage, arguments, state, threads, version, pid, started_at)"
             " VALUES (?, ?, 'running', ?, ?, ?, ?)",
             "ttitir", start->stage, start->arguments, (int64_t)start->threads, start->version, start->pid, now());
  if (!status) *id = db_last_id(db);
  return status;
}

enum status log_finish(struct db *db, int64_t id, const struct log_result *result, struct error *error)
{
  double rate = result->images && result->seconds > 0 ? (double)result->images / result->seconds : 0;
  return db_run(db, error,
                "UPDATE stage_log SET state = ?1, subject = ?2, why = ?3, key = ?4, parameters = ?5, message = ?6,"
                " images = ?7, seconds = ?8, images_per_second = nullif(?9, 0), peak_memory = ?10, finished_at = ?11"
                " WHERE id = ?12",
                "ttttttirriri", result->state, result->subject, result->why, result->key, result->parameters,
                result->message, (int64_t)result->images, result->seconds, rate, result->peak_memory, now(), id);
}

enum status log_close_abandoned(struct db *db, const char *stage, int64_t id, struct error *error)
{
  return db_run(
      db, error,
      "UPDATE stage_log SET state = 'interrupted', message = 'its process ended without a word', finished_at = ?"
      " WHERE stage = ? AND state = 'running' AND id <> ?",
      "rti", now(), stage, id);
}

enum status log_running_stages(struct db *db, void *self, void (*visit)(void *self, const char *stage),
                               struct error *error)
{
  // The names are read first: a visitor may write, which a half-read query would hinder.
  char *names[32] = {0};
  size_t count = 0;
  struct query *query = NULL;
  enum status status =
      query_open(&query, db, "SELECT DISTINCT stage FROM stage_log WHERE state = 'running' LIMIT 32", error);
  if (!status) status = query_bind(query, error, "");
  while (!status && query_next(query, &status, error)) {
    status = mem_text(&names[count], query_text(query, 0), error);
    count += !status;
  }
  query_close(query);
  for (size_t i = 0; i < count; i++) {
    if (!status) visit(self, names[i]);
    free(names[i]);
  }
  return status;
}
