// Places in one block of memory for buffers that are needed at different times: two that are never alive at
// the same moment may share their bytes. This keeps an image's activations and gradients small enough for the
// cache.
#ifndef ENGINE_ARENA_H
#define ENGINE_ARENA_H

#include <stddef.h>

#include "core/status.h"

struct arena_item {
  size_t bytes;
  int born, dies; // alive from moment `born` to moment `dies`, both included
  size_t *offset; // set by arena_place, a multiple of MEM_ALIGNMENT
};

// Places all items, largest first, each at the lowest offset where it meets nobody (first fit by size, as in
// TensorFlow Lite's greedy planner: Pisarchyk and Lee, 2020). Sorts `items`. *bytes is the size of the block.
enum status arena_place(struct arena_item *items, size_t count, size_t *bytes, struct error *error);

#endif
