// Inside the methods of a split: the classes' images, and how many of each class go to each part.
#ifndef PIPELINE_STRATA_H
#define PIPELINE_STRATA_H

#include "data/split.h"

struct stratum {       // a class
  size_t images, free; // free: not promised to val or test, the one for training left out
  size_t quota[PART_COUNT];
  double remainder;
  uint32_t *indices; // of its images, in the order of the candidates
};

struct strata {
  struct stratum *classes;
  uint32_t *indices;
};

// Gathers the classes' images and shares out val and test: round(count * share) in all; what whole numbers leave over
// goes to the classes with the largest remainders (Hamilton's method), the lower ordinal first. Each class keeps an
// image to train on if it has any; where that is in the way, a part gets less than its share. quota[PART_TRAIN] is not
// filled in.
enum status strata_init(struct strata *strata, const struct split_options *options,
                        const struct split_candidate *images, size_t count, size_t classes, struct error *error);
void strata_release(struct strata *strata);

#endif
