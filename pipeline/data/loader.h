// From the manifest's tensor sets to what the engine eats: which set and row an image's pixels are in, its label, its
// part, and the augmentation that training applies to it. Files are mapped, never loaded; readahead is asked
// for a batch ahead, and the pages of a set larger than LOADER_RESIDENT_LIMIT are unmapped after use, so that
// memory does not grow with the set.
#ifndef PIPELINE_LOADER_H
#define PIPELINE_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "engine/fit/fit.h"
#include "image/augment.h"
#include "store/db.h"

enum { LOADER_RESIDENT_LIMIT = 256 << 20 };
#define LOADER_BACKDROP_CLASS "nothing" // whose images show no hand
#define LOADER_DIGEST_LIMIT   (UINT64_C(2) << 30)

struct loader;

struct loader_options {
  // Resized sets (all parts), one for each of the split's datasets in their order; or an augmented one (train: variant
  // by epoch, copies taken in turn), which has rows of them all. Or the features of either: rows of numbers, to which
  // `augment` does nothing.
  const int64_t *tensor_sets;
  size_t tensor_set_count;
  int64_t split;                        // whose classes the labels are
  const char *part;                     // "train", "val", "test"; NULL: all images of the tensor sets that are ok
  const struct augment_recipe *augment; // NULL: none; copied
  uint64_t seed;                        // of the augmentation, and of mixup
  float mixup;                          // alpha of mixup; 0: none
  bool verify; // compare each file's SHA-256 with its row, if the sets have at most LOADER_DIGEST_LIMIT bytes
};

// Opens the sets' files and checks size and header (and digests, see `verify`). Images are in the order of the
// datasets and, within each, of their paths; without a part, those of a set with rows of several datasets are in the
// order of their paths. BAD_DATA names a file that is missing or not what its row says, or a
// part's image that has no row or no class. A part without images is no error.
enum status loader_open(struct loader **out, struct db *db, const char *folder, const struct loader_options *options,
                        struct error *error);
void loader_close(struct loader *loader);

size_t loader_images(const struct loader *loader);
size_t loader_copies(const struct loader *loader); // of each image, at least 1
int loader_size(const struct loader *loader);      // side of the square; 0 for rows of features
// [images]: places among the split's classes. -1 (only where options->part is NULL): the split has no class of that
// name.
const int32_t *loader_labels(const struct loader *loader);
int64_t loader_image_id(const struct loader *loader, size_t index);

// The image in augment_draw's sense: from its bytes' SHA-256, so that the same file is augmented alike in every
// manifest.
uint64_t loader_image_number(const struct loader *loader, size_t index);

// What is drawn for an image in `epoch`, on the fly; without augmentation, what changes nothing. A background that is a
// photograph is training image number background_seed % n of the n of class LOADER_BACKDROP_CLASS.
struct augment_parameters loader_parameters(const struct loader *loader, uint64_t epoch, size_t index);

// Mixup: the image that is mixed into `index` in `epoch`, and how much of it all `index` is: MIXUP_UNIT, where it
// stands alone, or at least half of that.
enum { MIXUP_UNIT = 256 };
struct loader_mix {
  size_t other;
  int share;
};
struct loader_mix loader_mix(const struct loader *loader, uint64_t epoch, size_t index);

// [side, side, 3], or the row of features, of an image as it is seen in `epoch` (from 1): of K copies, copy 1 + (epoch
// - 1) % K; on the fly, the augmentation of variant `epoch`; mixed with another that is seen likewise. Features are
// bf16, also where the files hold bytes; `pixels` is then aligned to two bytes. Safe in any thread; does not allocate.
void loader_fetch(const struct loader *loader, uint64_t epoch, size_t index, uint8_t *pixels);
struct fit_data loader_fit_data(struct loader *loader); // for fit(); valid while the loader is open

#endif
