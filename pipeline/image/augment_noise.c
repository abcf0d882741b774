#include "image/augment_noise.h"

enum { LANES = 16 };
_Static_assert(NOISE_BLOCKS % LANES == 0, "blocks are made LANES at a time");

static uint32_t sum_of_bytes(uint32_t x)
{
  x = (x & 0x00FF00FFu) + (x >> 8 & 0x00FF00FFu);
  return (x + (x >> 16)) & 0xFFFFu;
}

// rng_block (Philox4x32-10) for LANES neighbouring counters.
static void blocks(const uint32_t key[2], uint32_t first, uint32_t row, uint32_t out[4][LANES])
{
  uint32_t c0[LANES], c1[LANES], c2[LANES], c3[LANES], k0 = key[0], k1 = key[1];
  for (uint32_t i = 0; i < LANES; i++) c0[i] = first + i, c1[i] = row, c2[i] = 0, c3[i] = 0;
  for (int round = 0; round < 10; round++) {
    for (int i = 0; i < LANES; i++) {
      uint64_t p0 = (uint64_t)0xD2511F53u * c0[i], p1 = (uint64_t)0xCD9E8D57u * c2[i];
      c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
      c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
      c1[i] = (uint32_t)p1;
      c3[i] = (uint32_t)p0;
    }
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  for (int i = 0; i < LANES; i++) out[0][i] = c0[i], out[1][i] = c1[i], out[2][i] = c2[i], out[3][i] = c3[i];
}

void augment_noise(const uint32_t key[2], uint32_t first, uint32_t row, int32_t samples[NOISE_SAMPLES])
{
  uint32_t words[4][LANES];
  for (uint32_t j = 0; j < NOISE_BLOCKS; j += LANES) {
    blocks(key, first + j, row, words);
    for (uint32_t w = 0; w < 4; w++)
      for (uint32_t i = 0; i < LANES; i++) samples[w * NOISE_BLOCKS + j + i] = (int32_t)sum_of_bytes(words[w][i]) - 510;
  }
}
