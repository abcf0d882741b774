#include "store/splits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/mem.h"

const char *part_name(enum part part)
{
  static const char *const names[] = {"train", "val", "test", "none"};
  return names[part];
}

enum part part_of_folder(const char *name, size_t length)
{
  static const struct {
    const char *name;
    enum part part;
  } folders[] = {
      {"train", PART_TRAIN}, {"val", PART_VAL}, {"valid", PART_VAL}, {"validation", PART_VAL}, {"test", PART_TEST}};
  for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
    if (strlen(folders[i].name) == length && !memcmp(folders[i].name, name, length)) return folders[i].part;
  return PART_NONE;
}

enum status split_find(struct db *db, const char *key, int64_t id, struct split_found *out, bool *found,
                       struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "SELECT id, dataset, train, val, test, (SELECT count(*) FROM split_image WHERE split "
                                  "= split.id AND part = 'none') FROM split WHERE key = ?1 OR id = ?2",
                                  error);
  if (!status) status = query_bind(query, error, "ti", key, id);
  *found = !status && query_next(query, &status, error);
  if (*found) {
    *out = (struct split_found){.id = query_integer(query, 0), .dataset = query_integer(query, 1)};
    for (int part = 0; part <= PART_NONE; part++) out->images[part] = (uint64_t)query_integer(query, 2 + part);
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

// FNV-1a of the path without the frame number and what follows it. Two videos of a dataset share one with a probability
// of 1 in 2^64.
static uint64_t video_of(int64_t dataset, const char *path, size_t size)
{
  uint64_t hash = 14695981039346656037u ^ (uint64_t)dataset;
  size_t stem = size;
  while (stem > 0 && path[stem - 1] != '/' && path[stem - 1] != '.') stem--;
  if (stem > 0 && path[stem - 1] == '.')
    stem--;
  else
    stem = size;
  while (stem > 0 && path[stem - 1] >= '0' && path[stem - 1] <= '9') stem--;
  for (size_t i = 0; i < stem; i++) hash = (hash ^ (uint8_t)path[i]) * 1099511628211u;
  return hash;
}

static struct split_candidate read_candidate(struct query *query, int dataset, int label)
{
  size_t size = 0;
  const char *path = query_bytes(query, 2, &size), *slash = memchr(path, '/', size);
  return (struct split_candidate){.image = query_integer(query, 0),
                                  .dataset = dataset,
                                  .label = label,
                                  .hashed = !query_is_null(query, 3),
                                  .dhash = (uint64_t)query_integer(query, 3),
                                  .folder = slash ? part_of_folder(path, (size_t)(slash - path)) : PART_NONE,
                                  .video = video_of(dataset, path, size),
                                  .frame = query_is_null(query, 4) ? -1 : query_integer(query, 4)};
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
    if (!status) (*out)[(*count)++] = read_candidate(query, dataset, label);
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
                                  "SELECT i.id, c.name, i.path, i.dhash, i.frame FROM image i"
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
                                 const enum part *parts, const int *distances, size_t count, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "INSERT INTO split_image (split, image, part, grouping, train_distance)"
                                  " VALUES (?1, ?2, ?3, nullif(?4, 0), iif(?5 < 0, NULL, ?5))",
                                  error);
  for (size_t i = 0; i < count && !status; i++)
    status = query_run(query, error, "iitii", split, images[i].image, part_name(parts[i]), (int64_t)images[i].group,
                       (int64_t)distances[i]);
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
                         const enum part *parts, const int *distances, size_t count, struct split_found *out,
                         struct error *error)
{
  *out = (struct split_found){.dataset = row->datasets[0]};
  for (size_t i = 0; i < count; i++) out->images[parts[i]]++;
  enum status status = db_begin(db, error);
  if (status) return status;
  status = db_run(db, error,
                  "INSERT INTO split (dataset, key, parameters, method, seed, train, val, test, created_at, bits)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "itttiiiiri", row->datasets[0], row->key, row->parameters, row->method, row->seed,
                  (int64_t)out->images[PART_TRAIN], (int64_t)out->images[PART_VAL], (int64_t)out->images[PART_TEST],
                  (double)time(NULL), row->bits);
  if (!status) out->id = db_last_id(db);
  if (!status) status = insert_datasets(db, out->id, row, error);
  if (!status) status = insert_images(db, out->id, images, parts, distances, count, error);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}
