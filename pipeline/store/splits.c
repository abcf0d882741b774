#include "store/splits.h"

#include <stdlib.h>
#include <time.h>

#include "core/mem.h"

const char *part_name(enum part part)
{
  static const char *const names[] = {"train", "val", "test"};
  return names[part];
}

enum status split_find(struct db *db, const char *key, struct split_found *out, bool *found, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, "SELECT id, dataset, train, val, test FROM split WHERE key = ?", error);
  if (!status) status = query_bind(query, error, "t", key);
  *found = !status && query_next(query, &status, error);
  if (*found) {
    *out = (struct split_found){.id = query_integer(query, 0), .dataset = query_integer(query, 1)};
    for (int part = 0; part < PART_COUNT; part++) out->images[part] = (uint64_t)query_integer(query, 2 + part);
  }
  query_close(query);
  return status;
}

enum status split_previous(struct db *db, int64_t dataset, char **parameters, struct error *error)
{
  struct query *query = NULL;
  *parameters = NULL;
  enum status status = query_open(
      &query, db, "SELECT parameters FROM split WHERE dataset = ? ORDER BY created_at DESC, id DESC LIMIT 1", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  if (!status && query_next(query, &status, error)) status = mem_text(parameters, query_text(query, 0), error);
  query_close(query);
  return status;
}

enum status split_candidates(struct db *db, int64_t dataset, struct split_candidate **out, size_t *count,
                             struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *out = NULL;
  *count = 0;
  enum status status =
      query_open(&query, db, "SELECT id, label FROM image WHERE dataset = ? AND status = 'ok' ORDER BY path", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  while (!status && query_next(query, &status, error)) {
    status = mem_grow((void **)out, &capacity, *count + 1, sizeof **out, "the images", error);
    if (status) break;
    (*out)[(*count)++] =
        (struct split_candidate){.image = query_integer(query, 0), .label = (int)query_integer(query, 1)};
  }
  query_close(query);
  return status;
}

static enum status insert_images(struct db *db, int64_t split, const struct split_candidate *images,
                                 const enum part *parts, size_t count, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, "INSERT INTO split_image (split, image, part) VALUES (?, ?, ?)", error);
  for (size_t i = 0; i < count && !status; i++)
    status = query_run(query, error, "iit", split, images[i].image, part_name(parts[i]));
  query_close(query);
  return status;
}

enum status split_insert(struct db *db, const struct split_row *row, const struct split_candidate *images,
                         const enum part *parts, size_t count, struct split_found *out, struct error *error)
{
  *out = (struct split_found){.dataset = row->dataset};
  for (size_t i = 0; i < count; i++) out->images[parts[i]]++;
  enum status status = db_begin(db, error);
  if (status) return status;
  status = db_run(db, error,
                  "INSERT INTO split (dataset, key, parameters, method, seed, train, val, test, created_at)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "itttiiiir", row->dataset, row->key, row->parameters, row->method, row->seed,
                  (int64_t)out->images[PART_TRAIN], (int64_t)out->images[PART_VAL], (int64_t)out->images[PART_TEST],
                  (double)time(NULL));
  if (!status) out->id = db_last_id(db);
  if (!status) status = insert_images(db, out->id, images, parts, count, error);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}

enum status class_names_read(struct db *db, int64_t dataset, char ***names, size_t *count, struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *names = NULL;
  *count = 0;
  enum status status =
      query_open(&query, db, "SELECT ordinal, name FROM class WHERE dataset = ? ORDER BY ordinal", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  while (!status && query_next(query, &status, error)) {
    if (query_integer(query, 0) != (int64_t)*count)
      status = fail(error, BAD_DATA, "%s: class %zu of the dataset is missing", db_path(db), *count);
    if (!status) status = mem_grow((void **)names, &capacity, *count + 1, sizeof **names, "the classes", error);
    if (!status) status = mem_text(&(*names)[*count], query_text(query, 1), error);
    if (!status) (*count)++;
  }
  query_close(query);
  if (!status) return OK;
  class_names_free(*names, *count);
  *names = NULL;
  *count = 0;
  return status;
}

void class_names_free(char **names, size_t count)
{
  for (size_t i = 0; i < count; i++) free(names[i]);
  free(names);
}
