#include "engine/net/arena.h"

#include <stdlib.h>

#include "core/mem.h"

static int by_size(const void *a, const void *b)
{
  const struct arena_item *p = a, *q = b;
  if (p->bytes != q->bytes) return p->bytes < q->bytes ? 1 : -1;
  return (p->born > q->born) - (p->born < q->born);
}

static int by_offset(const void *a, const void *b)
{
  size_t p = *(*(const struct arena_item *const *)a)->offset, q = *(*(const struct arena_item *const *)b)->offset;
  return (p > q) - (p < q);
}

enum status arena_place(struct arena_item *items, size_t count, size_t *bytes, struct error *error)
{
  const struct arena_item **placed = NULL; // in the order of their offsets
  enum status status = mem_zeroed((void **)&placed, count, sizeof(struct arena_item *), "an arena", error);
  if (status) return status;
  *bytes = 0;
  qsort(items, count, sizeof *items, by_size);
  for (size_t i = 0; i < count; i++) {
    size_t offset = 0, size = mem_whole(items[i].bytes);
    for (size_t j = 0; j < i; j++) {
      if (placed[j]->dies < items[i].born || items[i].dies < placed[j]->born) continue;
      if (offset + size <= *placed[j]->offset) break; // fits into the gap before this neighbour
      size_t end = *placed[j]->offset + mem_whole(placed[j]->bytes);
      if (end > offset) offset = end;
    }
    *items[i].offset = offset;
    if (offset + size > *bytes) *bytes = offset + size;
    placed[i] = &items[i];
    qsort(placed, i + 1, sizeof(struct arena_item *), by_offset);
  }
  free(placed);
  return OK;
}
