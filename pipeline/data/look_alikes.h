// Images that look like one of another class: a hint that a label is wrong. For each image of a dataset the nearest
// hash (64-bit dHash) among the other classes', where it is at most LOOK_ALIKE_BITS away, and the nearest one of its
// own class to compare. Every pair is compared: 87,000 images take some seconds.
#ifndef PIPELINE_LOOK_ALIKES_H
#define PIPELINE_LOOK_ALIKES_H

#include <stddef.h>

#include "core/status.h"
#include "store/look_alikes.h"

enum { LOOK_ALIKE_BITS = 3 };

// `images` as hashed_images orders them: by label. Free *out. Of several at one distance it is the first.
enum status look_alikes_find(const struct hashed_image *images, size_t count, int threads, struct look_alike **out,
                             size_t *found, struct error *error);

// Finds the dataset's and records them.
enum status look_alikes_update(struct db *db, int64_t dataset, int threads, struct error *error);

#endif
