#include "data/look_alikes.h"

#include <omp.h>
#include <stdlib.h>

#include "core/mem.h"
#include "data/hash_distance.h"

enum { FAR = 65 };

struct search {
  const struct hashed_image *images;
  uint64_t *hashes;
  uint8_t *rows; // of distances, one for each thread
  struct look_alike *all;
  size_t count;
};

// The first of the nearest in [begin, end), `skip` left out; FAR if there is none.
static int nearest(const uint8_t *row, size_t begin, size_t end, size_t skip, size_t *where)
{
  uint8_t least = FAR;
  for (size_t j = begin; j < end; j++) {
    if (row[j] >= least || j == skip) continue;
    least = row[j];
    *where = j;
  }
  return least;
}

// [first, last) are the images of the same class as image i.
static void look(const struct search *search, uint8_t *row, size_t i, size_t first, size_t last)
{
  size_t before = 0, after = 0, own = 0;
  hash_distances(search->hashes[i], search->hashes, search->count, row);
  int left = nearest(row, 0, first, i, &before), right = nearest(row, last, search->count, i, &after);
  int distance = left <= right ? left : right;
  if (distance > LOOK_ALIKE_BITS) return;
  int class_distance = nearest(row, first, last, i, &own);
  search->all[i] = (struct look_alike){.image = search->images[i].image,
                                       .other = search->images[left <= right ? before : after].image,
                                       .distance = distance,
                                       .class_distance = class_distance == FAR ? -1 : class_distance};
}

static void look_at_all(const struct search *search, int threads)
{
  for (size_t first = 0, last = 0; first < search->count; first = last) {
    while (last < search->count && search->images[last].label == search->images[first].label) last++;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (size_t i = first; i < last; i++)
      look(search, search->rows + (size_t)omp_get_thread_num() * search->count, i, first, last);
  }
}

enum status look_alikes_find(const struct hashed_image *images, size_t count, int threads, struct look_alike **out,
                             size_t *found, struct error *error)
{
  static const char what[] = "the look-alikes";
  struct search search = {.images = images, .count = count};
  size_t bytes = 0;
  *out = NULL;
  *found = 0;
  if (!mem_multiply(count, (size_t)threads, &bytes)) return fail(error, OUT_OF_MEMORY, "no memory for %s", what);
  enum status status = mem_zeroed((void **)&search.hashes, count, sizeof *search.hashes, what, error);
  if (!status) status = mem_zeroed((void **)&search.rows, bytes, 1, what, error);
  if (!status) status = mem_zeroed((void **)&search.all, count, sizeof *search.all, what, error);
  if (!status) {
    for (size_t i = 0; i < count; i++) search.hashes[i] = images[i].dhash;
    look_at_all(&search, threads);
    for (size_t i = 0; i < count; i++)
      if (search.all[i].image) search.all[(*found)++] = search.all[i];
    *out = search.all;
  }
  free(search.hashes);
  free(search.rows);
  if (status) free(search.all);
  return status;
}

enum status look_alikes_update(struct db *db, int64_t dataset, int threads, struct error *error)
{
  struct hashed_image *images = NULL;
  struct look_alike *rows = NULL;
  size_t count = 0, found = 0;
  enum status status = hashed_images(db, dataset, &images, &count, error);
  if (!status) status = look_alikes_find(images, count, threads, &rows, &found, error);
  if (!status) status = look_alikes_write(db, dataset, rows, found, error);
  free(images);
  free(rows);
  return status;
}
