// How images are shared out to train, val and test. A method sees the candidates, in the order of the datasets and
// of their paths, and says a part for each; it draws by counter, so that the parts depend on the seed and the paths
// alone.
//
// To add a method: a function of split_method's type in a file of its own (split_NAME.c), a row in split.c's table, its
// name among the choices of split.method in config/keys_table.c, the keys that it reads in keys.c's split_key. A method
// that needs more of an image than there is adds it to struct split_candidate.
#ifndef PIPELINE_SPLIT_H
#define PIPELINE_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "data/neighbours.h"
#include "store/splits.h"

struct split_options {
  double val, test; // shares of the images
  uint64_t seed;
  struct neighbourhood near; // grouped
  int64_t blocks, gap;       // blocks; gap in frames
};

// parts[i] becomes the part of images[i]; labels are in [0, classes).
typedef enum status split_method(const struct split_options *options, const struct split_candidate *images,
                                 size_t count, size_t classes, enum part *parts, struct error *error);

// The method of that name, or NULL.
split_method *split_method_find(const char *name);

// Stratified: each class has its share of each part, to the image (strata.h). Neighbouring frames of a video end up in
// different parts: for parity with published figures.
split_method split_random;

// No near-duplicate group (split_candidate.group, which groups_find fills in) is in two parts. Of each class, whole
// groups in random order, as near to its share of val, then of test, as they allow; a class with groups of one image
// hits it exactly. Then the neighbours that groups_find could not keep together go to part none where they are in
// different parts (neighbours_part).
split_method split_grouped;

// The same ranges of frame numbers for every class: each dataset's numbers are cut in `blocks` equal ranges, and each
// of them has one stretch for val and, right after it, one for test, of their shares of the range, at a place that is
// drawn. Frames that are at most `gap` away from a stretch of another part go to none (of a val and a test frame,
// val's). BAD_DATA if an image has no frame number.
split_method split_blocks;

// As the folders have it: DIR/{train, val | valid | validation, test}/CLASS. BAD_DATA if an image lies in no such
// folder (then ingest did not look for them: split.method was another), or if none is in train.
split_method split_folder;

#endif
