// Random numbers by counter, not by state: the numbers of (seed, purpose, a, b) are the same whenever and on whichever
// thread they are drawn, so that an augmentation, a shuffle or a dropout mask can be drawn again.
//
// Source: Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
//   struct rng rng = rng_at(seed, RNG_AUGMENT, image, epoch);
//   float angle = rng_uniform(&rng, -15, 15);
#ifndef CORE_RNG_H
#define CORE_RNG_H

#include <stddef.h>
#include <stdint.h>

// What the numbers are for; two purposes never share numbers. Append only: the values are part of every result.
enum rng_purpose {
  RNG_INITIALISE = 1,
  RNG_SHUFFLE = 2,
  RNG_SPLIT = 3,
  RNG_AUGMENT = 4,
  RNG_DROPOUT = 5,
  RNG_TEST = 6,
  RNG_SYNTH = 7,
  RNG_MIXUP = 8
};

struct rng {
  uint32_t key[2];
  uint32_t counter[4]; // [0] counts the blocks drawn
  uint32_t block[4];
  int used; // of block; 4 means empty
};

// The stream of (seed, purpose, a, b): up to 2^34 numbers.
struct rng rng_at(uint64_t seed, enum rng_purpose purpose, uint64_t a, uint64_t b);

// The next 32 random bits.
uint32_t rng_bits(struct rng *rng);

// One Philox4x32-10 block: for kernels that draw many numbers at known counters (dropout).
void rng_block(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

// Uniform in [low, high), 24 bits fine.
float rng_uniform(struct rng *rng, float low, float high);

// Uniform in [0, n), without bias; n > 0.
uint32_t rng_below(struct rng *rng, uint32_t n);

// Shuffles `n` indices in place (Fisher-Yates); n < 2^32.
void rng_shuffle(struct rng *rng, uint32_t *indices, size_t n);

#endif
