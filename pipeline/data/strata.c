#include "data/strata.h"

#include <math.h>
#include <stdlib.h>

#include "core/mem.h"

// Hamilton's method: whole quotas, then one more each by remainder until the total is reached.
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

static void gather(struct strata *strata, const struct split_candidate *images, size_t count, size_t classes)
{
  for (size_t i = 0; i < count; i++) strata->classes[images[i].label].images++;
  for (size_t c = 0, first = 0; c < classes; c++) {
    struct stratum *stratum = &strata->classes[c];
    stratum->indices = strata->indices + first;
    stratum->free = stratum->images ? stratum->images - 1 : 0;
    first += stratum->images;
    stratum->images = 0; // counted again as they come
  }
  for (size_t i = 0; i < count; i++) {
    struct stratum *stratum = &strata->classes[images[i].label];
    stratum->indices[stratum->images++] = (uint32_t)i;
  }
}

enum status strata_init(struct strata *strata, const struct split_options *options,
                        const struct split_candidate *images, size_t count, size_t classes, struct error *error)
{
  *strata = (struct strata){0};
  if (count > UINT32_MAX) return fail(error, BAD_DATA, "%zu images, at most %u can be split", count, UINT32_MAX);
  enum status status = mem_zeroed((void **)&strata->classes, classes, sizeof *strata->classes, "the classes", error);
  if (!status) status = mem_zeroed((void **)&strata->indices, count, sizeof *strata->indices, "the images", error);
  if (status) return strata_release(strata), status;
  gather(strata, images, count, classes);
  share_out(strata->classes, classes, count, options->val, PART_VAL);
  share_out(strata->classes, classes, count, options->test, PART_TEST);
  return OK;
}

void strata_release(struct strata *strata)
{
  free(strata->classes);
  free(strata->indices);
  *strata = (struct strata){0};
}
