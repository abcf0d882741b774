// Look-alikes in the manifest: images whose hash is near to that of an image of another class.
#ifndef STORE_LOOK_ALIKES_H
#define STORE_LOOK_ALIKES_H

#include <stddef.h>
#include <stdint.h>

#include "store/db.h"

// An image with a hash.
struct hashed_image {
  int64_t image;
  int label; // class ordinal
  uint64_t dhash;
};

// The dataset's usable images with a hash, by label, then in the order of their paths' bytes; free *out.
enum status hashed_images(struct db *db, int64_t dataset, struct hashed_image **out, size_t *count,
                          struct error *error);

struct look_alike {
  int64_t image, other;
  int distance, class_distance; // bits; a class_distance below 0: it is alone in its class
};

// Puts these in the place of the dataset's earlier ones.
enum status look_alikes_write(struct db *db, int64_t dataset, const struct look_alike *rows, size_t count,
                              struct error *error);

#endif
