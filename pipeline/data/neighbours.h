// Near-duplicates: which images of a class are so alike that one in train gives away another in val.
//
// Two images of a class are neighbours
//   - if their 64-bit difference hashes differ in at most `bits` bits, or
//   - if they are frames of one video whose numbers are at most `frames` apart. A video is what has one name up to the
//     number at its end: A12.jpg and A13.jpg in one folder. A gap in the numbers that is wider is a cut. (The hash does
//     not tell cuts: of a hand before a moving background, successive frames differ in up to half of the bits.)
//
// Groups are joined as single-linkage clustering does, the nearest pairs first, frames of a video last - but a join
// that would make a group larger than `limit` of its class does not happen: a video moves slowly from any pose to any
// other, and without a limit the chain would take the whole class. So neighbours may be left in different groups; a
// split that puts those in different parts has to leave images out (neighbours_part).
//
// Every pair within a class is compared, once for each of the distances 0..bits, without storing any.
#ifndef PIPELINE_NEIGHBOURS_H
#define PIPELINE_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "store/splits.h"

struct neighbourhood {
  int bits;
  int64_t frames;
  double limit; // share of a class's images; a group may always have one
};

// Sets images[i].group, from 1 in the order of the images. *groups is their number. Labels are in [0, classes). The
// result does not depend on the number of threads.
enum status groups_find(const struct neighbourhood *near, struct split_candidate *images, size_t count, size_t classes,
                        uint32_t *groups, struct error *error);

// Parts neighbours that are in different parts: the one in train goes to none, of a pair in val and test the one in
// val. A class that would lose more than half of its train or val images is left as it is: such a class is one scene,
// and no split of it is free of leaks. neighbours_nearest tells what remains.
enum status neighbours_part(const struct neighbourhood *near, const struct split_candidate *images, size_t count,
                            size_t classes, enum part *parts, struct error *error);

enum { NO_DISTANCE = -1 };

// distances[i] becomes the bits between the hash of images[i], in val or test, and that of the nearest train image of
// its class; NO_DISTANCE for images in other parts, without a hash, or of a class that has nothing in train.
enum status neighbours_nearest(const struct split_candidate *images, size_t count, size_t classes,
                               const enum part *parts, int *distances, struct error *error);

#endif
