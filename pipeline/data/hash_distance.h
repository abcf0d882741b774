// Hamming distances between 64-bit hashes, a row at a time.
#ifndef PIPELINE_HASH_DISTANCE_H
#define PIPELINE_HASH_DISTANCE_H

#include <stddef.h>
#include <stdint.h>

// row[j] becomes the number of bits in which hashes[j] differs from `hash`, for j in [0, count).
void hash_distances(uint64_t hash, const uint64_t *hashes, size_t count, uint8_t *row);

#endif
