#include "store/weights.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store/recorded.h"

void weights_file_name(char out[128], const char *key)
{
  snprintf(out, 128, WEIGHTS_FOLDER "/%.12s.safetensors", key);
}

static void read_row(struct weights_row *out, struct query *query)
{
  *out = (struct weights_row){.id = query_integer(query, 0), .bytes = (uint64_t)query_integer(query, 2)};
  snprintf(out->path, sizeof out->path, "%s", query_text(query, 1));
  snprintf(out->sha256, sizeof out->sha256, "%s", query_text(query, 3));
}

enum status weights_find(struct db *db, const char *key, struct weights_row *out, bool *found, struct error *error)
{
  struct query *query = NULL;
  *found = false;
  enum status status = query_open(&query, db, "SELECT id, path, bytes, sha256 FROM weights WHERE key = ?", error);
  if (!status) status = query_bind(query, error, "t", key);
  if (!status && query_next(query, &status, error)) {
    read_row(out, query);
    *found = true;
  }
  query_close(query);
  return status;
}

enum status weights_insert(struct db *db, const struct weights_source *source, struct weights_row *row,
                           struct error *error)
{
  // The key's file was made again: the row keeps its id, which runs refer to.
  static const char sql[] = "INSERT INTO weights (key, parameters, source_sha256, source_bytes, source_format, naming, "
                            "preprocessing, ignored,"
                            " path, bytes, sha256, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                            " ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes, sha256 = excluded.sha256";
  bool found = false;
  enum status status = db_run(db, error, sql, "tttitttttitr", source->key, source->parameters, source->sha256,
                              (int64_t)source->bytes, source->format, source->naming, source->preprocessing,
                              source->ignored, row->path, (int64_t)row->bytes, row->sha256, (double)time(NULL));
  return status ? status : weights_find(db, source->key, row, &found, error);
}

enum status weights_file_check(const char *folder, const struct weights_row *row, struct error *error)
{
  struct error why = {0};
  enum status status = recorded_file_check(folder, WEIGHTS_FOLDER, row->path, row->bytes, &why);
  return status ? fail(error, status, "%s: run build/stages/weights again", why.text) : OK;
}

enum status weights_choose(struct db *db, const char *model, const char *wanted, const char *item, const char *place,
                           int64_t weights, struct error *error)
{
  return db_run(db, error,
                "INSERT INTO weights_choice (model, wanted, item, place, weights, chosen_at)"
                " VALUES (?, ?, ?, CAST(? AS BLOB), nullif(?, 0), ?) ON CONFLICT (model, wanted) DO UPDATE SET"
                " item = excluded.item, place = excluded.place, weights = excluded.weights,"
                " chosen_at = excluded.chosen_at",
                "ttttir", model, wanted, item, place, weights, (double)time(NULL));
}

enum status weights_chosen(struct db *db, const char *model, const char *wanted, struct weights_row *out, bool *found,
                           struct error *error)
{
  struct query *query = NULL;
  *found = false;
  *out = (struct weights_row){0};
  enum status status = query_open(&query, db,
                                  "SELECT ifnull(w.id, 0), w.path, w.bytes, w.sha256 FROM weights_choice c"
                                  " LEFT JOIN weights w ON w.id = c.weights WHERE c.model = ? AND c.wanted = ?",
                                  error);
  if (!status) status = query_bind(query, error, "tt", model, wanted);
  if (!status && query_next(query, &status, error)) {
    read_row(out, query);
    *found = true;
  }
  query_close(query);
  return status;
}

enum status weights_of_run(struct db *db, int64_t run, struct weights_row *out, struct error *error)
{
  struct query *query = NULL;
  *out = (struct weights_row){0};
  enum status status = query_open(&query, db,
                                  "SELECT w.id, w.path, w.bytes, w.sha256 FROM run_weights r"
                                  " JOIN weights w ON w.id = r.weights WHERE r.run = ?",
                                  error);
  if (!status) status = query_bind(query, error, "i", run);
  if (!status && query_next(query, &status, error)) read_row(out, query);
  query_close(query);
  return status;
}
