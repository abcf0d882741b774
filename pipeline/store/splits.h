// Splits in the manifest: which part of the data an image is in. A split and all its rows are written in one
// transaction.
#ifndef STORE_SPLITS_H
#define STORE_SPLITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/classes.h"
#include "store/db.h"

// PART_NONE: left out, so that one part does not know another.
enum part { PART_TRAIN, PART_VAL, PART_TEST, PART_COUNT, PART_NONE = PART_COUNT };

const char *part_name(enum part part); // "train", "val", "test", "none"

// The part that a folder's name stands for: train; val, valid, validation; test. Any other: PART_NONE.
enum part part_of_folder(const char *name, size_t length);

struct split_found {
  int64_t id, dataset;             // the first of its datasets
  uint64_t images[PART_COUNT + 1]; // with those in none
};

// The split of this key or, with a NULL key, of this id.
enum status split_find(struct db *db, const char *key, int64_t id, struct split_found *out, bool *found,
                       struct error *error);

// The parameters JSON of the latest split whose first dataset this is (free it), or NULL. For saying what changed.
enum status split_previous(struct db *db, int64_t dataset, char **parameters, struct error *error);

// An image that may be used (status ok).
struct split_candidate {
  int64_t image;
  int dataset;      // place among the split's datasets
  int label;        // place among the split's classes
  bool hashed;      // it has a dhash
  uint64_t dhash;   // image/phash.h
  uint64_t video;   // the same for images whose paths differ in the frame number alone
  int64_t frame;    // the number at the end of the name; -1: none
  enum part folder; // what the first folder of its path stands for
  uint32_t group;   // near-duplicates (data/neighbours.h); 0 until they are found
};

// The usable images of the datasets, in their order and within each in the order of their paths' bytes, which does not
// depend on when they were found; free *out. `classes` are the union of the datasets' own.
enum status split_candidates(struct db *db, const int64_t *datasets, size_t dataset_count,
                             const struct class_names *classes, struct split_candidate **out, size_t *count,
                             struct error *error);

struct split_row {
  const int64_t *datasets;
  size_t dataset_count;
  const struct class_names *classes;
  const char *key, *parameters, *method;
  int64_t seed, bits;
};

// distances[i]: bits to the nearest train image of the class; below 0: unknown. `out` becomes what split_find finds.
enum status split_insert(struct db *db, const struct split_row *row, const struct split_candidate *images,
                         const enum part *parts, const int *distances, size_t count, struct split_found *out,
                         struct error *error);

#endif
