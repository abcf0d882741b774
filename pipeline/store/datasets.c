// The rows of datasets and classes; images.c has those of images.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/utf8.h"
#include "store/images.h"

enum {
  CLASS_NAME_LIMIT = 1024,
  NAME_LIMIT = 200
}; // 255 bytes, each perhaps shown as \xHH; the start of a folder's name

// --- finding and adding ----------------------------------------------------------------------------------------------

static enum status find(struct db *db, const char *root, struct dataset_row *out, bool *found, struct error *error)
{
  struct query *query = NULL;
  enum status status =
      query_open(&query, db, "SELECT id, name, fingerprint, images, quarantined FROM dataset WHERE root = ?", error);
  if (!status) status = query_bind(query, error, "b", root, strlen(root));
  *found = !status && query_next(query, &status, error);
  if (*found) {
    out->id = query_integer(query, 0);
    snprintf(out->name, sizeof out->name, "%s", query_text(query, 1));
    out->finished = !query_is_null(query, 2);
    out->ok = (uint64_t)query_integer(query, 3);
    out->quarantined = (uint64_t)query_integer(query, 4);
  }
  query_close(query);
  return status;
}

// The last component of the path; the last two, if there are two, where the last says little: "phone29/train".
static void name_of(const char *root, char out[NAME_LIMIT])
{
  static const char *const vague[] = {"train", "training", "test", "val", "valid", "validation", "data", "images"};
  const char *last = strrchr(root, '/'), *begin = last ? last + 1 : root;
  for (size_t i = 0; i < sizeof vague / sizeof *vague && last && last > root; i++) {
    if (strcmp(begin, vague[i])) continue;
    while (last > root && last[-1] != '/') last--;
    begin = last;
    break;
  }
  utf8_show(out, NAME_LIMIT, *begin ? begin : "dataset");
}

static enum status add(struct db *db, const char *root, struct error *error)
{
  char base[NAME_LIMIT], name[NAME_LIMIT + 16];
  name_of(root, base);
  snprintf(name, sizeof name, "%s", base);
  for (int number = 2;; number++) {
    int64_t taken = 0;
    enum status status = db_integer(db, &taken, NULL, error, "SELECT count(*) FROM dataset WHERE name = ?", "t", name);
    if (status) return status;
    if (!taken) break;
    snprintf(name, sizeof name, "%s-%d", base, number);
  }
  return db_run(db, error, "INSERT INTO dataset (name, root) VALUES (?, ?)", "tb", name, root, strlen(root));
}

enum status dataset_open(struct db *db, const char *root, struct dataset_row *out, struct error *error)
{
  *out = (struct dataset_row){0};
  bool found = false;
  enum status status = find(db, root, out, &found, error);
  if (status || found) return status;
  status = db_begin(db, error);
  if (!status) status = find(db, root, out, &found, error); // another process may have been faster
  if (!status && !found) status = add(db, root, error);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status || found ? status : find(db, root, out, &found, error);
}

// --- classes ---------------------------------------------------------------------------------------------------------

enum status dataset_has_classes(struct db *db, int64_t dataset, char *const *names, size_t count, bool *same,
                                struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, "SELECT name FROM class WHERE dataset = ? ORDER BY ordinal", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  size_t at = 0;
  *same = true;
  for (; !status && query_next(query, &status, error); at++) {
    char shown[CLASS_NAME_LIMIT] = "";
    if (at < count) utf8_show(shown, sizeof shown, names[at]);
    *same = *same && at < count && !strcmp(shown, query_text(query, 0));
  }
  *same = *same && at == count;
  query_close(query);
  return status;
}

static enum status write_vanished(struct db *db, const struct image_changes *changes, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(
      &query, db, "UPDATE image SET status = 'missing', reason = 'missing: not in the folder any more' WHERE id = ?",
      error);
  for (size_t i = 0; i < changes->vanished_count && !status; i++)
    status = query_run(query, error, "i", changes->vanished[i]);
  query_close(query);
  return status;
}

// Splits and runs still have images that are gone, and nobody reads those again: their labels go with their class to
// its new ordinal, or are NULL where the class is gone, too. New labels are below 0 until all are known: 1 -> 0, 2
// -> 1.
static enum status relabel_vanished(struct db *db, int64_t dataset, char *const *names, size_t count,
                                    struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "UPDATE image SET label = -1 - ?2 WHERE dataset = ?1 AND status = 'missing' AND "
                                  "label = (SELECT ordinal FROM class WHERE dataset = ?1 AND name = ?3)",
                                  error);
  for (size_t i = 0; i < count && !status; i++) {
    char shown[CLASS_NAME_LIMIT];
    utf8_show(shown, sizeof shown, names[i]);
    status = query_run(query, error, "iit", dataset, (int64_t)i, shown);
  }
  query_close(query);
  if (status) return status;
  return db_run(db, error,
                "UPDATE image SET label = iif(label < 0, -1 - label, NULL) WHERE dataset = ? AND status = 'missing'",
                "i", dataset);
}

static enum status write_classes(struct db *db, int64_t dataset, char *const *names, size_t count, struct error *error)
{
  struct query *query = NULL;
  enum status status = db_run(db, error, "DELETE FROM class WHERE dataset = ?", "i", dataset);
  if (!status) status = query_open(&query, db, "INSERT INTO class (dataset, ordinal, name) VALUES (?, ?, ?)", error);
  for (size_t i = 0; i < count && !status; i++) {
    char shown[CLASS_NAME_LIMIT];
    utf8_show(shown, sizeof shown, names[i]);
    status = query_run(query, error, "iit", dataset, (int64_t)i, shown);
  }
  query_close(query);
  return status;
}

enum status dataset_begin(struct db *db, int64_t dataset, char *const *classes, size_t class_count,
                          const struct image_changes *changes, struct error *error)
{
  enum status status = db_begin(db, error);
  if (!status) status = db_run(db, error, "UPDATE dataset SET fingerprint = NULL WHERE id = ?", "i", dataset);
  if (!status) status = write_vanished(db, changes, error);
  if (!status) status = relabel_vanished(db, dataset, classes, class_count, error);
  if (!status) status = write_classes(db, dataset, classes, class_count, error);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}

enum status dataset_empty_class(struct db *db, int64_t dataset, char *out, size_t size, struct error *error)
{
  struct query *query = NULL;
  out[0] = '\0';
  enum status status = query_open(&query, db,
                                  "SELECT name FROM class WHERE dataset = ?1 AND ordinal NOT IN "
                                  "(SELECT label FROM image WHERE dataset = ?1 AND status = 'ok') ORDER BY ordinal",
                                  error);
  if (!status) status = query_bind(query, error, "i", dataset);
  if (!status && query_next(query, &status, error)) snprintf(out, size, "%s", query_text(query, 0));
  query_close(query);
  return status;
}

// --- the fingerprint -------------------------------------------------------------------------------------------------

static void digest_add_part(struct digest *digest, const void *bytes, size_t size)
{
  uint64_t length = size;
  digest_add(digest, &length, sizeof length); // so that no two lists of parts are the same bytes
  digest_add(digest, bytes, size);
}

// All columns of all rows, as their bytes.
static enum status digest_rows(struct digest *digest, struct db *db, int64_t dataset, const char *sql,
                               struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, sql, error);
  if (!status) status = query_bind(query, error, "i", dataset);
  while (!status && query_next(query, &status, error)) {
    for (int column = 0; column < query_columns(query); column++) {
      size_t size = 0;
      const void *bytes = query_bytes(query, column, &size);
      digest_add_part(digest, bytes, size);
    }
  }
  query_close(query);
  return status;
}

static enum status fingerprint(struct db *db, int64_t dataset, char text[DIGEST_TEXT], struct error *error)
{
  struct digest *digest = NULL;
  enum status status = digest_new(&digest, error);
  if (!status)
    status = digest_rows(digest, db, dataset, "SELECT name FROM class WHERE dataset = ? ORDER BY ordinal", error);
  if (!status)
    status = digest_rows(digest, db, dataset,
                         "SELECT path, sha256, status, label FROM image WHERE dataset = ? AND status <> 'missing' "
                         "ORDER BY path",
                         error);
  if (!status) digest_finish(digest, text);
  digest_free(digest);
  return status;
}

static enum status count(struct db *db, int64_t dataset, const char *state, uint64_t *out, struct error *error)
{
  int64_t number = 0;
  enum status status = db_integer(db, &number, NULL, error,
                                  "SELECT count(*) FROM image WHERE dataset = ? AND status = ?", "it", dataset, state);
  *out = (uint64_t)number;
  return status;
}

enum status dataset_count(struct db *db, struct dataset_row *dataset, struct error *error)
{
  enum status status = count(db, dataset->id, "ok", &dataset->ok, error);
  return status ? status : count(db, dataset->id, "quarantined", &dataset->quarantined, error);
}

enum status dataset_finish(struct db *db, struct dataset_row *dataset, struct error *error)
{
  char text[DIGEST_TEXT];
  enum status status = db_begin(db, error);
  if (!status) status = dataset_count(db, dataset, error);
  if (!status) status = fingerprint(db, dataset->id, text, error);
  if (!status)
    status = db_run(
        db, error, "UPDATE dataset SET fingerprint = ?, images = ?, quarantined = ?, scanned_at = ? WHERE id = ?",
        "tiiri", text, (int64_t)dataset->ok, (int64_t)dataset->quarantined, (double)time(NULL), dataset->id);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  dataset->finished = !status;
  return status;
}

enum status dataset_reasons(struct db *db, int64_t dataset, char *out, size_t size, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "SELECT substr(reason, 1, instr(reason || ':', ':') - 1) AS word, count(*) AS images "
                                  "FROM image WHERE dataset = ? AND status = 'quarantined' "
                                  "GROUP BY word ORDER BY images DESC, word",
                                  error);
  if (!status) status = query_bind(query, error, "i", dataset);
  size_t used = 0;
  out[0] = '\0';
  while (!status && query_next(query, &status, error) && used < size)
    used += (size_t)snprintf(out + used, size - used, "%s%lld %s", used ? ", " : "", (long long)query_integer(query, 1),
                             query_text(query, 0));
  query_close(query);
  return status;
}

enum status dataset_quarantined(struct db *db, int64_t dataset, size_t limit, void *self,
                                void (*each)(void *self, const char *shown, const char *reason), struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db,
                                  "SELECT shown, reason FROM image WHERE dataset = ? AND status = 'quarantined' "
                                  "ORDER BY path LIMIT ?",
                                  error);
  if (!status) status = query_bind(query, error, "ii", dataset, (int64_t)limit);
  while (!status && query_next(query, &status, error)) each(self, query_text(query, 0), query_text(query, 1));
  query_close(query);
  return status;
}
