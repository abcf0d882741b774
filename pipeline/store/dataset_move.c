// A folder that was moved keeps its row, and with it its splits, tensors and runs.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/files.h"
#include "store/images.h"

static bool is_gone(const char *root)
{
  struct stat info;
  return lstat(root, &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

// Both are in the order of the paths' bytes.
static enum status has_files(bool *same, struct db *db, int64_t dataset, const struct image_file *files, size_t count,
                             struct error *error)
{
  struct query *query = NULL;
  size_t at = 0;
  enum status status = query_open(
      &query, db, "SELECT path, bytes FROM image WHERE dataset = ? AND status <> 'missing' ORDER BY path", error);
  if (!status) status = query_bind(query, error, "i", dataset);
  *same = !status && count > 0;
  for (; *same && query_next(query, &status, error); at++)
    *same = at < count && !strcmp(query_text(query, 0), files[at].path) &&
            (uint64_t)query_integer(query, 1) == files[at].size;
  *same = *same && !status && at == count;
  query_close(query);
  return status;
}

// The first dataset that was read to its end, whose folder is gone, and which had these files.
static enum status find_moved(int64_t *id, char from[PATH_LIMIT], struct db *db, const struct image_file *files,
                              size_t count, struct error *error)
{
  struct query *query = NULL;
  bool same = false;
  enum status status = query_open(
      &query, db, "SELECT id, CAST(root AS TEXT) FROM dataset WHERE fingerprint IS NOT NULL ORDER BY id", error);
  while (!status && !same && query_next(query, &status, error)) {
    *id = query_integer(query, 0);
    snprintf(from, PATH_LIMIT, "%s", query_text(query, 1));
    if (is_gone(from)) status = has_files(&same, db, *id, files, count, error);
  }
  query_close(query);
  if (!same) from[0] = '\0';
  return status;
}

enum status dataset_move(struct db *db, const char *root, const struct image_file *files, size_t count,
                         char from[PATH_LIMIT], struct error *error)
{
  int64_t known = 0, id = 0;
  from[0] = '\0';
  enum status status =
      db_integer(db, &known, NULL, error, "SELECT count(*) FROM dataset WHERE root = ?", "b", root, strlen(root));
  if (!status && !known) status = find_moved(&id, from, db, files, count, error);
  if (status || !from[0]) return status;
  return db_run(db, error, "UPDATE dataset SET root = ? WHERE id = ?", "bi", root, strlen(root), id);
}
