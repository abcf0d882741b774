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

// The candidates of one dataset; the query takes its id.
static enum status add_candidates(struct query *query, int dataset, const struct class_names *classes,
                                  struct split_candidate **out, size_t *capacity, size_t *count, struct error *error)
{
  enum status status = OK;
  while (!status && query_next(query, &status, error)) {
    int label = class_names_place(classes, query_text(query, 1));
    if (label < 0)
      return fail(error, BAD_DATA, "image %lld has a class, %s, that is not among the split's",
                  (long long)query_integer(query, 0), query_text(query, 1));
    status = mem_grow((void **)out, capacity, *count + 1, sizeof **out, "the images", error);
    if (!status) (*out)[(*count)++] = (struct split_candidate){query_integer(query, 0), dataset, label};
  }
  return status;
}

enum status split_candidates(struct db *db, const int64_t *datasets, size_t dataset_count,
                             const struct class_names *classes, struct split_candidate **out, size_t *count,
                             struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *out = NULL;
  *count = 0;
  enum status status = query_open(&query, db,
                                  "SELECT i.id, c.name FROM image i"
                                  " LEFT JOIN class c ON c.dataset = i.dataset AND c.ordinal = i.label"
                                  " WHERE i.dataset = ? AND i.status = 'ok' ORDER BY i.path",
                                  error);
  for (size_t d = 0; d < dataset_count && !status; d++) {
    status = query_bind(query, error, "i", datasets[d]);
    if (!status) status = add_candidates(query, (int)d, classes, out, &capacity, count, error);
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

static enum status insert_datasets(struct db *db, int64_t split, const struct split_row *row, struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; i < row->dataset_count && !status; i++)
    status = db_run(db, error, "INSERT INTO split_dataset (split, ordinal, dataset) VALUES (?, ?, ?)", "iii", split,
                    (int64_t)i, row->datasets[i]);
  for (size_t i = 0; i < row->classes->count && !status; i++)
    status = db_run(db, error, "INSERT INTO split_class (split, ordinal, name) VALUES (?, ?, ?)", "iit", split,
                    (int64_t)i, row->classes->list[i]);
  return status;
}

enum status split_insert(struct db *db, const struct split_row *row, const struct split_candidate *images,
                         const enum part *parts, size_t count, struct split_found *out, struct error *error)
{
  *out = (struct split_found){.dataset = row->datasets[0]};
  for (size_t i = 0; i < count; i++) out->images[parts[i]]++;
  enum status status = db_begin(db, error);
  if (status) return status;
  status = db_run(db, error,
                  "INSERT INTO split (dataset, key, parameters, method, seed, train, val, test, created_at)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "itttiiiir", row->datasets[0], row->key, row->parameters, row->method, row->seed,
                  (int64_t)out->images[PART_TRAIN], (int64_t)out->images[PART_VAL], (int64_t)out->images[PART_TEST],
                  (double)time(NULL));
  if (!status) out->id = db_last_id(db);
  if (!status) status = insert_datasets(db, out->id, row, error);
  if (!status) status = insert_images(db, out->id, images, parts, count, error);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}
