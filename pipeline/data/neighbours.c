#include "data/neighbours.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "data/hash_distance.h"

enum { FAR = 65 }; // more than any distance between two hashes

struct frame {
  uint64_t video;
  int64_t number;
  uint32_t place;
};

// A class's images by place, 0..count-1 in the order of the candidates.
struct class
{
  size_t count;
  uint32_t *image; // index of the candidate
  uint64_t *hash;
  bool *hashed;
  struct frame *frames; // by video, number, place
  size_t frame_count;   // images with a frame number
  uint32_t *parent;     // union-find; a root's is itself
  uint32_t *size;       // of a root's group
  uint8_t *row;         // a row of distances
};

// All classes; their arrays are parts of these.
struct classes {
  struct class *class;
  size_t count;
  uint32_t *image, *parent, *size;
  uint64_t *hash;
  bool *hashed;
  struct frame *frames;
  uint8_t *row;
};

// --- gathering -------------------------------------------------------------------------------------------------------

static void classes_release(struct classes *classes)
{
  free(classes->class);
  free(classes->image);
  free(classes->parent);
  free(classes->size);
  free(classes->hash);
  free(classes->hashed);
  free(classes->frames);
  free(classes->row);
}

static enum status allocate(struct classes *classes, size_t count, size_t class_count, struct error *error)
{
  static const char what[] = "the images' neighbours";
  *classes = (struct classes){.count = class_count};
  if (count > UINT32_MAX) return fail(error, BAD_DATA, "%zu images, at most %u can be split", count, UINT32_MAX);
  enum status status = mem_zeroed((void **)&classes->class, class_count, sizeof *classes->class, what, error);
  if (!status) status = mem_zeroed((void **)&classes->image, count, sizeof *classes->image, what, error);
  if (!status) status = mem_zeroed((void **)&classes->parent, count, sizeof *classes->parent, what, error);
  if (!status) status = mem_zeroed((void **)&classes->size, count, sizeof *classes->size, what, error);
  if (!status) status = mem_zeroed((void **)&classes->hash, count, sizeof *classes->hash, what, error);
  if (!status) status = mem_zeroed((void **)&classes->hashed, count, sizeof *classes->hashed, what, error);
  if (!status) status = mem_zeroed((void **)&classes->frames, count, sizeof *classes->frames, what, error);
  return status ? status : mem_zeroed((void **)&classes->row, count, sizeof *classes->row, what, error);
}

static void place_arrays(struct classes *classes, const struct split_candidate *images, size_t count)
{
  for (size_t i = 0; i < count; i++) classes->class[images[i].label].count++;
  for (size_t c = 0, first = 0; c < classes->count; c++) {
    struct class *class = &classes->class[c];
    class->image = classes->image + first;
    class->hash = classes->hash + first;
    class->hashed = classes->hashed + first;
    class->frames = classes->frames + first;
    class->parent = classes->parent + first;
    class->size = classes->size + first;
    class->row = classes->row + first;
    first += class->count;
    class->count = 0; // counted again as they come
  }
}

static int compare_frames(const void *left, const void *right)
{
  const struct frame *a = left, *b = right;
  if (a->video != b->video) return a->video < b->video ? -1 : 1;
  if (a->number != b->number) return a->number < b->number ? -1 : 1;
  return (a->place > b->place) - (a->place < b->place);
}

static enum status gather(struct classes *classes, const struct split_candidate *images, size_t count,
                          size_t class_count, struct error *error)
{
  enum status status = allocate(classes, count, class_count, error);
  if (status) return classes_release(classes), status;
  place_arrays(classes, images, count);
  for (size_t i = 0; i < count; i++) {
    struct class *class = &classes->class[images[i].label];
    uint32_t place = (uint32_t) class->count++;
    class->image[place] = (uint32_t)i;
    class->hash[place] = images[i].dhash;
    class->hashed[place] = images[i].hashed;
    class->parent[place] = place;
    class->size[place] = 1;
    if (images[i].frame >= 0)
      class->frames[class->frame_count++] = (struct frame){images[i].video, images[i].frame, place};
  }
  for (size_t c = 0; c < class_count; c++)
    if (classes->class[c].frame_count > 1)
      qsort(classes->class[c].frames, classes->class[c].frame_count, sizeof(struct frame), compare_frames);
  return OK;
}

// --- distances -------------------------------------------------------------------------------------------------------

// row[j] becomes the distance of place i to place j, for j in [begin, count).
static void distances_of(const struct class *class, size_t i, size_t begin)
{
  hash_distances(class->hash[i], class->hash + begin, class->count - begin, class->row + begin);
  for (size_t j = begin; j < class->count; j++)
    if (!class->hashed[j] || !class->hashed[i]) class->row[j] = FAR;
}

// --- groups ----------------------------------------------------------------------------------------------------------

static uint32_t root_of(struct class *class, uint32_t place)
{
  uint32_t *parent = class->parent;
  while (parent[place] != place) place = parent[place] = parent[parent[place]];
  return place;
}

static void join(struct class *class, size_t limit, uint32_t a, uint32_t b)
{
  a = root_of(class, a);
  b = root_of(class, b);
  if (a == b || class->size[a] + class->size[b] > limit) return;
  uint32_t root = a < b ? a : b, other = a < b ? b : a;
  class->parent[other] = root;
  class->size[root] += class->size[other];
}

static bool are_close(const struct neighbourhood *near, const struct frame *a, const struct frame *b)
{
  return a->video == b->video && b->number - a->number <= near->frames;
}

static void find_groups(const struct neighbourhood *near, struct class *class)
{
  size_t share = (size_t)(near->limit * (double)class->count), limit = share > 1 ? share : 1;
  for (int distance = 0; distance <= near->bits; distance++)
    for (size_t i = 0; i < class->count; i++) {
      distances_of(class, i, i + 1);
      for (size_t j = i + 1; j < class->count; j++)
        if (class->row[j] == distance) join(class, limit, (uint32_t)i, (uint32_t)j);
    }
  for (size_t f = 1; f < class->frame_count; f++)
    if (are_close(near, &class->frames[f - 1], &class->frames[f]))
      join(class, limit, class->frames[f - 1].place, class->frames[f].place);
}

enum status groups_find(const struct neighbourhood *near, struct split_candidate *images, size_t count, size_t classes,
                        uint32_t *groups, struct error *error)
{
  struct classes all;
  enum status status = gather(&all, images, count, classes, error);
  if (status) return status;
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t c = 0; c < classes; c++) find_groups(near, &all.class[c]);
  // A group's first image is its root, and comes before its others in the order of the candidates, too.
  *groups = 0;
  for (size_t c = 0; c < classes; c++)
    for (size_t i = 0; i < all.class[c].count; i++) {
      struct class *class = &all.class[c];
      uint32_t root = root_of(class, (uint32_t)i);
      images[class->image[i]].group = root == i ? ++*groups : images[class->image[root]].group;
    }
  classes_release(&all);
  return OK;
}

// --- parting ---------------------------------------------------------------------------------------------------------

// Marks, in class->size, the one of two places that has to go.
static void part_pair(const struct class *class, const enum part *parts, uint32_t a, uint32_t b)
{
  enum part of_a = parts[class->image[a]], of_b = parts[class->image[b]];
  if (of_a == of_b || of_a == PART_NONE || of_b == PART_NONE) return;
  class->size[of_a < of_b ? a : b] = 0;
}

static void mark_neighbours(const struct neighbourhood *near, const struct class *class, const enum part *parts)
{
  for (size_t i = 0; i < class->count; i++) {
    distances_of(class, i, i + 1);
    for (size_t j = i + 1; j < class->count; j++)
      if (class->row[j] <= near->bits) part_pair(class, parts, (uint32_t)i, (uint32_t)j);
  }
  for (size_t a = 0; a < class->frame_count; a++)
    for (size_t b = a + 1; b < class->frame_count && are_close(near, &class->frames[a], &class->frames[b]); b++)
      part_pair(class, parts, class->frames[a].place, class->frames[b].place);
}

static bool loses_too_many(const struct class *class, const enum part *parts)
{
  size_t images[PART_COUNT + 1] = {0}, marked[PART_COUNT + 1] = {0};
  for (size_t i = 0; i < class->count; i++) {
    images[parts[class->image[i]]]++;
    marked[parts[class->image[i]]] += class->size[i] == 0;
  }
  return 2 * marked[PART_TRAIN] > images[PART_TRAIN] || 2 * marked[PART_VAL] > images[PART_VAL];
}

enum status neighbours_part(const struct neighbourhood *near, const struct split_candidate *images, size_t count,
                            size_t classes, enum part *parts, struct error *error)
{
  struct classes all;
  enum status status = gather(&all, images, count, classes, error);
  if (status) return status;
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t c = 0; c < classes; c++) {
    const struct class *class = &all.class[c];
    mark_neighbours(near, class, parts);
    if (loses_too_many(class, parts)) continue;
    for (size_t i = 0; i < class->count; i++)
      if (class->size[i] == 0) parts[class->image[i]] = PART_NONE;
  }
  classes_release(&all);
  return OK;
}

// --- the nearest -----------------------------------------------------------------------------------------------------

static void find_nearest(const struct class *class, const enum part *parts, int *distances)
{
  for (size_t i = 0; i < class->count; i++) {
    enum part part = parts[class->image[i]];
    int nearest = FAR;
    if (part == PART_VAL || part == PART_TEST) {
      distances_of(class, i, 0);
      for (size_t j = 0; j < class->count; j++)
        if (parts[class->image[j]] == PART_TRAIN && class->row[j] < nearest) nearest = class->row[j];
    }
    distances[class->image[i]] = nearest < FAR ? nearest : NO_DISTANCE;
  }
}

enum status neighbours_nearest(const struct split_candidate *images, size_t count, size_t classes,
                               const enum part *parts, int *distances, struct error *error)
{
  struct classes all;
  enum status status = gather(&all, images, count, classes, error);
  if (status) return status;
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t c = 0; c < classes; c++) find_nearest(&all.class[c], parts, distances);
  classes_release(&all);
  return OK;
}
