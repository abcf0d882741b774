#include "rows.h"

#include <stdlib.h>

#include "core/mem.h"
#include "store/benchmarks.h"

struct row {
  struct figure figure;
  const char *precision;
  int threads, batch;
};

enum status rows_add(struct rows *rows, const struct figure *figure, const char *precision, int threads, int batch,
                     struct error *error)
{
  enum status status =
      mem_grow((void **)&rows->rows, &rows->capacity, rows->count + 1, sizeof *rows->rows, "rows", error);
  if (!status)
    rows->rows[rows->count++] =
        (struct row){.figure = *figure, .precision = precision, .threads = threads, .batch = batch};
  return status;
}

enum status rows_store(const struct rows *rows, const char *manifest, const char *host, struct error *error)
{
  struct benchmark *stored = NULL;
  struct db *db = NULL;
  enum status status = mem_zeroed((void **)&stored, rows->count, sizeof *stored, "rows", error);
  for (size_t i = 0; !status && i < rows->count; i++) {
    const struct row *row = &rows->rows[i];
    stored[i] = (struct benchmark){.task = row->figure.task,
                                   .precision = row->precision,
                                   .threads = row->threads,
                                   .batch = row->batch,
                                   .value = row->figure.value,
                                   .unit = row->figure.unit,
                                   .peer = *row->figure.peer ? row->figure.peer : NULL,
                                   .peer_value = row->figure.peer_value};
  }
  if (!status) status = db_open(&db, manifest, DB_CREATE, error);
  if (!status) status = benchmarks_add(db, stored, rows->count, host, error);
  db_close(db);
  free(stored);
  return status;
}

void rows_release(struct rows *rows)
{
  free(rows->rows);
  *rows = (struct rows){.count = 0};
}
