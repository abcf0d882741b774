#include "store/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/mem.h"
#include "store/recorded.h"

static const char *const kinds[] = {"resized", "augmented", "features"};

static const char *kind_constant(const char *name)
{
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (!strcmp(kinds[i], name)) return kinds[i];
  return "";
}

size_t tensor_set_row_bytes(const struct tensor_set *set)
{
  return (size_t)set->height * (size_t)set->width * (size_t)set->channels * tensor_dtype_size(set->dtype);
}

const char *tensor_set_tensor(const struct tensor_set *set)
{
  return strcmp(set->kind, "features") != 0 ? "images" : "features";
}

// The schema also lets F32 in, which no stage writes.
static enum status read_dtype(struct tensor_set *set, const char *name, struct db *db, struct error *error)
{
  bool bytes = !strcmp(name, tensor_dtype_name(TENSOR_U8));
  set->dtype = bytes ? TENSOR_U8 : TENSOR_BF16;
  if (bytes || !strcmp(name, tensor_dtype_name(TENSOR_BF16))) return OK;
  return fail(error, BAD_DATA, "%s: tensor set %lld holds numbers of type %s; U8 and BF16 can be read", db_path(db),
              (long long)set->id, name);
}

enum status tensor_set_find(struct db *db, const char *key, int64_t id, struct tensor_set *out, bool *found,
                            struct error *error)
{
  struct query *query = NULL;
  *found = false;
  enum status status = query_open(&query, db,
                                  "SELECT id, kind, dataset, ifnull(split, 0), state = 'done', height, width, channels,"
                                  " dtype, (SELECT ifnull(sum(f.rows), 0) FROM tensor_file f WHERE f.tensor_set = t.id)"
                                  " FROM tensor_set t WHERE key = ?1 OR (?1 IS NULL AND id = ?2)",
                                  error);
  if (!status) status = query_bind(query, error, "ti", key, id);
  if (!status && query_next(query, &status, error)) {
    *found = true;
    *out = (struct tensor_set){
        .id = query_integer(query, 0),
        .kind = kind_constant(query_text(query, 1)),
        .dataset = query_integer(query, 2),
        .split = query_integer(query, 3),
        .done = query_integer(query, 4) != 0,
        .height = (int)query_integer(query, 5),
        .width = (int)query_integer(query, 6),
        .channels = (int)query_integer(query, 7),
        .rows = (uint64_t)query_integer(query, 9),
    };
    status = read_dtype(out, query_text(query, 8), db, error);
  }
  query_close(query);
  return status;
}

enum status tensor_set_previous(struct db *db, const char *kind, int64_t dataset, char **parameters,
                                struct error *error)
{
  struct query *query = NULL;
  *parameters = NULL;
  enum status status = query_open(
      &query, db, "SELECT parameters FROM tensor_set WHERE kind = ? AND dataset = ? ORDER BY id DESC LIMIT 1", error);
  if (!status) status = query_bind(query, error, "ti", kind, dataset);
  if (!status && query_next(query, &status, error)) status = mem_text(parameters, query_text(query, 0), error);
  query_close(query);
  return status;
}

// What is to be made goes by the request; a row that says otherwise under its key is none of ours.
static enum status check_form(struct db *db, const struct tensor_set *is, const struct tensor_set *wanted,
                              struct error *error)
{
  if (!strcmp(is->kind, wanted->kind) && is->height == wanted->height && is->width == wanted->width &&
      is->channels == wanted->channels && is->dtype == wanted->dtype)
    return OK;
  return fail(error, BAD_DATA,
              "%s: tensor set %lld is %s, %dx%dx%d of %s; its key stands for %s, %dx%dx%d of %s: restore a copy of the"
              " manifest",
              db_path(db), (long long)is->id, is->kind, is->height, is->width, is->channels,
              tensor_dtype_name(is->dtype), wanted->kind, wanted->height, wanted->width, wanted->channels,
              tensor_dtype_name(wanted->dtype));
}

enum status tensor_set_begin(struct db *db, struct tensor_set *set, const char *key, const char *parameters,
                             struct error *error)
{
  bool found;
  struct tensor_set earlier;
  enum status status = tensor_set_find(db, key, 0, &earlier, &found, error);
  if (!status && found) status = check_form(db, &earlier, set, error);
  if (status) return status;
  if (found) {
    *set = earlier;
    set->done = false;
    return db_run(db, error, "UPDATE tensor_set SET state = 'running' WHERE id = ?", "i", set->id);
  }
  static const char sql[] = "INSERT INTO tensor_set (kind, dataset, split, key, parameters, state, height, width,"
                            " channels, dtype, created_at) VALUES (?, ?, nullif(?, 0), ?, ?, 'running', ?, ?, ?, ?, ?)";
  status =
      db_run(db, error, sql, "tiittiiitr", set->kind, set->dataset, set->split, key, parameters, (int64_t)set->height,
             (int64_t)set->width, (int64_t)set->channels, tensor_dtype_name(set->dtype), (double)time(NULL));
  set->rows = 0;
  set->done = false;
  if (!status) set->id = db_last_id(db);
  return status;
}

static enum status insert_rows(struct db *db, const struct tensor_set *set, const struct tensor_file *file,
                               const struct tensor_row *rows, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(
      &query, db, "INSERT INTO tensor_row (tensor_set, row, image, variant, parameters) VALUES (?, ?, ?, ?, ?)", error);
  for (uint64_t i = 0; !status && i < file->rows; i++)
    status = query_run(query, error, "iiiit", set->id, (int64_t)(file->first_row + i), rows[i].image,
                       (int64_t)rows[i].variant, rows[i].parameters);
  query_close(query);
  return status;
}

static const char count_rows[] = "UPDATE tensor_set SET rows = (SELECT ifnull(sum(rows), 0) FROM tensor_file"
                                 " WHERE tensor_set = ?1) WHERE id = ?1";

enum status tensor_set_add_file(struct db *db, struct tensor_set *set, const struct tensor_file *file,
                                const struct tensor_row *rows, struct error *error)
{
  enum status status = db_begin(db, error);
  if (status) return status;
  status = db_run(db, error,
                  "INSERT INTO tensor_file (tensor_set, ordinal, path, first_row, rows, bytes, sha256)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?)",
                  "iitiiit", set->id, (int64_t)file->ordinal, file->path, (int64_t)file->first_row, (int64_t)file->rows,
                  (int64_t)file->bytes, file->sha256);
  if (!status) status = insert_rows(db, set, file, rows, error);
  if (!status) status = db_run(db, error, count_rows, "i", set->id);
  if (!status) status = db_commit(db, error);
  if (status)
    db_rollback(db);
  else
    set->rows += file->rows;
  return status;
}

enum status tensor_set_finish(struct db *db, struct tensor_set *set, struct error *error)
{
  enum status status = db_run(db, error, "UPDATE tensor_set SET state = 'done' WHERE id = ?", "i", set->id);
  if (!status) set->done = true;
  return status;
}

enum status tensor_set_files(struct db *db, int64_t set, struct tensor_file **files, size_t *count, struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *files = NULL;
  *count = 0;
  enum status status = query_open(&query, db,
                                  "SELECT ordinal, path, first_row, rows, bytes, sha256 FROM tensor_file"
                                  " WHERE tensor_set = ? ORDER BY ordinal",
                                  error);
  if (!status) status = query_bind(query, error, "i", set);
  while (!status && query_next(query, &status, error)) {
    status = mem_grow((void **)files, &capacity, *count + 1, sizeof **files, "tensor files", error);
    if (status) break;
    struct tensor_file *file = &(*files)[(*count)++];
    *file = (struct tensor_file){
        .ordinal = (int)query_integer(query, 0),
        .first_row = (uint64_t)query_integer(query, 2),
        .rows = (uint64_t)query_integer(query, 3),
        .bytes = (uint64_t)query_integer(query, 4),
    };
    snprintf(file->path, sizeof file->path, "%s", query_text(query, 1));
    snprintf(file->sha256, sizeof file->sha256, "%s", query_text(query, 5));
  }
  query_close(query);
  if (status) {
    free(*files);
    *files = NULL;
  }
  return status;
}

void tensor_file_name(char out[128], const char *key, int ordinal)
{
  snprintf(out, 128, TENSOR_FOLDER "/%.12s-%05d.safetensors", key, ordinal);
}

enum status tensor_file_check(const char *folder, const struct tensor_file *file, struct error *error)
{
  return recorded_file_check(folder, TENSOR_FOLDER, file->path, file->bytes, error);
}

enum status tensor_set_forget_from(struct db *db, struct tensor_set *set, int ordinal, struct error *error)
{
  int64_t first = (int64_t)set->rows;
  enum status status = db_begin(db, error);
  if (status) return status;
  status = db_integer(db, &first, NULL, error, "SELECT first_row FROM tensor_file WHERE tensor_set = ? AND ordinal = ?",
                      "ii", set->id, (int64_t)ordinal);
  if (!status)
    status = db_run(db, error, "DELETE FROM tensor_row WHERE tensor_set = ? AND row >= ?", "ii", set->id, first);
  if (!status)
    status = db_run(db, error, "DELETE FROM tensor_file WHERE tensor_set = ? AND ordinal >= ?", "ii", set->id,
                    (int64_t)ordinal);
  if (!status) status = db_run(db, error, count_rows, "i", set->id);
  if (!status) status = db_commit(db, error);
  if (status)
    db_rollback(db);
  else
    set->rows = (uint64_t)first;
  return status;
}

enum status tensor_set_collect(struct db *db, const char *folder, const char *key, struct error *error)
{
  char tensors[PATH_LIMIT], path[PATH_LIMIT], shown[128];
  struct listing listing = {0};
  enum status status = path_join(tensors, folder, TENSOR_FOLDER, error);
  if (!status) status = publications_collect(tensors, error);
  if (!status) status = folder_list(&listing, tensors, error);
  for (size_t i = 0; !status && i < listing.count; i++) {
    const char *name = listing.entries[i].name;
    if (!listing.entries[i].is_regular || strncmp(name, key, 12) != 0 || strlen(name) > 100) continue;
    snprintf(shown, sizeof shown, TENSOR_FOLDER "/%s", name);
    int64_t known = 0;
    status = db_integer(db, &known, NULL, error, "SELECT count(*) FROM tensor_file WHERE path = ?", "t", shown);
    if (!status && !known) status = path_join(path, tensors, name, error);
    if (!status && !known && unlink(path)) status = fail_errno(error, "cannot remove %s, which no row knows", path);
  }
  listing_release(&listing);
  return status;
}
