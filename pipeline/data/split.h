// How images are shared out to train, val and test. A method sees the candidates, in the order of the datasets and
// of their paths, and says a part for each; it draws by counter, so that the parts depend on the seed and the paths
// alone.
//
// To add a method (grouped, blocks, folder): a function of split_method's type in a file of its own, a row in split.c's
// table, its name among the choices of split.method in config/keys_table.c. A method that needs more of an image than
// its label adds it to struct split_candidate.
#ifndef PIPELINE_SPLIT_H
#define PIPELINE_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "store/splits.h"

struct split_options {
  double val, test; // shares of the images
  uint64_t seed;
};

// parts[i] becomes the part of images[i]; labels are in [0, classes).
typedef enum status split_method(const struct split_options *options, const struct split_candidate *images,
                                 size_t count, size_t classes, enum part *parts, struct error *error);

// The method of that name, or NULL.
split_method *split_method_find(const char *name);

// Stratified: each class has its share of each part, to the image. The totals are round(count * share); what whole
// numbers leave over goes to the classes with the largest remainders, the lower ordinal first. Each class keeps an
// image to train on if it has any; where that is in the way, a part gets less than its share.
split_method split_random;

#endif
