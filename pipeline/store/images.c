#include "store/images.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/files.h"
#include "core/mem.h"
#include "core/utf8.h"

// --- what changed ----------------------------------------------------------------------------------------------------

static int compare_path(const struct image_file *file, struct query *query)
{
  size_t size = 0, length = strlen(file->path);
  const void *bytes = query_bytes(query, 1, &size);
  int order = memcmp(file->path, bytes, length < size ? length : size);
  return order ? order : (length > size) - (length < size);
}

static bool is_missing(struct query *query)
{
  return !strcmp(query_text(query, 6), "missing");
}

// A file that the system refused to read: what kept it from us (a mode, a bad cable) leaves no trace in size and time.
static bool is_unread(struct query *query)
{
  return query_integer(query, 7) != 0;
}

static bool is_unchanged(const struct image_file *file, struct query *query)
{
  return (uint64_t)query_integer(query, 2) == file->size && query_integer(query, 3) == file->mtime_ns &&
         (uint64_t)query_integer(query, 4) == file->inode && query_integer(query, 5) == file->label &&
         !is_missing(query) && !is_unread(query);
}

static enum status add_vanished(struct image_changes *changes, size_t *capacity, int64_t id, struct error *error)
{
  enum status status = mem_grow((void **)&changes->vanished, capacity, changes->vanished_count + 1,
                                sizeof *changes->vanished, "vanished images", error);
  if (!status) changes->vanished[changes->vanished_count++] = id;
  return status;
}

// Both sides come in the order of their paths' bytes: one walk over both.
static enum status compare(struct query *query, const struct image_file *files, size_t count, struct image_changes *out,
                           struct error *error)
{
  enum status status = OK;
  size_t at = 0, capacity = 0;
  while (!status && query_next(query, &status, error)) {
    int order = 1;
    out->known++;
    for (; at < count && (order = compare_path(&files[at], query)) < 0; at++) out->todo[at] = true;
    if (at < count && order == 0) {
      out->todo[at] = !is_unchanged(&files[at], query);
      at++;
    } else if (!is_missing(query)) {
      status = add_vanished(out, &capacity, query_integer(query, 0), error);
    }
  }
  for (; at < count; at++) out->todo[at] = true;
  for (size_t i = 0; i < count; i++) out->todo_count += out->todo[i];
  return status;
}

enum status images_changes(struct db *db, int64_t dataset, const struct image_file *files, size_t count,
                           struct image_changes *out, struct error *error)
{
  *out = (struct image_changes){0};
  struct query *query = NULL;
  void *todo = NULL;
  enum status status = mem_zeroed(&todo, count, sizeof *out->todo, "the list of files", error);
  out->todo = todo;
  if (!status)
    status = query_open(&query, db,
                        "SELECT id, path, bytes, mtime_ns, inode, label, status,"
                        " status = 'quarantined' AND sha256 IS NULL AND reason GLOB 'unreadable:*'"
                        " FROM image WHERE dataset = ? ORDER BY path",
                        error);
  if (!status) status = query_bind(query, error, "i", dataset);
  if (!status) status = compare(query, files, count, out, error);
  query_close(query);
  if (status) images_changes_release(out);
  return status;
}

void images_changes_release(struct image_changes *changes)
{
  free(changes->todo);
  free(changes->vanished);
  *changes = (struct image_changes){0};
}

// --- rows ------------------------------------------------------------------------------------------------------------

// The digits at the end of the name's stem: 17 of "A/A17.jpg"; -1 if there are none, or more than an integer
// holds.
static int64_t frame_of(const char *path)
{
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *dot = strrchr(name, '.');
  const char *end = dot ? dot : name + strlen(name), *begin = end;
  while (begin > name && isdigit((unsigned char)begin[-1])) begin--;
  return begin == end || end - begin > 18 ? -1 : strtoll(begin, NULL, 10);
}

// ?7 is the format, which only an image that is ok has.
static const char put_sql[] =
    "INSERT INTO image (dataset, label, path, shown, status, reason, format, width, height, bytes, sha256, "
    "dhash, "
    "brightness, sharpness, frame, mtime_ns, inode) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, nullif(?8, 0), nullif(?9, 0), ?10, ?11, iif(?7 IS NULL, NULL, ?12), "
    "iif(?7 IS NULL, NULL, ?13), iif(?7 IS NULL, NULL, ?14), nullif(?15, -1), ?16, ?17) "
    "ON CONFLICT (dataset, path) DO UPDATE SET label = excluded.label, status = excluded.status, "
    "reason = excluded.reason, format = excluded.format, width = excluded.width, height = excluded.height, "
    "bytes = excluded.bytes, sha256 = excluded.sha256, dhash = excluded.dhash, brightness = "
    "excluded.brightness, "
    "sharpness = excluded.sharpness, mtime_ns = excluded.mtime_ns, inode = excluded.inode";

static enum status put(struct query *query, int64_t dataset, const struct image_row *row, struct error *error)
{
  const struct image_file *file = &row->file;
  char shown[4 * PATH_LIMIT];
  utf8_show(shown, sizeof shown, file->path);
  return query_run(query, error,
                   "iibtttt"
                   "iiitirr"
                   "iii",
                   dataset, (int64_t)file->label, file->path, strlen(file->path), shown, row->ok ? "ok" : "quarantined",
                   row->ok ? NULL : row->reason, row->ok ? row->format : NULL, (int64_t)row->width,
                   (int64_t)row->height, (int64_t)file->size, row->sha256[0] ? row->sha256 : NULL, (int64_t)row->dhash,
                   (double)row->brightness, (double)row->sharpness, frame_of(file->path), file->mtime_ns,
                   (int64_t)file->inode);
}

enum status images_write(struct db *db, int64_t dataset, const struct image_row *rows, size_t count,
                         struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, put_sql, error);
  if (!status) status = db_begin(db, error);
  for (size_t i = 0; i < count && !status; i++) status = put(query, dataset, &rows[i], error);
  query_close(query);
  if (!status) status = db_commit(db, error);
  if (status) db_rollback(db);
  return status;
}
