#include "store/synth.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

// ?1 root, ?2 seed, ?3 side, ?4 video, ?5 variety, ?6 code
static const char same_sql[] =
    "SELECT id FROM synth WHERE root = ?1 AND seed = ?2 AND size = ?3 AND video = ?4 AND variety = ?5 AND code = ?6";

static enum status find(struct db *db, const char *root, struct synth_row *row, bool *found, struct error *error)
{
  return db_integer(db, &row->id, found, error, same_sql, "biiiri", root, strlen(root), (int64_t)row->seed,
                    (int64_t)row->side, (int64_t)row->video, row->variety, (int64_t)row->code);
}

enum status synth_open(struct db *db, const char *root, struct synth_row *row, struct error *error)
{
  bool found = false;
  enum status status = find(db, root, row, &found, error);
  if (status || found) return status;
  status = db_begin(db, error);
  if (!status) status = db_run(db, error, "DELETE FROM synth WHERE root = ?", "b", root, strlen(root));
  if (!status)
    status =
        db_run(db, error,
               "INSERT INTO synth (root, seed, size, video, variety, code, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
               "biiirir", root, strlen(root), (int64_t)row->seed, (int64_t)row->side, (int64_t)row->video, row->variety,
               (int64_t)row->code, (double)time(NULL));
  if (!status) row->id = db_last_id(db);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}

enum status synth_images_read(struct db *db, int64_t synth, void *self,
                              void (*each)(void *self, const struct synth_image *image), struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(
      &query, db, "SELECT class, number, bytes, sha256 FROM synth_image WHERE synth = ? ORDER BY class, number", error);
  if (!status) status = query_bind(query, error, "i", synth);
  while (!status && query_next(query, &status, error)) {
    struct synth_image image = {.class = query_text(query, 0),
                                .number = (uint64_t)query_integer(query, 1),
                                .bytes = (uint64_t)query_integer(query, 2)};
    snprintf(image.sha256, sizeof image.sha256, "%s", query_text(query, 3));
    each(self, &image);
  }
  query_close(query);
  return status;
}

enum status synth_images_write(struct db *db, int64_t synth, const struct synth_image *images, size_t count,
                               struct error *error)
{
  struct query *query = NULL;
  enum status status =
      query_open(&query, db,
                 "INSERT OR REPLACE INTO synth_image (synth, class, number, bytes, sha256, parameters) "
                 "VALUES (?, ?, ?, ?, ?, ?)",
                 error);
  if (!status) status = db_begin(db, error);
  for (size_t i = 0; i < count && !status; i++)
    status = query_run(query, error, "itiitt", synth, images[i].class, (int64_t)images[i].number,
                       (int64_t)images[i].bytes, images[i].sha256, images[i].parameters);
  query_close(query);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}
