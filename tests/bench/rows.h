// Figures that wait to be stored in the table `benchmark`, all of them with one time.
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stddef.h>

#include "core/status.h"
#include "measure.h"

struct row;

struct rows { // zeroed: none
  struct row *rows;
  size_t count, capacity;
};

// `precision` stays the caller's and is not copied. batch 0: of no meaning here.
enum status rows_add(struct rows *rows, const struct figure *figure, const char *precision, int threads, int batch,
                     struct error *error);

// Makes the manifest where there is none. `host` is the machine that they were measured on.
enum status rows_store(const struct rows *rows, const char *manifest, const char *host, struct error *error);

void rows_release(struct rows *rows);

#endif
