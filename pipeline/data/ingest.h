// Reading image files in parallel: open, hash, decode, measure; one row each, good or bad. The part of the
// ingest stage that works on pixels; what is found and what is recorded are in data/scan.h and store/images.h.
#ifndef PIPELINE_INGEST_H
#define PIPELINE_INGEST_H

#include <stddef.h>

#include "data/scan.h"
#include "stage/stage.h"
#include "store/images.h"

// Reads files[i] for each i with todo[i] and writes their rows, INGEST_BATCH to a transaction. Memory: a file
// and an image per thread. A bad image is a row, not an error. INTERRUPTED keeps what was read.
enum { INGEST_BATCH = 1024 };
enum status ingest_files(struct stage *stage, const struct dataset_row *dataset, const char *root,
                         const struct scan *scan, const struct image_changes *changes, struct error *error);

#endif
