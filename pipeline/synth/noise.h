// Value noise on a lattice of hashed corners: the same number for the same place, seed and machine, without tables.
//
// Source: Ken Perlin, "Improving noise", SIGGRAPH 2002 (the fade curve); the lattice values are hashes (MurmurHash3's
// finaliser) instead of a permutation table.
#ifndef SYNTH_NOISE_H
#define SYNTH_NOISE_H

#include <stdint.h>

static inline uint32_t noise_hash(int x, int y, uint32_t seed)
{
  uint32_t h = (uint32_t)x * 0x9E3779B1u ^ (uint32_t)y * 0x85EBCA77u ^ seed * 0xC2B2AE3Du;
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

// Of a lattice point: in [0, 1).
static inline float noise_cell(int x, int y, uint32_t seed)
{
  return (float)(noise_hash(x, y, seed) >> 8) * 0x1p-24f;
}

// The largest whole number below; floorf is a call where the instruction set lacks it. For |x| < 2^31.
static inline int noise_floor(float x)
{
  int whole = (int)x;
  return whole - (x < (float)whole);
}

// Smooth in x and y, one bump a unit, in [0, 1), 0.5 in the mean.
static inline float noise_at(float x, float y, uint32_t seed)
{
  int ix = noise_floor(x), iy = noise_floor(y);
  float u = x - (float)ix, v = y - (float)iy;
  u = u * u * (3 - 2 * u);
  v = v * v * (3 - 2 * v);
  float a = noise_cell(ix, iy, seed), b = noise_cell(ix + 1, iy, seed);
  float c = noise_cell(ix, iy + 1, seed), d = noise_cell(ix + 1, iy + 1, seed);
  float upper = a + (b - a) * u, lower = c + (d - c) * u;
  return upper + (lower - upper) * v;
}

// Octaves of it, each half as large and twice as fine, left out where a bump is finer than `footprint` (the side of a
// pixel in the same units): what a camera could not see would only shimmer. In [-1, 1], 0 in the mean.
static inline float noise_octaves(float x, float y, int octaves, float footprint, uint32_t seed)
{
  float sum = 0, size = 1, scale = 1;
  for (int i = 0; i < octaves; i++) {
    float seen = 1 - footprint * scale;
    if (seen <= 0) break;
    if (seen > 0.5f) seen = 0.5f;
    sum += (noise_at(x * scale, y * scale, seed + (uint32_t)i) - 0.5f) * size * 2 * seen;
    size *= 0.5f;
    scale *= 2;
  }
  return sum;
}

#endif
