#include "data/hash_distance.h"

// Bits that are set, without an instruction for it: the loop around it becomes a vector loop on every CPU.
static uint8_t count_bits(uint64_t bits)
{
  bits -= bits >> 1 & 0x5555555555555555u;
  bits = (bits & 0x3333333333333333u) + (bits >> 2 & 0x3333333333333333u);
  bits = (bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  bits += bits >> 8;
  bits += bits >> 16;
  bits += bits >> 32;
  return (uint8_t)(bits & 0x7f);
}

void hash_distances(uint64_t hash, const uint64_t *hashes, size_t count, uint8_t *row)
{
#pragma omp simd
  for (size_t j = 0; j < count; j++) row[j] = count_bits(hash ^ hashes[j]);
}
