// From the manifest's tensor sets to what the engine eats: which row an image's pixels are in, its label, its part, and the
// augmentation that training applies to it. Files are mapped, never loaded; readahead is asked for a batch ahead.
#ifndef PIPELINE_LOADER_H
#define PIPELINE_LOADER_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/fit.h"
#include "image/augment.h"
#include "store/db.h"

struct loader;

struct loader_options {
  int64_t tensor_set;  // resized (all parts) or augmented (train: variant by epoch, copies taken in turn)
  int64_t split;
  const char *part;    // "train", "val", "test"; NULL: all images of the tensor set that are ok
  const struct augment_recipe *augment; // NULL: none
  uint64_t seed;
};

// Opens and verifies the set's files (size, header; the digest too where `folder`'s verify is asked by configuration), in the
// order of image ids. BAD_DATA names a file that is missing or not what its row says.
enum status loader_open(struct loader **out, struct db *db, const char *folder, const struct loader_options *options,
                        struct error *error);
void loader_close(struct loader *loader);

size_t loader_images(const struct loader *loader);
int loader_size(const struct loader *loader);              // side of the square
const int32_t *loader_labels(const struct loader *loader); // [images]
int64_t loader_image_id(const struct loader *loader, size_t index);
void loader_fetch(struct loader *loader, uint64_t epoch, size_t index, uint8_t *pixels); // [side, side, 3]
struct fit_data loader_fit_data(struct loader *loader);    // for fit(); valid while the loader is open

#endif
