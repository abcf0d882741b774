// Dropout's masks. The numbers of (seed, step, image, layer) are Philox blocks of eight 16-bit words; in each
// group of 128 elements element g has word g / 16 of block g % 16, which lets a vector unit draw sixteen
// blocks side by side. A mask is therefore the same for every implementation, precision and number of
// threads.
#ifndef ENGINE_DROPOUT_H
#define ENGINE_DROPOUT_H

#include <stddef.h>
#include <stdint.h>

#include "core/rng.h"

enum { DROPOUT_GROUP = 128, DROPOUT_BLOCKS = 16 };

struct dropout {
  uint32_t threshold; // a word below it drops its element: rate in units of 1 / 65,536
  float scale;        // of kept values: 1 / (1 - threshold / 65,536)
};

static inline struct dropout dropout_of(float rate)
{
  uint32_t threshold = (uint32_t)(rate * 65536 + 0.5f);
  return (struct dropout){threshold, (float)(1 / (1 - (double)threshold / 65536))};
}

// Where the masks of one layer and image begin: block b has counter[0] = b.
static inline struct rng dropout_stream(uint64_t seed, uint64_t step, size_t image, int layer)
{
  return rng_at(seed, RNG_DROPOUT, step, (uint64_t)image << 8 | (uint64_t)layer);
}

#endif
