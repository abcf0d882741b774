// Outside tests: datasets that a run never trained on, judged by its best weights. Classes are matched by name: one
// that the dataset lacks, or that the run does not know, is told by name and shifts nothing.
//
//   outside_of_config     those of dataset.test, as ingest and resize left them
//   outside_of_folder     one folder at any later time: read, resized and entered in the manifest if it is not yet
//   ... the stage judges the images of `tensor_set` ...
//   outside_record        one transaction: predictions, figures, the test's row
#ifndef PIPELINE_OUTSIDE_H
#define PIPELINE_OUTSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"
#include "keys/keys.h"
#include "stage/stage.h"
#include "store/runs.h"
#include "training/judgement.h"

struct outside {
  struct dataset_found dataset;
  char part[OUTSIDE_PART_LIMIT]; // in prediction and metric: "outside:NAME"
  int64_t tensor_set;
  char why[128]; // it has to be judged; "" where the manifest has what these weights say of these images
};

struct outside_tests {
  struct outside list[DATASETS_LIMIT];
  size_t count;
};

// `tests` says which folders, `config` (the run's) how their images are resized. BAD_USAGE and BAD_DATA where one of
// them is a folder that the run was trained on, lies within one or around one, or holds the same images.
enum status outside_of_config(struct outside_tests *out, struct stage *stage, const struct run_found *run,
                              const struct config *tests, const struct config *config, struct error *error);

enum status outside_of_folder(struct outside_tests *out, struct stage *stage, const struct run_found *run,
                              const char *folder, const struct config *config, struct error *error);

// Warns of missing and unknown classes, and of images that are training images. BAD_DATA where the run knows none of
// the dataset's classes.
enum status outside_record(struct stage *stage, const struct run_found *run, const struct outside *test,
                           const struct judgement *judgement, struct error *error);

#endif
