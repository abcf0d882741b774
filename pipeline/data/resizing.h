// All whole images of a dataset, resized to one square, as a tensor set. A source is read once more, and its SHA-256
// compared with what ingest saw: rot on the disk, or a file that was edited, is an error and never a training image.
#ifndef PIPELINE_RESIZING_H
#define PIPELINE_RESIZING_H

#include <stdint.h>

#include "core/status.h"
#include "image/resize.h"
#include "stage/stage.h"

struct resize_request {
  int64_t dataset;
  int size; // side of the square
  enum resize_fit fit;
  enum resize_filter filter;
  const char *what; // for whoever opens a file: "stretch, area"
  const char *key, *parameters;
};

// Makes what is missing of the set; *images becomes the number of its rows.
enum status resize_dataset(struct stage *stage, const struct resize_request *request, uint64_t *images,
                           struct error *error);

#endif
