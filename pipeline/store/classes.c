#include "store/classes.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"

void class_names_release(struct class_names *names)
{
  for (size_t i = 0; i < names->count; i++) free(names->list[i]);
  free(names->list);
  *names = (struct class_names){0};
}

static int by_bytes(const void *left, const void *right)
{
  return strcmp(*(char *const *)left, *(char *const *)right);
}

int class_names_place(const struct class_names *names, const char *name)
{
  if (!names->count) return -1;
  char *const *found = bsearch(&name, names->list, names->count, sizeof *names->list, by_bytes);
  return found ? (int)(found - names->list) : -1;
}

// Appends the first column of the query's rows.
static enum status append(struct class_names *names, size_t *capacity, struct query *query, struct error *error)
{
  enum status status = OK;
  while (!status && query_next(query, &status, error)) {
    status = mem_grow((void **)&names->list, capacity, names->count + 1, sizeof *names->list, "the classes", error);
    if (!status) status = mem_text(&names->list[names->count], query_text(query, 0), error);
    if (!status) names->count++;
  }
  return status;
}

static void sort_and_keep_one_of_each(struct class_names *names)
{
  size_t kept = 0;
  if (names->count > 1) qsort(names->list, names->count, sizeof *names->list, by_bytes);
  for (size_t i = 0; i < names->count; i++)
    if (kept && !strcmp(names->list[kept - 1], names->list[i]))
      free(names->list[i]);
    else
      names->list[kept++] = names->list[i];
  names->count = kept;
}

enum status class_names_union(struct class_names *out, struct db *db, const int64_t *datasets, size_t count,
                              struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  *out = (struct class_names){0};
  enum status status = query_open(&query, db, "SELECT name FROM class WHERE dataset = ?", error);
  for (size_t i = 0; i < count && !status; i++) {
    status = query_bind(query, error, "i", datasets[i]);
    if (!status) status = append(out, &capacity, query, error);
  }
  query_close(query);
  if (!status) sort_and_keep_one_of_each(out);
  return status;
}

enum status class_names_of_split(struct class_names *out, struct db *db, int64_t split, struct error *error)
{
  struct query *query = NULL;
  size_t capacity = 0;
  int64_t gap = 0;
  *out = (struct class_names){0};
  enum status status = query_open(&query, db, "SELECT name FROM split_class WHERE split = ? ORDER BY ordinal", error);
  if (!status) status = query_bind(query, error, "i", split);
  if (!status) status = append(out, &capacity, query, error);
  query_close(query);
  if (!status)
    status = db_integer(db, &gap, NULL, error,
                        "SELECT count(*) <> ifnull(max(ordinal), -1) + 1 FROM split_class"
                        " WHERE split = ?",
                        "i", split);
  if (!status && gap)
    status = fail(error, BAD_DATA, "%s: a class of split %lld is missing", db_path(db), (long long)split);
  return status;
}
