// Calibrations in the manifest: how large the numbers in the maps of a net become.
#ifndef STORE_CALIBRATIONS_H
#define STORE_CALIBRATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "store/db.h"

struct calibration_row {
  int64_t id;
  uint64_t images, judged; // that were observed; others, that judged it
  double cosine_mean, cosine_least;
};

struct calibration_range {
  const char *layer;
  float range; // above 0
};

enum status calibration_find(struct db *db, const char *key, struct calibration_row *out, bool *found,
                             struct error *error);

// The key of the calibration that a run's features were computed with; "" where there was none.
enum status calibration_of_run(struct db *db, int64_t run, char key[DIGEST_TEXT], struct error *error);

// In the place of one with the same key; row->id is set.
enum status calibration_insert(struct db *db, const char *key, const char *parameters, struct calibration_row *row,
                               const struct calibration_range *ranges, size_t count, struct error *error);

// The ranges of all layers, one by one. BAD_DATA if one is not above 0.
enum status calibration_ranges(struct db *db, int64_t calibration, void *self,
                               void (*take)(void *self, const char *layer, float range), struct error *error);

#endif
