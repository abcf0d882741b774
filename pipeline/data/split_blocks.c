#include <math.h>
#include <stdlib.h>

#include "core/mem.h"
#include "core/rng.h"
#include "data/split.h"

// Frames [begin, end) that belong to one part.
struct stretch {
  int64_t begin, end;
  enum part part;
};

// The frame numbers of a dataset: [first, last].
struct span {
  int dataset;
  int64_t first, last;
};

static enum status find_spans(struct span **spans, size_t *span_count, const struct split_candidate *images,
                              size_t count, struct error *error)
{
  size_t capacity = 0, without = 0;
  for (size_t i = 0; i < count; i++) {
    size_t s = 0;
    without += images[i].frame < 0;
    while (s < *span_count && (*spans)[s].dataset != images[i].dataset) s++;
    if (s == *span_count) {
      enum status status = mem_grow((void **)spans, &capacity, s + 1, sizeof **spans, "the datasets", error);
      if (status) return status;
      (*spans)[(*span_count)++] = (struct span){images[i].dataset, images[i].frame, images[i].frame};
    }
    if (images[i].frame < (*spans)[s].first) (*spans)[s].first = images[i].frame;
    if (images[i].frame > (*spans)[s].last) (*spans)[s].last = images[i].frame;
  }
  if (!without) return OK;
  return fail(error, BAD_DATA,
              "split.method is blocks, which needs frame numbers as in A17.jpg: %zu of %zu images have none", without,
              count);
}

// The stretches of a span, two for each block.
static void draw_stretches(const struct split_options *options, const struct span *span, struct stretch *out)
{
  double frames = (double)(span->last - span->first) + 1;
  for (int64_t b = 0; b < options->blocks; b++) {
    struct rng rng = rng_at(options->seed, RNG_SPLIT, (uint64_t)b, 1);
    double begin = (double)span->first + frames * (double)b / (double)options->blocks;
    double length = frames / (double)options->blocks, taken = (options->val + options->test) * length;
    double val = begin + (double)rng_uniform(&rng, 0, 1) * (length - taken), test = val + options->val * length;
    double end = test + options->test * length;
    out[2 * b] = (struct stretch){llround(val), llround(test), PART_VAL};
    out[2 * b + 1] = (struct stretch){llround(test), llround(end), PART_TEST};
  }
}

// The frames between a frame and a stretch, both ends counted; 0: it is in it.
static int64_t frames_to(const struct stretch *stretch, int64_t frame)
{
  if (frame < stretch->begin) return stretch->begin - frame;
  return frame < stretch->end ? 0 : frame - stretch->end + 1;
}

static enum part part_of(const struct stretch *stretches, size_t count, int64_t frame, int64_t gap)
{
  enum part part = PART_TRAIN;
  for (size_t s = 0; s < count; s++)
    if (frames_to(&stretches[s], frame) == 0 && stretches[s].begin < stretches[s].end) part = stretches[s].part;
  for (size_t s = 0; s < count; s++)
    if (stretches[s].part > part && stretches[s].begin < stretches[s].end && frames_to(&stretches[s], frame) <= gap)
      return PART_NONE;
  return part;
}

enum status split_blocks(const struct split_options *options, const struct split_candidate *images, size_t count,
                         size_t classes, enum part *parts, struct error *error)
{
  struct span *spans = NULL;
  struct stretch *stretches = NULL;
  size_t span_count = 0, stretch_count = 2 * (size_t)options->blocks;
  (void)classes; // every class has the same ranges
  enum status status = find_spans(&spans, &span_count, images, count, error);
  if (!status) status = mem_zeroed((void **)&stretches, stretch_count, sizeof *stretches, "the blocks", error);
  for (size_t s = 0; s < span_count && !status; s++) {
    draw_stretches(options, &spans[s], stretches);
    for (size_t i = 0; i < count; i++)
      if (images[i].dataset == spans[s].dataset)
        parts[i] = part_of(stretches, stretch_count, images[i].frame, options->gap);
  }
  free(stretches);
  free(spans);
  return status;
}
