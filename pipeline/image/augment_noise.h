// Noise for augment_apply: many Philox blocks at once, in a form that compilers turn into vector code.
#ifndef IMAGE_AUGMENT_NOISE_H
#define IMAGE_AUGMENT_NOISE_H

#include <stdint.h>

enum { NOISE_BLOCKS = 48, NOISE_SAMPLES = 4 * NOISE_BLOCKS };

// Samples of a bell curve: each is the sum of the four bytes of one number of rng_block, less its mean 510.
// Sample w * NOISE_BLOCKS + j is made of number w of the block at counter {first + j, row, 0, 0}. Standard
// deviation NOISE_DEVIATION; within 3.4 standard deviations.
void augment_noise(const uint32_t key[2], uint32_t first, uint32_t row, int32_t samples[NOISE_SAMPLES]);

// sqrt(4 * (256^2 - 1) / 12)
#define NOISE_DEVIATION 147.80054127102265

#endif
