#include "data/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/rng.h"

static const struct {
  const char *name;
  split_method *method;
} methods[] = {{"random", split_random}};

split_method *split_method_find(const char *name)
{
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (!strcmp(methods[i].name, name)) return methods[i].method;
  return NULL;
}

struct stratum {       // a class
  size_t images, free; // free: not given to val or test, the one for training left out
  size_t quota[PART_COUNT];
  double remainder;
  uint32_t *indices; // of its images, to be shuffled
  size_t filled;
};

// Hamilton's method of largest remainders: whole quotas, then one more each by remainder until the total is reached.
static void share_out(struct stratum *strata, size_t classes, size_t count, double share, enum part part)
{
  size_t total = (size_t)floor((double)count * share + 0.5), given = 0;
  for (size_t c = 0; c < classes; c++) {
    struct stratum *stratum = &strata[c];
    double exact = (double)stratum->images * share;
    size_t whole = (size_t)floor(exact + 1e-9); // 0.29 * 100 is a little below 29
    stratum->quota[part] = whole < stratum->free ? whole : stratum->free;
    stratum->remainder = exact - (double)whole;
    stratum->free -= stratum->quota[part];
    given += stratum->quota[part];
  }
  while (given < total) {
    struct stratum *best = NULL;
    for (size_t c = 0; c < classes; c++)
      if (strata[c].free && (!best || strata[c].remainder > best->remainder + 1e-9)) best = &strata[c];
    if (!best) return; // no class has an image to spare
    best->quota[part]++;
    best->free--;
    best->remainder -= 1;
    given++;
  }
}

static void assign(const struct stratum *stratum, enum part *parts)
{
  size_t val = stratum->quota[PART_VAL], test = stratum->quota[PART_TEST];
  for (size_t i = 0; i < stratum->images; i++)
    parts[stratum->indices[i]] = i < val ? PART_VAL : i < val + test ? PART_TEST : PART_TRAIN;
}

static void stratify(struct stratum *strata, const struct split_candidate *images, size_t count, size_t classes,
                     uint32_t *indices)
{
  for (size_t i = 0; i < count; i++) strata[images[i].label].images++;
  for (size_t c = 0, first = 0; c < classes; c++) {
    strata[c].indices = indices + first;
    strata[c].free = strata[c].images ? strata[c].images - 1 : 0;
    first += strata[c].images;
  }
  for (size_t i = 0; i < count; i++) {
    struct stratum *stratum = &strata[images[i].label];
    stratum->indices[stratum->filled++] = (uint32_t)i;
  }
}

enum status split_random(const struct split_options *options, const struct split_candidate *images, size_t count,
                         size_t classes, enum part *parts, struct error *error)
{
  struct stratum *strata = NULL;
  uint32_t *indices = NULL;
  if (count > UINT32_MAX) return fail(error, BAD_DATA, "%zu images, at most %u can be split", count, UINT32_MAX);
  enum status status = mem_zeroed((void **)&strata, classes, sizeof *strata, "the classes", error);
  if (!status) status = mem_zeroed((void **)&indices, count, sizeof *indices, "the images", error);
  if (!status) {
    stratify(strata, images, count, classes, indices);
    share_out(strata, classes, count, options->val, PART_VAL);
    share_out(strata, classes, count, options->test, PART_TEST);
    for (size_t c = 0; c < classes; c++) {
      struct rng rng = rng_at(options->seed, RNG_SPLIT, c, 0);
      rng_shuffle(&rng, strata[c].indices, strata[c].images);
      assign(&strata[c], parts);
    }
  }
  free(indices);
  free(strata);
  return status;
}
