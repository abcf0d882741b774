#include "store/look_alikes.h"

#include <stdlib.h>

#include "core/mem.h"

enum status hashed_images(struct db *db, int64_t dataset, struct hashed_image **out, size_t *count, struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *out = NULL;
  *count = 0;
  enum status status = query_open(&query, db,
                                  "SELECT id, label, dhash FROM image WHERE dataset = ? AND status = 'ok'"
                                  " AND dhash IS NOT NULL ORDER BY label, path",
                                  error);
  if (!status) status = query_bind(query, error, "i", dataset);
  while (!status && query_next(query, &status, error)) {
    status = mem_grow((void **)out, &capacity, *count + 1, sizeof **out, "the images", error);
    if (!status)
      (*out)[(*count)++] = (struct hashed_image){query_integer(query, 0), (int)query_integer(query, 1),
                                                 (uint64_t)query_integer(query, 2)};
  }
  query_close(query);
  return status;
}

static enum status insert(struct db *db, const struct look_alike *rows, size_t count, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "INSERT INTO look_alike (image, other, distance, class_distance)"
                                  " VALUES (?1, ?2, ?3, iif(?4 < 0, NULL, ?4))",
                                  error);
  for (size_t i = 0; i < count && !status; i++)
    status = query_run(query, error, "iiii", rows[i].image, rows[i].other, (int64_t)rows[i].distance,
                       (int64_t)rows[i].class_distance);
  query_close(query);
  return status;
}

enum status look_alikes_write(struct db *db, int64_t dataset, const struct look_alike *rows, size_t count,
                              struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  status =
      db_run(db, error, "DELETE FROM look_alike WHERE image IN (SELECT id FROM image WHERE dataset = ?)", "i", dataset);
  if (!status) status = insert(db, rows, count, error);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}
