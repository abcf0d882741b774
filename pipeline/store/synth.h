// Folders of rendered images and, for each image, the parameters that it was drawn from.
#ifndef STORE_SYNTH_H
#define STORE_SYNTH_H

#include <stddef.h>
#include <stdint.h>

#include "core/digest.h"
#include "store/db.h"

// The row of the folder `root` (absolute); made where it is new, and with other settings begun anew: its images' rows
// go.
struct synth_row {
  int64_t id;
  uint64_t seed;
  int side, code; // pixels; of the program that draws
  uint32_t video; // frames a session
  double variety;
};
enum status synth_open(struct db *db, const char *root, struct synth_row *row, struct error *error);

// Image `number` (from 1) of a class.
struct synth_image {
  const char *class, *parameters; // the caller's
  uint64_t number, bytes;
  char sha256[DIGEST_TEXT];
};

// Calls `each` with all images in the order of class and number; their parameters are NULL.
enum status synth_images_read(struct db *db, int64_t synth, void *self,
                              void (*each)(void *self, const struct synth_image *image), struct error *error);

// One transaction.
enum status synth_images_write(struct db *db, int64_t synth, const struct synth_image *images, size_t count,
                               struct error *error);

#endif
