#include <stdlib.h>

#include "core/mem.h"
#include "core/rng.h"
#include "data/strata.h"

// The groups, by number; a part for each.
struct groups {
  size_t count;
  uint32_t *size;
  enum part *part;
  uint32_t *order; // of a class's groups, drawn anew for each
};

static void release(struct groups *groups)
{
  free(groups->size);
  free(groups->part);
  free(groups->order);
}

static enum status count_groups(struct groups *groups, const struct split_candidate *images, size_t count,
                                struct error *error)
{
  for (size_t i = 0; i < count; i++)
    if (images[i].group > groups->count) groups->count = images[i].group;
  size_t slots = groups->count + 1;
  enum status status = mem_zeroed((void **)&groups->size, slots, sizeof *groups->size, "the groups", error);
  if (!status) status = mem_zeroed((void **)&groups->part, slots, sizeof *groups->part, "the groups", error);
  if (!status) status = mem_zeroed((void **)&groups->order, slots, sizeof *groups->order, "the groups", error);
  for (size_t i = 0; i < count && !status; i++) groups->size[images[i].group]++;
  return status;
}

// The class's groups in random order; returns their number.
static size_t draw_order(struct groups *groups, const struct stratum *stratum, const struct split_candidate *images,
                         struct rng *rng)
{
  size_t count = 0;
  for (size_t i = 0; i < stratum->images; i++) {
    uint32_t group = images[stratum->indices[i]].group;
    if (groups->part[group] == PART_NONE) continue; // seen
    groups->part[group] = PART_NONE;
    groups->order[count++] = group;
  }
  for (size_t i = 0; i < count; i++) groups->part[groups->order[i]] = PART_TRAIN;
  rng_shuffle(rng, groups->order, count);
  return count;
}

// Whole groups until the quota is reached; at the end one that is too large, if that comes nearer and train keeps one.
static void fill(struct groups *groups, size_t count, size_t quota, enum part part)
{
  size_t given = 0, left = 0;
  uint32_t least = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t group = groups->order[i];
    if (groups->part[group] != PART_TRAIN) continue;
    if (given + groups->size[group] <= quota) {
      groups->part[group] = part;
      given += groups->size[group];
      continue;
    }
    left++;
    if (!least || groups->size[group] < groups->size[least]) least = group;
  }
  if (left > 1 && given < quota && groups->size[least] < 2 * (quota - given)) groups->part[least] = part;
}

enum status split_grouped(const struct split_options *options, const struct split_candidate *images, size_t count,
                          size_t classes, enum part *parts, struct error *error)
{
  struct groups groups = {0};
  struct strata strata = {0};
  enum status status = strata_init(&strata, options, images, count, classes, error);
  if (!status) status = count_groups(&groups, images, count, error);
  for (size_t c = 0; c < classes && !status; c++) {
    const struct stratum *stratum = &strata.classes[c];
    struct rng rng = rng_at(options->seed, RNG_SPLIT, c, 0);
    size_t drawn = draw_order(&groups, stratum, images, &rng);
    fill(&groups, drawn, stratum->quota[PART_VAL], PART_VAL);
    fill(&groups, drawn, stratum->quota[PART_TEST], PART_TEST);
  }
  for (size_t i = 0; i < count && !status; i++) parts[i] = groups.part[images[i].group];
  if (!status) status = neighbours_part(&options->near, images, count, classes, parts, error);
  release(&groups);
  strata_release(&strata);
  return status;
}
