#include "store/calibrations.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum status calibration_find(struct db *db, const char *key, struct calibration_row *out, bool *found,
                             struct error *error)
{
  struct query *query = NULL;
  *found = false;
  enum status status = query_open(
      &query, db, "SELECT id, images, judged, cosine_mean, cosine_least FROM calibration WHERE key = ?", error);
  if (!status) status = query_bind(query, error, "t", key);
  if (!status && query_next(query, &status, error)) {
    *out = (struct calibration_row){query_integer(query, 0), (uint64_t)query_integer(query, 1),
                                    (uint64_t)query_integer(query, 2), query_real(query, 3), query_real(query, 4)};
    *found = true;
  }
  query_close(query);
  return status;
}

enum status calibration_of_run(struct db *db, int64_t run, char key[DIGEST_TEXT], struct error *error)
{
  struct query *query = NULL;
  key[0] = '\0';
  enum status status =
      query_open(&query, db, "SELECT json_extract(parameters, '$.calibration') FROM run WHERE id = ?", error);
  if (!status) status = query_bind(query, error, "i", run);
  if (!status && query_next(query, &status, error) && !query_is_null(query, 0))
    snprintf(key, DIGEST_TEXT, "%s", query_text(query, 0));
  query_close(query);
  return status;
}

static enum status insert(struct db *db, const char *key, const char *parameters, struct calibration_row *row,
                          const struct calibration_range *ranges, size_t count, struct error *error)
{
  struct query *query = NULL;
  enum status status = db_run(db, error, "DELETE FROM calibration WHERE key = ?", "t", key);
  if (!status)
    status = db_run(db, error,
                    "INSERT INTO calibration (key, parameters, images, judged, cosine_mean, cosine_least, made_at)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?)",
                    "ttiirrr", key, parameters, (int64_t)row->images, (int64_t)row->judged, row->cosine_mean,
                    row->cosine_least, (double)time(NULL));
  row->id = db_last_id(db);
  if (!status)
    status =
        query_open(&query, db, "INSERT INTO calibration_range (calibration, layer, range) VALUES (?, ?, ?)", error);
  for (size_t i = 0; !status && i < count; i++)
    status = query_run(query, error, "itr", row->id, ranges[i].layer, (double)ranges[i].range);
  query_close(query);
  return status;
}

enum status calibration_insert(struct db *db, const char *key, const char *parameters, struct calibration_row *row,
                               const struct calibration_range *ranges, size_t count, struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  status = insert(db, key, parameters, row, ranges, count, error);
  if (!status) return db_commit(db, error);
  db_rollback(db);
  return status;
}

enum status calibration_ranges(struct db *db, int64_t calibration, void *self,
                               void (*take)(void *self, const char *layer, float range), struct error *error)
{
  struct query *query = NULL;
  enum status status =
      query_open(&query, db, "SELECT layer, range FROM calibration_range WHERE calibration = ? ORDER BY layer", error);
  if (!status) status = query_bind(query, error, "i", calibration);
  while (!status && query_next(query, &status, error)) {
    const float range = (float)query_real(query, 1);
    if (!(range > 0) || !isfinite(range))
      status = fail(error, BAD_DATA, "%s: calibration %lld, layer %s: a range of %g; above 0 is needed", db_path(db),
                    (long long)calibration, query_text(query, 0), (double)range);
    else
      take(self, query_text(query, 0), range);
  }
  query_close(query);
  return status;
}
