#include "core/rng.h"
#include "data/strata.h"

static void assign(const struct stratum *stratum, enum part *parts)
{
  size_t val = stratum->quota[PART_VAL], test = stratum->quota[PART_TEST];
  for (size_t i = 0; i < stratum->images; i++)
    parts[stratum->indices[i]] = i < val ? PART_VAL : i < val + test ? PART_TEST : PART_TRAIN;
}

enum status split_random(const struct split_options *options, const struct split_candidate *images, size_t count,
                         size_t classes, enum part *parts, struct error *error)
{
  struct strata strata;
  enum status status = strata_init(&strata, options, images, count, classes, error);
  if (status) return status;
  for (size_t c = 0; c < classes; c++) {
    struct rng rng = rng_at(options->seed, RNG_SPLIT, c, 0);
    rng_shuffle(&rng, strata.classes[c].indices, strata.classes[c].images);
    assign(&strata.classes[c], parts);
  }
  strata_release(&strata);
  return OK;
}
